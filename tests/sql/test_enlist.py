"""Items come in once, and are marked when their task is in the queue."""

import threading
import uuid

import psycopg
import pytest

from .world import World


def test_a_batch_counts_its_duplicates(world: World):
    counted = world.enlist("a", "b", "a")

    assert counted == {"enlisted": 2, "duplicates": 1}


def test_of_duplicates_the_first_stays(world: World):
    world.db.execute(
        """select enlist_v1(array['{"input": 1, "input_key": "a", "custom_id": "first"}',
             '{"input": 2, "input_key": "a", "custom_id": "second"}']::jsonb[], %s, 'article', 'gemini-text')""",
        [world.batch_id],
    )

    assert world.one("select custom_id from items") == "first"


def test_a_repeated_call_adds_nothing(world: World):
    world.enlist("a", "b")

    assert world.enlist("a", "b") == {"enlisted": 0, "duplicates": 2}


def test_two_batches_may_hold_the_same_input(world: World):
    world.enlist("a")

    assert world.enlist("a", batch=world.batch()) == {"enlisted": 1, "duplicates": 0}


def test_a_source_row_is_enlisted_once_per_function(world: World):
    world.enlist("a", source_key="news_urls:1")

    assert world.enlist("b", source_key="news_urls:1", batch=world.batch())["enlisted"] == 0


def test_a_cancelled_source_row_can_come_again(world: World):
    item = world.item("a", source_key="news_urls:1")
    world.db.execute("update batches set state = 'cancelled'")
    world.claim(item)

    assert world.enlist("a", source_key="news_urls:1", batch=world.batch())["enlisted"] == 1


def test_an_unknown_quota_is_refused(world: World):
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        world.enlist("a", quota="nothing")


def test_an_unknown_batch_is_refused(world: World):
    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        world.enlist("a", batch=uuid.uuid4())


@pytest.mark.parametrize(
    "state", ["cancelling", "cancelled", "expiring", "expired", "completed", "completed_with_errors"]
)
def test_a_batch_that_was_stopped_or_has_ended_takes_nothing(world: World, state: str):
    assert world.enlist("a", batch=world.batch(state)) == {"enlisted": 0, "duplicates": 0}
    assert world.one("select count(*) from items") == 0


def test_enlisting_tells_the_sweep_that_a_fan_out_is_at_work(world: World):
    world.enlist("a")

    assert world.one("select fanned_at is not null from batches")


def test_items_keep_the_order_they_came_in(world: World):
    world.enlist("c", "a", "d", "b")

    rows = world.rows("select input_key from items order by id")

    assert [row["input_key"] for row in rows] == ["c", "a", "d", "b"]


def test_chunks_with_the_same_inputs_in_opposite_order_do_not_block_each_other(world: World):
    keys = [f"k{number:03}" for number in range(200)]
    worlds = [world.beside(), world.beside()]
    start = threading.Barrier(2)
    failures: list[Exception] = []

    def enlist(own: World, order: list[str]) -> None:
        try:
            for batch in batches:
                start.wait(30)
                own.enlist(*order, batch=batch)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test shows it
            failures.append(error)
            start.abort()

    batches = [world.batch() for _ in range(10)]
    threads = [
        threading.Thread(target=enlist, args=(worlds[0], keys)),
        threading.Thread(target=enlist, args=(worlds[1], keys[::-1])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failures == []
    assert world.one("select count(*) from items") == 10 * len(keys)


def test_marking_notes_when_the_task_was_made(world: World):
    items = world.items(2)

    marked = world.one("select mark_queued_v1(%s)", items)

    assert marked == 2
    assert all(world.state(item)["queued_at"] for item in items)


def test_an_item_is_marked_once(world: World):
    item = world.item()
    world.one("select mark_queued_v1(%s)", [item])

    assert world.one("select mark_queued_v1(%s)", [item]) == 0


def test_a_task_that_was_claimed_before_its_mark_is_left_alone(world: World):
    item = world.item()
    claim = world.run(item)

    assert world.one("select mark_queued_v1(%s)", [item]) == 0
    assert world.state(item)["holder"] == claim["holder"]


def test_an_item_that_was_sent_back_keeps_its_time(world: World):
    item = world.item()
    world.finish(item, "deferred", rest_seconds=600)

    world.one("select mark_queued_v1(%s)", [item])

    assert world.state(item)["queued_in"] == pytest.approx(600, abs=20)


def test_marking_nothing_is_allowed(world: World):
    assert world.one("select mark_queued_v1(array[]::uuid[])") == 0
    assert world.one("select mark_queued_v1(%s)", [uuid.uuid4()]) == 0


def test_limits_that_change_leave_the_pace_as_it_is(world: World):
    world.quota("slow", requests_per_minute=6)
    world.item("x", quota="slow")
    world.run(world.item("y", quota="slow"), quota_name="slow")

    world.quota("slow", requests_per_minute=12)

    (after,) = world.rows(
        "select requests_per_minute, request_slot > clock_timestamp() as paced from quotas where name = 'slow'"
    )
    assert after == {"requests_per_minute": 12, "paced": True}
