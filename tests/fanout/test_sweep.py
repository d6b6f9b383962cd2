"""What was lost on the way is found: by the sweep, or by the next message."""

import asyncio

import pytest

from functions.fanout.orders import FanBatch, Sweep
from shared.queue import Queue, QueueDown
from tests.engine.door import MAX_ROWS
from tests.engine.running import free_port


def unqueued(database):
    return database.execute("select count(*) as n from items where queued_at is null").fetchone()["n"]


def age(database, minutes, *, set_to="queued_at"):
    moment = f"now() - interval '{minutes} minutes'"
    database.execute(f"update items set created_at = {moment}, {set_to} = {moment}")
    database.execute(f"update batches set fanned_at = {moment}")


async def test_a_queue_that_is_down_leaves_the_items_to_the_sweep(fanout, batch_of, database, queue):
    batch, items = batch_of(3)

    with pytest.raises(QueueDown, match="queues/probe"):
        await fanout(tasks_endpoint=f"http://127.0.0.1:{free_port()}").batch(FanBatch(batch_id=batch))

    assert unqueued(database) == 3
    age(database, 5, set_to="not_before")
    assert await fanout().sweep(Sweep(sweep=True)) == {"found": 3, "queued": 3}
    assert sorted(task.item_id for task in await asyncio.to_thread(queue.waiting)) == items


async def test_a_task_the_queue_refuses_is_not_marked(fanout, batch_of, database, monkeypatch):
    batch, items = batch_of(3)
    put = Queue.put

    async def picky(self, delivery):
        if delivery.item_id == items[1]:
            raise QueueDown("queue_down", "not this one")
        await put(self, delivery)

    monkeypatch.setattr(Queue, "put", picky)
    report = await fanout().batch(FanBatch(batch_id=batch))

    assert report["queued"] == 2
    assert database.execute("select id from items where queued_at is null").fetchall() == [{"id": items[1]}]


def test_the_sweep_finds_what_a_purge_has_taken(push, batch_of, queue, database):
    batch, items = batch_of(3)
    push({"batch_id": str(batch)})
    queue.clear()
    age(database, 5)

    answer = push({"sweep": True})

    assert answer.json() == {"found": 3, "queued": 3}
    assert sorted(task.item_id for task in queue.waiting()) == items


def test_the_sweep_leaves_alone_what_may_still_be_on_its_way(push, batch_of, queue, database):
    batch, _ = batch_of(3)
    push({"batch_id": str(batch)})
    age(database, 5)

    answer = push({"sweep": True})

    assert answer.json() == {"found": 0, "queued": 0}


def test_the_sweep_finds_the_items_of_an_instance_that_died(push, batch_of, queue, database):
    batch_of(2)
    database.execute(
        "update items set state = 'running', attempts = 1, holder = gen_random_uuid(), "
        "leased_until = now() - interval '5 minutes'"
    )

    answer = push({"sweep": True})

    assert answer.json() == {"found": 2, "queued": 2}
    states = database.execute("select distinct state, attempts from items").fetchall()
    assert states == [{"state": "waiting", "attempts": 1}]


def test_an_item_of_a_function_that_is_gone_does_not_hold_up_the_others(push, batch_of, queue, database):
    batch_of(2, function="gone")
    _, items = batch_of(2)
    age(database, 5, set_to="not_before")

    answer = push({"sweep": True})

    assert answer.status_code == 200
    assert sorted(task.item_id for task in queue.waiting()) == items


class Told:
    """A log to look into."""

    def __init__(self):
        self.lines = []

    def info(self, message, **fields):
        self.lines.append((message, fields))

    def of(self, message):
        return [fields for said, fields in self.lines if said == message]


async def test_the_sweep_tells_how_quotas_and_breakers_are(fanout, batch_of, database, monkeypatch):
    told = Told()
    monkeypatch.setattr("functions.fanout.fanout.log", told)
    batch_of(3)
    age(database, 60, set_to="queued_at")
    database.execute(
        "insert into breakers (name, state, failures, window_ends, rests_until) "
        "values ('domain:slow.test', 'open', 9, now() + interval '1 minute', now() + interval '1 minute')"
    )

    await fanout().sweep(Sweep(sweep=True))

    (quota,) = [line for line in told.of("quota") if line["quota"] == "probe"]
    assert quota["waiting"] == 3
    assert [(line["name"], line["state"]) for line in told.of("breaker")] == [("domain:slow.test", "open")]


async def test_the_sweep_goes_on_when_the_queue_cannot_be_looked_into(fanout, database):
    assert await fanout(queue_prefix="none-").sweep(Sweep(sweep=True)) == {"found": 0, "queued": 0}


def test_a_quota_that_was_changed_reaches_the_database_with_the_first_message(deployer, push, database, batch_of):
    database.execute("update quotas set requests_per_minute = 1 where name = 'probe'")
    fresh = deployer.another("fanout", "fanout-2")

    fresh.post({"message": {"data": "eyJzd2VlcCI6IHRydWV9", "messageId": "1"}}, token=fresh.token("pubsub"))

    rate = database.execute("select requests_per_minute from quotas where name = 'probe'").fetchone()
    assert rate["requests_per_minute"] == 30_000


def test_a_sweep_ends_what_is_too_late_and_goes_on_cancelling(push, batch_of, database):
    late, _ = batch_of(3)
    database.execute("update batches set deadline = now() where id = %s", [late])

    push({"sweep": True})

    (row,) = database.execute("select state from batches where id = %s", [late]).fetchall()
    assert row["state"] == "expired"
    assert database.execute("select distinct state from items").fetchall() == [{"state": "cancelled"}]


def test_items_of_low_priority_get_tasks_only_where_there_is_room(push, batch_of, database, queue):
    low, _ = batch_of(400, quota="narrow", function="narrow")
    database.execute("update batches set priority = 'low' where id = %s", [low])
    normal, _ = batch_of(200, quota="narrow", function="narrow")

    first = push({"batch_id": str(normal)}).json()
    second = push({"batch_id": str(low)}).json()
    swept = push({"sweep": True}).json()

    # The quota does 60 a minute: 300 until the next sweep.
    assert (first["queued"], second["queued"], swept["queued"]) == (200, 100, 0)
    assert len(queue.waiting("narrow")) == 300


async def test_more_than_an_answer_may_hold_is_found_at_once(fanout, batch_of, database, queue):
    _, items = batch_of(2 * MAX_ROWS + 20)
    age(database, 5)
    database.execute("update items set queued_at = null")

    report = await fanout().sweep(Sweep(sweep=True))

    assert report == {"found": len(items), "queued": len(items)}
    assert sorted(task.item_id for task in await asyncio.to_thread(queue.waiting)) == items


async def test_a_low_batch_fills_its_room_with_more_than_an_answer_may_hold(fanout, batch_of, database, queue):
    database.execute("update quotas set requests_per_minute = 6000 where name = 'probe'")
    batch, items = batch_of(2 * MAX_ROWS + 20)
    database.execute("update batches set priority = 'low'")

    report = await fanout().batch(FanBatch(batch_id=batch))

    assert report["queued"] == len(items)
