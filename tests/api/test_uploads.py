"""JSON lines: read as they come, enlisted chunk by chunk, and gone on with after they broke off."""

import json
from uuid import uuid4

import httpx
import pytest

from functions.api.filling import Filling
from functions.api.keys import KeyHolder
from functions.api.submission import MOST_LINE_BYTES, MOST_LINES, Order, chunked, listed, wanted
from shared.store import RowRefused
from tests.api.test_submitting import counts, is_problem, nested
from tests.engine.here import manifests_of


def lines(*numbers, **more):
    return b"".join(json.dumps({"do": "done", "n": n, **more}).encode() + b"\n" for n in numbers)


def test_an_upload_is_a_batch_in_the_order_of_its_lines(api, database, topic):
    answer = api.upload(lines(*range(1200)), priority="low", options='{"fresh": true}')

    batch = answer.json()
    assert answer.status_code == 202, answer.text
    assert (batch["total"], batch["state"], batch["priority"]) == (1200, "running", "low")
    rows = database.execute("select input ->> 'n' as n, fresh from items order by id").fetchall()
    assert [int(row["n"]) for row in rows] == list(range(1200))
    assert all(row["fresh"] for row in rows)
    assert topic.messages() == [{"batch_id": batch["id"]}]


def test_lines_may_come_in_pieces_and_without_a_last_newline(api):
    content = lines(1, 2, 3)[:-1] + b"\n\n  \n" + lines(4)[:-1]

    answer = api.upload(iter([content[:7], content[7:31], content[31:]]))

    assert answer.json()["total"] == 4


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no item in it"),
        (b"\n\n", "no item in it"),
        (lines(1) + b"{", "line 2: "),
        (lines(1) + b"[]\n", "line 2: each line is a JSON object"),
        (lines(1) + b'{"do": "\\u0000"}\n', "line 2: the character NUL"),
        (lines(1) + b'{"do": NaN}', "line 2: NaN"),
        (b"\xff\xfe\n", "line 1: "),
        (b"[" * 100_000, "line 1: "),
        (lines(*range(600)) + b"nonsense\n", "line 601: "),
        (lines(*range(600)) + lines(1, custom_id="x" * 201), "line 601: custom_id has at most 200 characters"),
        (lines(*range(600)) + lines(1, deep=nested(930)), "line 601: nested too deeply"),
        (b'{"do": "' + b"x" * MOST_LINE_BYTES + b'"}', f"at most {MOST_LINE_BYTES:,} bytes"),
    ],
    ids=range(12),
)
def test_an_upload_with_a_bad_line_is_refused_as_a_whole_and_its_key_is_free_again(api, database, topic, content, said):
    answer = api.upload(content, key="once")

    assert said in is_problem(answer, 422)
    assert database.execute("select count(*) as n from items where state <> 'cancelled'").fetchone()["n"] == 0
    assert database.execute("select count(*) as n from batches where finished_at is null").fetchone()["n"] == 0
    assert topic.messages() == []
    assert api.upload(lines(1), key="once").status_code == 202


class Refusing:
    """The database, which takes the first chunk, and refuses what is in the second."""

    def __init__(self):
        self.calls = []

    async def call(self, name, **arguments):
        self.calls.append(name)
        if name == "begin_batch_v1":
            return [
                {
                    "verdict": "new",
                    "batch_id": str(uuid4()),
                    "state": "accepting",
                    "chunks": 0,
                    "chunks_hash": None,
                    "secret": None,
                }
            ]
        if arguments.get("place") == 2:
            raise RowRefused("row_refused", "too large for its index (54000)")
        return "taken"


async def test_an_upload_that_the_database_refuses_leaves_its_key_free_again(project):
    store, article = Refusing(), manifests_of(project).functions["article"]
    items = chunked(listed([{"n": n} for n in range(1200)]), most=MOST_LINES)
    owner, order = KeyHolder(uuid4(), "test", "internal", operator=False), Order(function="article")

    with pytest.raises(RowRefused):
        await Filling(store, None).with_items(owner, article, wanted(order, "once"), items)

    assert store.calls == ["begin_batch_v1", "take_chunk_v1", "take_chunk_v1", "void_batch_v1"]


def test_more_lines_than_a_batch_may_have_are_refused(api, database):
    answer = api.upload(lines(*range(MOST_LINES + 1)))

    assert f"at most {MOST_LINES:,} items" in is_problem(answer, 422)
    assert database.execute("select count(*) as n from items where state = 'waiting'").fetchone()["n"] == 0


def test_an_upload_that_comes_again_is_the_same_batch(api, database, topic):
    first, second = (api.upload(lines(*range(700)), key="once") for _ in range(2))

    assert first.json()["id"] == second.json()["id"]
    assert counts(database) == {"batches": 1, "items": 700}
    assert len(topic.messages()) == 1


@pytest.mark.parametrize(
    "other", [lines(*range(699)), lines(*range(701)), lines(*range(699), 1000), lines(9, *range(1, 700))]
)
def test_the_same_key_with_other_lines_is_refused(api, database, other):
    api.upload(lines(*range(700)), key="once")

    answer = api.upload(other, key="once")

    assert "use a new key" in is_problem(answer, 422)
    assert counts(database) == {"batches": 1, "items": 700}


def test_the_same_key_with_another_order_is_refused(api, database):
    api.upload(lines(1), key="once")

    assert "use a new key" in is_problem(api.upload(lines(1), key="once", priority="low"), 422)


@pytest.mark.parametrize("key", ["once", None])
def test_an_upload_that_broke_off_goes_on_when_it_comes_again_with_its_key(api, database, key):
    def breaking():
        yield lines(*range(700))
        raise ConnectionAbortedError

    with pytest.raises((ConnectionAbortedError, httpx.TransportError)):
        api.upload(breaking(), key=key)

    answer = api.upload(lines(*range(1100)), key=key)

    waiting = database.execute("select batch_id from items where state = 'waiting'").fetchall()
    assert (answer.status_code, answer.json()["total"]) == (202, 1100)
    assert answer.json()["duplicates"] == 0
    assert len(waiting) == 1100 if key else len(waiting) >= 1100


def test_other_lines_under_the_key_of_an_upload_that_broke_off_are_never_enlisted(api, database, door):
    door.cut("open_batch_v1")
    api.upload(lines(*range(1000)), key="once")
    door.clear()

    answer = api.upload(lines(*range(500), *range(2000, 2600)), key="once")

    assert "use a new key" in is_problem(answer, 422)
    assert counts(database) == {"batches": 1, "items": 1000}


def test_an_upload_goes_on_behind_the_chunk_whose_answer_was_lost(api, database, door):
    lost = door.lose("take_chunk_v1", times=2)

    answer = api.upload(lines(*range(1200)), key="once")
    again = api.upload(lines(*range(1200)), key="once")

    assert lost.times == 0
    is_problem(answer, 503)
    assert (again.status_code, again.json()["total"], again.json()["duplicates"]) == (202, 1200, 0)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"function": "nobody"}, "no function 'nobody'"),
        ({"function": ""}, "no function ''"),
        ({"options": "["}, "options must be a JSON object"),
        ({"options": "[]"}, "options must be a JSON object"),
        ({"options": json.dumps({"n": nested(400)})}, "options: nested too deeply"),
        ({"priority": "high"}, "priority: "),
        ({"deadline": "2020-01-01T00:00:00Z"}, "deadline: it has passed already"),
        ({"webhook_url": "http://receiver.example/"}, "over https alone"),
    ],
)
def test_an_order_that_cannot_be_understood_is_told_why(api, database, query, said):
    answer = api.upload(lines(1), **query)

    assert said in is_problem(answer, 422)
    assert counts(database) == {"batches": 0, "items": 0}


@pytest.mark.parametrize("kind", ["text/csv", "application/xml", "multipart/form-data; boundary=x"])
def test_other_formats_are_refused_with_those_we_read(api, kind):
    assert "application/x-ndjson" in is_problem(api.post(b"a,b", **{"Content-Type": kind}), 415)
