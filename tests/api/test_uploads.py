"""JSON lines: all of them come before one is enlisted, and what broke off is gone on with."""

import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import httpx
import pytest

from functions.api.batches import Batches
from functions.api.bodies import Body, BrokeOff, Room
from functions.api.caching import Cache
from functions.api.filling import Filling
from functions.api.keys import KeyHolder
from functions.api.lines import Rule, places_of_lines
from functions.api.problems import Problem
from functions.api.submission import MOST_LINES, Order, Upload, Wanted
from functions.api.submitting import Submitting
from shared.inputs import InputLimits
from shared.messages import Messages
from shared.store import RowRefused, Store
from tests.api.test_submitting import counts, is_problem, nested
from tests.engine.here import manifests_of, settings_of
from tests.fanout.conftest import envelope

HOOK = "https://receiver.example/hook"
LIMITS = InputLimits(16_000, 32, 1_000)
NOTHING = {"batches": 0, "items": 0}


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
        (lines(1) + b"[]\n", "line 2: each item is a JSON object"),
        (lines(1) + b'{"do": "\\u0000"}\n', "line 2: the character NUL"),
        (lines(1) + b'{"do": NaN}', "line 2: NaN"),
        (lines(1) + b'{"do": ' + b"9" * 5_000 + b"}", "line 2: a number has more digits"),
        (b"\xff\xfe\n", "line 1: "),
        (b"[" * 100_000, "line 1: "),
        (lines(*range(600)) + b"nonsense\n", "line 601: "),
        (lines(*range(600)) + lines(1, custom_id="x" * 201), "line 601: custom_id has at most 200 characters"),
        (lines(*range(600)) + lines(1, deep=nested(930)), "line 601: nested too deeply"),
        (lines(1) + b"\n" + lines(1, deep=nested(32)), "line 3: nested too deeply; an input has at most 32 levels"),
        (lines(1) + lines(1, many=[0] * 998), "line 2: too many elements (1,001)"),
        (lines(1) + b'{"do": "' + b"x" * 15_991 + b'"}', "line 2: too large (16,001 bytes)"),
        (lines(1) + b'{"do": "' + b"x" * 1_000_000, "line 2: too large"),
        (lines(*range(10_000)) + b"nonsense\n", "line 10001: "),
    ],
    ids=range(17),
)
def test_an_upload_with_a_bad_line_leaves_nothing_and_its_key_is_free_again(api, database, topic, content, said):
    answer = api.upload(content, key="once", webhook_url=HOOK)

    assert said in is_problem(answer, 422)
    assert counts(database) == NOTHING
    assert topic.messages() == []
    assert api.upload(lines(1), key="once").status_code == 202


@pytest.mark.parametrize(
    "line",
    [
        lines(1, deep=nested(31)),
        lines(1, many=[0] * 997),
        b'{"do": "' + b"x" * 15_990 + b'"}\n',
        b"  " + lines(1)[:-1] + b" \r\n",
        b"\xef\xbb\xbf" + lines(1),
    ],
    ids=["deep", "many", "long", "spaced", "with a byte order mark"],
)
def test_an_item_may_have_as_much_as_its_function_allows(api, line):
    answer = api.upload(line)

    assert (answer.status_code, answer.json()["total"]) == (202, 1), answer.text


def test_options_count_with_each_item_they_go_into(api, database):
    long = json.dumps({"text": "x" * 9_000})

    assert "with the batch's options it is too large" in is_problem(
        api.upload(lines(1, t="x" * 8_000), options=long), 422
    )
    assert "have more than 32,000,000 bytes" in is_problem(api.upload(lines(*range(4_000)), options=long), 422)
    assert counts(database) == NOTHING


class Refusing:
    """The database, which takes the first chunk, and refuses what is in the second."""

    def __init__(self):
        self.calls = []

    async def call(self, name, **arguments):
        self.calls.append(name)
        if name == "begin_batch_v1":
            begun = {"verdict": "new", "batch_id": str(uuid4()), "state": "accepting", "items_in": 0, "secret": None}
            return [begun]
        if arguments.get("start") == 500:
            raise RowRefused("row_refused", "too large for its index (54000)")
        return "taken" if name == "take_chunk_v1" else False


async def test_an_upload_that_the_database_refuses_leaves_nothing(project):
    store, article = Refusing(), manifests_of(project).functions["article"]
    owner, order = KeyHolder(uuid4(), "test", "internal", operator=False), Order(function="article")
    body = Body(Room(), b"")

    async def stream():
        yield lines(*range(1200))

    places = await places_of_lines(body, stream(), Rule(LIMITS), MOST_LINES)

    with pytest.raises(RowRefused):
        await Filling(store, None).with_items(owner, article, Wanted(order, body, "once"), places)

    assert store.calls == ["begin_batch_v1", "take_chunk_v1", "take_chunk_v1", "drop_upload_v1"]


def test_more_lines_than_a_batch_may_have_are_refused_before_one_is_enlisted(api, database, door):
    answer = api.upload(lines(*range(MOST_LINES + 1)))

    assert f"at most {MOST_LINES:,} items" in is_problem(answer, 422)
    assert counts(database) == NOTHING
    assert door.calls["begin_batch_v1"] == door.calls["take_chunk_v1"] == 0


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


async def coming(*pieces):
    """A body whose sender goes away after these pieces."""
    for piece in pieces:
        yield piece
    raise BrokeOff


@pytest.fixture
def submitting(environment, project, database, api):
    """The submitting of the API in this process, for which no connection has to be broken at the right moment."""
    settings, known = settings_of(environment), manifests_of(project)
    batches = Batches(Store.of(settings), Messages(settings), known, Cache(None))
    (row,) = database.execute("select id from api_keys order by id desc limit 1").fetchall()
    return Submitting(batches), KeyHolder(row["id"], "test", "internal", operator=False)


async def break_off(submitting, *numbers, key="once"):
    service, owner = submitting
    with pytest.raises(Problem, match="broke off"):
        await service.lines(owner, Upload(function="probe"), key, coming(lines(*numbers), b'{"do": "done", '))


def test_a_connection_that_breaks_is_a_body_that_broke_off(api, database):
    def breaking():
        # More than all buffers on the way hold: some of it has been read by the time the last is sent.
        for n in range(2_000):
            yield lines(n, text="x" * 15_000)
        raise ConnectionAbortedError

    with pytest.raises((ConnectionAbortedError, httpx.TransportError)):
        api.upload(breaking(), key="once")

    until = time.monotonic() + 20
    while not (part := database.execute("select bytes from upload_parts").fetchall()):
        assert time.monotonic() < until, "the part was never noted"
    assert part[0]["bytes"] > 0
    assert counts(database) == NOTHING
    assert "use a new key" in is_problem(api.upload(lines(1), key="once"), 422)


@pytest.mark.parametrize("key", ["once", None])
async def test_an_upload_that_broke_off_has_enlisted_nothing_and_comes_again_whole(
    api, submitting, database, topic, key
):
    await break_off(submitting, *range(700), key=key)
    left = counts(database)

    answer = api.upload(lines(*range(1100)), key=key)

    assert left == NOTHING
    assert (answer.status_code, answer.json()["total"], answer.json()["duplicates"]) == (202, 1100, 0)
    assert counts(database) == {"batches": 1, "items": 1100}
    assert len(topic.messages()) == 1


@pytest.mark.parametrize(
    ("other", "more"),
    [
        (lines(*range(1100)), {}),
        (lines(*range(1500), 1700, *range(1501, 2000)), {}),
        (lines(9), {}),
        (lines(*range(1700)), {"priority": "low"}),
        (lines(*range(1700)), {"webhook_url": HOOK}),
    ],
    ids=["its beginning alone", "another line", "one other line", "another priority", "another webhook"],
)
async def test_after_an_upload_broke_off_its_key_takes_no_other_body(api, submitting, database, other, more):
    await break_off(submitting, *range(1600))

    answer = api.upload(other, key="once", **more)

    assert "use a new key" in is_problem(answer, 422)
    assert counts(database) == NOTHING
    again = api.upload(lines(*range(1700)), key="once")
    assert (again.status_code, again.json()["total"]) == (202, 1700)


async def test_a_json_body_that_broke_off_is_held_to_its_beginning_too(api, submitting):
    service, owner = submitting
    body = json.dumps({"function": "probe", "items": [{"n": n} for n in range(600)]}).encode()
    with pytest.raises(Problem, match="broke off"):
        await service.json(owner, "once", coming(body[:3_000], body[3_000:5_000]))

    other = api.post(body.replace(b'"n": 0', b'"n": 7'), **{"Idempotency-Key": "once"})

    assert "use a new key" in is_problem(other, 422)
    assert api.post(body, **{"Idempotency-Key": "once"}).status_code == 202


async def test_it_is_the_first_part_that_counts(api, submitting):
    await break_off(submitting, *range(1600))
    await break_off(submitting, *range(5000, 5009))

    assert "use a new key" in is_problem(api.upload(lines(*range(5000, 5100)), key="once"), 422)
    assert api.upload(lines(*range(1700)), key="once").status_code == 202


async def test_a_day_after_it_broke_off_its_key_is_free(api, submitting, database):
    await break_off(submitting, *range(1600))
    database.execute("update upload_parts set broke_at = broke_at - interval '1 day'")

    assert api.upload(lines(9), key="once").status_code == 202
    assert database.execute("select from upload_parts").fetchall() == []


async def test_what_breaks_off_under_the_key_of_a_batch_changes_nothing(api, submitting, database):
    api.upload(lines(1), key="once")

    await break_off(submitting, *range(9))

    assert database.execute("select from upload_parts").fetchall() == []
    assert api.upload(lines(1), key="once").status_code == 202


def test_two_bodies_under_one_key_at_once_are_one_batch_and_one_refusal(api, database, topic):
    other_is_in = threading.Event()

    def slow():
        yield lines(*range(1600))
        assert other_is_in.wait(20)
        yield lines(*range(1600, 1700))

    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(api.upload, slow(), key="once")
        second = api.upload(lines(*range(2000, 3100)), key="once")
        other_is_in.set()

    assert (second.status_code, second.json()["total"]) == (202, 1100)
    assert "use a new key" in is_problem(first.result(), 422)
    assert counts(database) == {"batches": 1, "items": 1100}
    assert len(topic.messages()) == 1


def test_another_body_finds_out_while_the_first_is_being_enlisted(api, database, door):
    held = door.hold("open_batch_v1")

    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(api.upload, lines(*range(1600)), key="once")
        held.wait_for_somebody()
        others = [api.upload(lines(*numbers), key="once") for numbers in (range(1100), range(9), range(50, 1700))]
        held.open.set()

    assert all("use a new key" in is_problem(other, 422) for other in others)
    assert (first.result().status_code, first.result().json()["total"]) == (202, 1600)
    assert counts(database) == {"batches": 1, "items": 1600}


def test_the_same_body_twice_at_once_is_one_batch(api, database, door):
    held = door.hold("take_chunk_v1")

    with ThreadPoolExecutor(1) as threads:
        first = threads.submit(api.upload, lines(*range(1600)), key="once")
        held.wait_for_somebody()
        second = api.upload(lines(*range(1600)), key="once")
        held.open.set()

    assert {answer.status_code for answer in (first.result(), second)} == {202}
    assert first.result().json()["id"] == second.json()["id"]
    assert (second.json()["total"], second.json()["duplicates"]) == (1600, 0)
    assert counts(database) == {"batches": 1, "items": 1600}


def die_before_the_end(api, door, *, key=None):
    """As if the instance were killed after it has enlisted all: nothing it calls then reaches the database."""
    for name in ("open_batch_v1", "drop_upload_v1"):
        door.cut(name)
    is_problem(api.upload(lines(*range(1000)), key=key, webhook_url=HOOK), 503)
    door.clear()


def pass_time(database, interval):
    for column in ("created_at", "fanned_at"):
        database.execute(f"update batches set {column} = {column} - %s::interval", [interval])
    database.execute("update items set created_at = created_at - %s::interval", [interval])


def tend(database):
    database.execute("select tend_batches_v1()")
    return database.execute("select state, jsonb_array_length(sweep_v1(10)) as swept from batches").fetchone()


@pytest.mark.parametrize("priority", ["normal", "low"])
def test_items_of_an_upload_that_is_not_complete_get_no_task(api, database, door, deployed, queue, priority):
    die_before_the_end(api, door, key="once")
    database.execute("update batches set priority = %s", [priority])
    pass_time(database, "23 hours")

    told = tend(database)
    batch = database.execute("select id from batches").fetchone()["id"]
    fanout = deployed("fanout")
    for order in ({"batch_id": str(batch)}, {"sweep": True}):
        fanout.post(envelope(order), token=fanout.token("pubsub"))

    assert told == {"state": "accepting", "swept": 0}
    assert queue.waiting() == []


def test_an_upload_whose_instance_died_is_gone_on_with_for_a_day(api, database, door):
    die_before_the_end(api, door, key="once")
    pass_time(database, "23 hours")
    tend(database)

    answer = api.upload(lines(*range(1000)), key="once", webhook_url=HOOK)

    assert (answer.status_code, answer.json()["state"], answer.json()["total"]) == (202, "running", 1000)
    assert counts(database) == {"batches": 1, "items": 1000}


@pytest.mark.parametrize(("key", "interval"), [("once", "24 hours"), (None, "10 minutes")])
def test_an_upload_that_nobody_finishes_is_cancelled_and_nobody_is_told(api, database, door, key, interval):
    die_before_the_end(api, door, key=key)
    pass_time(database, interval)

    told = tend(database)

    assert told == {"state": "cancelled", "swept": 0}
    assert database.execute("select distinct state from items").fetchall() == [{"state": "cancelled"}]
    assert database.execute("select from webhook_backlog").fetchall() == []
    assert api.upload(lines(1), key=key).json()["total"] == 1


def test_an_upload_without_a_key_that_the_database_lost_leaves_nothing(api, database, door):
    door.cut("open_batch_v1")

    answer = api.upload(lines(*range(1000)), webhook_url=HOOK)

    is_problem(answer, 503)
    assert counts(database) == NOTHING


def test_other_lines_under_the_key_of_an_upload_whose_instance_died_are_never_enlisted(api, database, door):
    die_before_the_end(api, door, key="once")

    for other in (lines(*range(500), *range(2000, 2600)), lines(*range(500)), lines(*range(1000))):
        assert "use a new key" in is_problem(api.upload(other, key="once"), 422)

    assert counts(database) == {"batches": 1, "items": 1000}


def test_an_upload_goes_on_behind_the_chunk_whose_answer_was_lost(api, database, door):
    lost = door.lose("take_chunk_v1", times=2)

    answer = api.upload(lines(*range(1200)), key="once")
    again = api.upload(lines(*range(1200)), key="once")

    assert lost.times == 0
    is_problem(answer, 503)
    assert (again.status_code, again.json()["total"], again.json()["duplicates"]) == (202, 1200, 0)


def test_more_bodies_at_once_than_an_instance_holds_are_put_off():
    room = Room(free=10)

    with Body(room, b"") as body:
        body.add(b"123456")
        with pytest.raises(Problem, match="in a few seconds"), Body(room, b"") as other:
            other.add(b"12345")

    assert room.free == 10


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"function": "nobody"}, "no function 'nobody'"),
        ({"function": ""}, "no function ''"),
        ({"options": "["}, "options must be a JSON object"),
        ({"options": "[]"}, "options must be a JSON object"),
        ({"options": json.dumps({"n": nested(400)})}, "options: nested too deeply"),
        ({"options": '{"colour": 1}'}, "options: probe has no option 'colour'"),
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
