"""Every waiting item gets one task, whatever happens on the way."""

import asyncio
from uuid import uuid4

import pytest

from functions.fanout.orders import FanBacklog, FanBatch


def urls(count):
    return [f"http://daily.test/story/{n}" for n in range(count)]


def counts(database):
    return database.execute(
        "select (select count(*) from batches) as batches, (select count(*) from items) as items"
    ).fetchone()


def unqueued(database):
    return database.execute("select count(*) as n from items where queued_at is null").fetchone()["n"]


def test_a_batch_gets_one_task_for_each_item(push, batch_of, queue, deployed, database):
    batch, items = batch_of(5)
    batch_of(3)

    answer = push({"batch_id": str(batch)})

    assert answer.status_code == 200
    assert answer.json()["queued"] == 5
    tasks = queue.waiting()
    assert sorted(task.item_id for task in tasks) == items
    assert {task.url for task in tasks} == {deployed("probe").url}
    assert unqueued(database) == 3


def test_the_same_message_twice_makes_no_second_task(push, batch_of, queue):
    batch, _ = batch_of(5)
    push({"batch_id": str(batch)})

    answer = push({"batch_id": str(batch)})

    assert answer.json()["queued"] == 0
    assert len(queue.waiting()) == 5


def test_a_batch_nobody_knows_is_finished_with(push, queue):
    answer = push({"batch_id": str(uuid4())})

    assert (answer.status_code, answer.json()["queued"]) == (200, 0)


def test_a_backlog_is_enlisted_up_to_the_limit_and_gets_its_tasks(push, backlog, queue, database):
    backlog(*urls(7))

    answer = push({"function": "probe", "limit": 5})

    assert answer.json()["enlisted"] == answer.json()["queued"] == 5
    assert len(queue.waiting()) == 5
    (batch,) = database.execute("select source, state, function from batches").fetchall()
    assert batch == {"source": "backlog", "state": "open", "function": "probe"}


def test_a_message_delivered_twice_goes_on_with_the_same_batch_and_fills_it_once(push, backlog, database):
    backlog(*urls(12))
    push({"function": "probe", "limit": 5}, message_id="one")

    again = push({"function": "probe", "limit": 5}, message_id="one")
    other = push({"function": "probe", "limit": 5}, message_id="two")

    assert (again.json()["enlisted"], other.json()["enlisted"]) == (0, 5)
    assert again.json()["batch_id"] != other.json()["batch_id"]
    assert counts(database) == {"batches": 2, "items": 10}


def test_a_row_of_the_backlog_is_enlisted_once_in_all_runs(push, backlog, database):
    backlog(*urls(3))
    for n in range(3):
        push({"function": "probe"}, message_id=str(n))

    assert counts(database)["items"] == 3


def test_an_empty_backlog_leaves_no_batch_behind(push, database):
    answer = push({"function": "probe"})

    assert answer.json()["enlisted"] == 0
    assert counts(database) == {"batches": 0, "items": 0}


def test_bad_addresses_in_the_backlog_become_items_whose_end_can_be_seen(push, backlog, database):
    backlog("not a url", "ftp://files.test/x", "http://", "javascript:alert(1)", "http://daily.test/fine")

    answer = push({"function": "probe"})

    assert answer.json()["queued"] == 5
    domains = {row["domain"] for row in database.execute("select domain from items").fetchall()}
    assert domains == {None, "daily.test"}


def test_options_go_into_every_item_of_the_backlog(push, backlog, database):
    backlog(*urls(2))

    push({"function": "probe", "options": {"fresh": True, "n": 9}})

    rows = database.execute("select input, fresh from items").fetchall()
    assert [(row["input"]["n"], row["fresh"]) for row in rows] == [(9, True)] * 2


def test_a_run_with_options_that_its_items_do_not_know_enlists_nothing(push, backlog, database):
    backlog(*urls(2))

    answer = push({"function": "probe", "options": {"colour": "red"}})

    assert (answer.status_code, answer.json()["error"]) == (
        400,
        "probe has no option 'colour'; it has: fresh, n, text, seconds",
    )
    assert counts(database) == {"batches": 0, "items": 0}


def test_a_key_that_the_item_model_does_not_know_does_not_end_an_item_of_a_backlog(push, backlog, database, deployed):
    """As from a newer fan-out or view, while the function of before still runs."""
    backlog("http://daily.test/")
    push({"function": "probe"})
    database.execute('update items set input = \'{"do": "done", "colour": "red"}\'')
    (item,) = database.execute("select id from items").fetchall()

    answer = deployed("probe").deliver(item["id"])

    assert answer.text == "done"


def test_a_dry_run_tells_and_writes_nothing(push, backlog, database, queue, topic):
    backlog(*urls(7))

    answer = push({"function": "probe", "limit": 5, "dry_run": True})

    assert answer.json() == {
        "dry_run": True, "function": "probe", "would_enlist": 5, "queue": "probe", "requests_per_minute": 30_000,
        "estimated_seconds": 0,
    }  # fmt: skip
    assert counts(database) == {"batches": 0, "items": 0}
    assert queue.waiting() == []
    assert topic.messages() == []


@pytest.mark.parametrize("name", ["nobody", "api", "twin"])
def test_a_function_without_a_backlog_is_refused_with_those_that_have_one(push, name):
    answer = push({"function": name})

    assert answer.status_code == 400
    assert answer.json()["error"].startswith(f"no function {name!r} with a backlog; there is: article, ")


@pytest.mark.parametrize("order", [{}, {"batch_id": 5}, {"sweep": "yes please"}, b"\xff", b""])
def test_what_is_no_order_is_refused_and_will_end_with_the_dead_letters(push, order):
    answer = push(order)

    assert answer.status_code == 400
    assert "Traceback" not in answer.text


def test_only_pubsub_may_push(push, batch_of, database):
    batch, _ = batch_of(2)

    statuses = [
        push({"batch_id": str(batch)}, token=token).status_code for token in ("x", push.function.token("tasks"))
    ]

    assert statuses == [401, 403]
    assert unqueued(database) == 2


def test_with_the_database_away_the_message_comes_again(push, batch_of, door, queue):
    batch, _ = batch_of(3)
    door.cut()
    first = push({"batch_id": str(batch)})
    door.clear()

    second = push({"batch_id": str(batch)})

    assert (first.status_code, second.status_code) == (500, 200)
    assert len(queue.waiting()) == 3


def test_a_fan_out_that_died_after_enlisting_goes_on_when_its_message_comes_again(push, backlog, door, queue, database):
    backlog(*urls(3))
    door.cut("items")
    first = push({"function": "probe"})
    door.clear()

    second = push({"function": "probe"})

    assert (first.status_code, second.status_code) == (500, 200)
    assert len(queue.waiting()) == 3
    assert counts(database) == {"batches": 1, "items": 3}


def test_a_fan_out_that_died_before_it_opened_the_batch_goes_on_too(push, backlog, door, queue, database):
    backlog(*urls(3))
    door.cut("open_batch_v1")
    first = push({"function": "probe"})
    door.clear()

    second = push({"function": "probe"})

    assert (first.status_code, second.status_code) == (500, 200)
    assert len(queue.waiting()) == 3
    assert database.execute("select state from batches").fetchall() == [{"state": "open"}]


def test_a_row_beyond_the_limits_of_an_input_is_dead_and_holds_up_no_other(push, backlog, queue, database):
    backlog("http://daily.test/first", "http://daily.test/" + "x" * 16_000, "http://daily.test/last")

    first = push({"function": "probe", "limit": 2}, message_id="one").json()
    second = push({"function": "probe", "limit": 2}, message_id="two").json()

    (dead,) = database.execute("select reason, error, input, finished_at from items where state = 'dead'").fetchall()
    assert (first["enlisted"], first["queued"], second["enlisted"], second["queued"]) == (2, 1, 1, 1)
    assert len(queue.waiting()) == 2
    assert (dead["reason"], dead["finished_at"] is None) == ("bad_input", False)
    assert "too large (16," in dead["error"]
    assert "functions/probe/function.yaml" in dead["error"]
    assert len(dead["input"]["too_large"]) < 100


def test_an_upload_that_is_not_complete_gets_no_task(push, batch_of, queue, database):
    batch, _ = batch_of(3)
    database.execute("update batches set state = 'accepting'")

    answer = push({"batch_id": str(batch)})

    assert (answer.status_code, answer.json()["queued"], queue.waiting()) == (200, 0, [])


def test_a_message_that_comes_again_over_a_filled_batch_enlists_nothing_more(push, backlog, queue, database):
    backlog(*urls(3))
    push({"function": "probe"}, message_id="one")
    backlog("http://daily.test/more")

    again = push({"function": "probe"}, message_id="one")

    assert again.json()["enlisted"] == 0
    assert counts(database) == {"batches": 1, "items": 3}


async def test_a_batch_that_ends_while_its_message_comes_again_leaves_the_rest_to_the_next_run(
    fanout, backlog, database, queue
):
    backlog(*urls(3))
    run, ordered = uuid4(), FanBacklog(function="probe")
    again = fanout()
    enlist = again.store.enlist

    async def late(entries, batch_id, manifest):
        # Another delivery fills the batch, and all it holds ends, just before.
        await fanout().backlog(ordered.model_copy(update={"limit": 2}), run)
        database.execute("update items set state = 'done', finished_at = now()")
        database.execute("select close_batches(array[%s::uuid])", [batch_id])
        return await enlist(entries, batch_id, manifest)

    again.store.enlist = late
    report = await again.backlog(ordered, run)

    assert (report["enlisted"], report["queued"]) == (0, 0)
    assert database.execute("select state from batches").fetchall() == [{"state": "completed"}]
    assert (await fanout().backlog(ordered, uuid4()))["queued"] == 1


def test_a_mark_that_was_lost_costs_a_task_too_many_and_no_item(push, batch_of, door, queue, database):
    batch, items = batch_of(3)
    door.cut("mark_queued_v1")
    push({"batch_id": str(batch)})
    door.clear()

    push({"batch_id": str(batch)})

    assert {task.item_id for task in queue.waiting()} == set(items)
    assert unqueued(database) == 0


async def test_when_time_is_up_a_new_message_goes_on(fanout, batch_of, topic):
    batch, items = batch_of(3)

    report = await fanout(seconds=0).batch(FanBatch(batch_id=batch))

    assert report["queued"] == 3
    assert await asyncio.to_thread(topic.messages) == [{"batch_id": str(batch), "after": str(items[-1])}]


async def test_a_message_that_goes_on_begins_behind_what_was_done(fanout, batch_of, queue):
    batch, items = batch_of(3)

    await fanout().batch(FanBatch(batch_id=batch, after=items[0]))

    waiting = await asyncio.to_thread(queue.waiting)
    assert sorted(task.item_id for task in waiting) == items[1:]


async def test_a_backlog_too_long_for_one_message_goes_on_with_the_same_batch(fanout, backlog, topic, database):
    backlog(*urls(3))

    report = await fanout(seconds=0).backlog(FanBacklog(function="probe", limit=100), uuid4())
    messages = await asyncio.to_thread(topic.messages)

    (goes_on,) = [message for message in messages if "function" in message]
    assert goes_on["batch_id"] == report["batch_id"]
    backlog("http://daily.test/more")
    await fanout().backlog(FanBacklog(**goes_on), "another message")
    assert counts(database) == {"batches": 1, "items": 4}
    assert unqueued(database) == 0
