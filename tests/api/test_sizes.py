"""What hostile bodies may cost, and how large an answer may be."""

import json
import re

import pytest

from functions.api.bodies import BYTES_A_TURN, Body, Room, Turns
from functions.api.json_body import read_object
from functions.api.lines import Rule, places_of_lines
from functions.api.pages import within_bytes
from functions.api.problems import Problem
from functions.api.submission import MOST_ITEMS, MOST_LINES
from shared.inputs import InputLimits
from shared.manifest import Manifest
from tests.api.test_submitting import counts, is_problem

LIMITS = InputLimits(16_000, 32, 1_000)
PAGE_BYTES = 1_000_000
MEGABYTE = 1_000_000


def body_of(text):
    async def stream():
        for start in range(0, len(text), 65_536):
            yield text[start : start + 65_536]

    return Body(Room(), b""), stream()


HOSTILE = {
    "brackets": b"[" * MEGABYTE,
    "objects": b'{"a":' * (MEGABYTE // 5),
    "empty lists": b'{"a":[' + b"[]," * (MEGABYTE // 3),
    "one string": b'{"a":"' + b"x" * MEGABYTE,
    "escapes": b'{"a":"' + b"\\\\" * (MEGABYTE // 2),
    "escaped quotes": b'{"a":"' + b'\\"' * (MEGABYTE // 2),
    "quotes": b'"' * MEGABYTE,
    "a number": b'{"a":' + b"9" * MEGABYTE,
    "keys": b"{" + b",".join(b'"%d":1' % n for n in range(MEGABYTE // 10)),
    "spaces": b" " * MEGABYTE,
    "zeros": b"\0" * MEGABYTE,
}


@pytest.mark.parametrize("text", [text for name, text in HOSTILE.items() if name != "spaces"])
async def test_of_a_hostile_line_no_more_is_waited_for_than_an_input_may_have(text):
    body, stream = body_of(text)

    with pytest.raises(Problem, match="line 1: too large"):
        await places_of_lines(body, stream, Rule(LIMITS), MOST_LINES)

    assert len(body.text) <= 65_536


@pytest.mark.parametrize("wrap", [b"%s", b'{"function":"probe","items":[{"a":1},%s', b'{"options":%s'])
@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_a_hostile_json_body_is_refused_and_nothing_of_it_built(text, wrap, monkeypatch):
    built = []
    loads = json.loads
    monkeypatch.setattr("functions.api.json_body.json.loads", lambda given: built.append(len(given)) or loads(given))
    body, stream = body_of(wrap % text)

    with pytest.raises(Problem):
        await read_object(body, stream, LIMITS.size, MOST_ITEMS)

    assert sum(built) < 2 * LIMITS.size


async def test_a_body_of_many_items_is_read_in_many_turns(monkeypatch):
    turns = []

    async def sleep(_):
        turns.append(1)

    monkeypatch.setattr("functions.api.bodies.asyncio.sleep", sleep)
    body, stream = body_of(b'{"items":[' + b",".join([b"{}"] * MOST_ITEMS) + b"]}")

    members, places = await read_object(body, stream, LIMITS.size, MOST_ITEMS)

    assert (members, len(places)) == ({"items": []}, MOST_ITEMS)
    assert len(turns) > 50


async def test_a_turn_ends_after_so_many_bytes(monkeypatch):
    turns = []

    async def sleep(_):
        turns.append(1)

    monkeypatch.setattr("functions.api.bodies.asyncio.sleep", sleep)
    work = Turns()
    for _ in range(10):
        await work.after(BYTES_A_TURN)

    assert len(turns) == 10


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"function":"probe","items":[{"n":1}],"items":[{"n":2}]}', "items: this key stands in the body twice"),
        (b'{"function":"probe","items":[{"n":1},]}', "not JSON"),
        (b'{"function":"probe","items":[{"n":1}]} more', "nothing more at byte 40"),
        (b'{"function":"probe","items":[{"n":1}', "not JSON"),
        (b'{"function":"probe","items":[{"n":1]]}', "items.0: this is not JSON"),
        (b'{"function":"probe","items":[{"n":[[]]}}]}', "not JSON"),
        (b'{"function":"probe" "items":[{"n":1}]}', "there should be ',' at byte 21"),
        (b'{"function":"probe","items":[{"n":"' + b"x" * 16_000 + b'"}]}', "items.0: too large"),
        (b'{"function":"probe","items":[{},{"n":[' + b"1," * 1_000 + b"1]}]}", "items.1: too many elements (1,002)"),
        (b"{" + b",".join(b'"k%d":1' % n for n in range(40)) + b"}", "more than 32 keys"),
        (b'{"function":"probe","options":{"a":"' + b"x" * 15_999 + b'"},"items":[{}]}', "options: too large"),
        (b'{"function":"probe","items":[{"n":"\xff"}]}', "items.0: this is not UTF-8"),
        (b'{"function":"\xff"}', "not UTF-8"),
    ],
    ids=range(13),
)
def test_what_is_wrong_with_a_json_body_is_said_with_its_place(api, database, body, said):
    assert said in is_problem(api.post(body), 422)
    assert counts(database) == {"batches": 0, "items": 0}


def test_a_json_body_may_be_written_in_any_way(api):
    spaced = b'\xef\xbb\xbf \n{ "it\\u0065ms"\t:[ {"do":"]}\\"[{"} ,\n{"n":2}\r\n] , "function" : "probe" } \n'

    answer = api.post(spaced)

    assert (answer.status_code, answer.json()["total"]) == (202, 2), answer.text


def test_a_compressed_body_is_refused_with_what_to_do(api):
    assert "Content-Encoding" in is_problem(api.post(b"{}", **{"Content-Encoding": "gzip"}), 415)


def test_what_is_built_in_one_go_may_have_less(api):
    answer = api.act("/v3/dead-letters/replay", {"reason": "x" * 1_500_000})

    assert "at most 1,500,000 bytes" in is_problem(answer, 413)


def test_the_limits_of_an_input_are_those_of_the_defaults(project):
    text = (project.root / "functions" / "defaults.yaml").read_text()
    for key in ("input_bytes", "input_depth", "input_elements"):
        assert int(re.search(rf"^{key}: (\d+)", text, re.MULTILINE)[1]) == Manifest.__dataclass_fields__[key].default


@pytest.fixture
def largest(api, database):
    """A batch of 600 dead items that are as large as an item may be."""
    rest = {"text": "é" * 6_000, "custom_id": "\U0001f600" * 200}
    items = ({"n": n, "url": f"https://example.com/{n}/" + "u" * 2_000, **rest} for n in range(600))
    lines = b"".join(json.dumps(item, ensure_ascii=False).encode() + b"\n" for item in items)
    batch = api.upload(lines).json()["id"]
    database.execute("update items set state = 'dead', reason = 'bad_input', error = repeat('x', 2000)")
    return batch


def lists_of(document):
    """The paths of the OpenAPI document that answer page by page."""
    return [
        (path, {one["name"]: one["schema"] for one in methods["get"].get("parameters", [])})
        for path, methods in document["paths"].items()
        if "get" in methods and any(one["name"] == "limit" for one in methods["get"].get("parameters", []))
    ]


def test_a_page_of_any_list_has_a_limit_in_bytes(caller_of, api, largest):
    operator = caller_of(operator=True)
    found = {}
    for path, parameters in lists_of(api.get("/openapi.json").json()):
        query = {"limit": parameters["limit"]["maximum"], **({"q": "example.com"} if "q" in parameters else {})}
        answer = operator.get(path.replace("{batch_id}", largest), **query)
        found[path] = len(answer.content)
        assert answer.status_code == 200, (path, answer.text)

    assert all(size < PAGE_BYTES for size in found.values()), found
    assert {"/v3/batches/{batch_id}/items", "/v3/batches/{batch_id}/results", "/v3/items", "/v3/dead-letters"} <= {
        path for path, size in found.items() if size > 100_000
    }


@pytest.mark.parametrize(
    ("path", "key"),
    [("/v3/batches/{}/items", "items"), ("/v3/batches/{}/results", "results"), ("/v3/dead-letters", "dead_letters")],
)
def test_a_shortened_page_is_followed_by_the_rest(api, largest, path, key):
    seen, query = [], {"limit": 500}
    while True:
        page = api.get(path.format(largest), **query).json()
        seen += [row["item_id"] for row in page[key]]
        assert all(row["input_cut"] and set(row["input"]) == {"n", "url"} for row in page[key])
        if page["next_cursor"] is None:
            break
        query["cursor"] = page["next_cursor"]

    assert len(seen) == len(set(seen)) == 600


def test_an_item_alone_and_a_file_of_results_have_the_whole_input(api, largest):
    lines = api.get(f"/v3/batches/{largest}/results", format="jsonl").text.splitlines()

    first = json.loads(lines[0])
    assert len(lines) == 600
    assert (first["input_cut"], len(first["input"]["text"])) == (False, 6_000)
    assert len(api.get(f"/v3/items/{first['item_id']}").json()["input"]["text"]) == 6_000


def test_a_full_last_page_says_that_nothing_follows(api):
    batch = api.submit(*({"n": n} for n in range(4)))

    page = api.get(f"/v3/batches/{batch}/items", limit=4).json()

    assert (len(page["items"]), page["next_cursor"]) == (4, None)


def test_a_page_has_one_row_at_least():
    rows = [{"text": "x" * 20}, {"text": "y"}, {"text": "z"}]

    assert within_bytes(rows, most=25) == rows[:1]
    assert within_bytes(rows, most=45) == rows[:2]
    assert within_bytes([], most=1) == []
