"""A batch ends once: when its last item has ended, however many end at the same moment."""

import threading
import uuid
from typing import Any

import pytest

from .world import World, ended


def batch(world: World) -> dict[str, Any]:
    (row,) = world.rows("select * from batches where id = %s", world.batch_id)
    return row


def open_new(world: World, **columns: Any) -> uuid.UUID:
    """The world's batch from here on: a new one with these columns."""
    world.batch_id = world.batch()
    for name, value in columns.items():
        world.db.execute(f"update batches set {name} = %s where id = %s", [value, world.batch_id])
    return world.batch_id


@pytest.fixture
def world(world: World) -> World:
    """All its items are in: whatever ends them ends its batch."""
    open_new(world)
    return world


def tend(world: World) -> dict[str, Any]:
    (row,) = world.rows("select * from tend_batches_v1()")
    return row


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        (["done", "skipped"], "completed"),
        (["done", "dead"], "completed_with_errors"),
        (["dead"], "completed_with_errors"),
    ],
)
def test_the_last_item_ends_its_batch(world: World, outcomes: list[str], state: str):
    items = world.items(len(outcomes))
    for item, outcome in zip(items[1:], outcomes[1:], strict=True):
        world.finish(item, outcome)
    before = batch(world)["finished_at"]

    world.finish(items[0], outcomes[0])

    assert before is None
    assert batch(world)["state"] == state
    assert batch(world)["finished_at"] is not None


def test_a_cached_item_can_be_the_last(world: World):
    world.finish(world.item("same"))
    open_new(world)

    world.claim(world.item("same"))

    assert batch(world)["state"] == "completed"


def test_an_item_that_comes_back_later_keeps_its_batch_open(world: World):
    first, second = world.items(2)
    world.finish(first)

    world.finish(second, "deferred", rest_seconds=60)

    assert batch(world)["finished_at"] is None


def test_two_that_end_the_last_two_items_at_once_end_the_batch_once(world: World):
    for _ in range(10):
        open_new(world)
        claims = [world.run(item) for item in world.items(2)]
        together = threading.Barrier(2)

        def keep(claim: dict[str, Any], together: threading.Barrier = together) -> None:
            beside = world.beside()
            together.wait(10)
            beside.keep(ended(claim))

        threads = [threading.Thread(target=keep, args=(claim,)) for claim in claims]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(10)

        assert batch(world)["state"] == "completed"


def test_the_second_of_two_sees_what_the_first_has_not_committed_yet(world: World):
    """The same without luck: the first one's transaction stays open until the second one waits for it."""
    one, two = (world.run(item) for item in world.items(2))
    first, second = world.beside(), world.beside()
    world.db.execute("reset role")  # or it sees nobody wait
    with first.db.transaction():
        first.keep(ended(one))
        late = threading.Thread(target=second.keep, args=(ended(two),))
        late.start()
        while not world.one("select count(*) from pg_stat_activity where wait_event_type = 'Lock'"):
            assert late.is_alive()
        in_between = batch(world)["finished_at"]
    late.join(10)

    assert in_between is None
    assert batch(world)["state"] == "completed"


def test_a_batch_that_is_opened_last_ends_at_once(world: World):
    world.batch_id = world.batch(state="accepting")
    world.finish(world.item())
    before = batch(world)["state"]

    world.one("select open_batch_v1(%s)", world.batch_id)

    assert (before, batch(world)["state"]) == ("accepting", "completed")


def test_a_batch_without_items_ends_when_it_is_opened(world: World):
    world.batch_id = world.batch(state="accepting")

    world.one("select open_batch_v1(%s)", world.batch_id)

    assert batch(world)["state"] == "completed"


def test_far_from_the_end_nobody_locks_the_batch(world: World):
    items = world.items(400)
    claims = world.claim(*items[:2])
    first = world.beside()
    with first.db.transaction():
        first.keep(ended(claims[0]))

        world.db.execute("set lock_timeout = '2s'")
        (kept,) = world.keep(ended(claims[1]))
        world.db.execute("reset lock_timeout")

    assert kept["state"] == "done"


def cancel(world: World, owner: Any = None) -> list[dict[str, Any]]:
    return world.rows("select * from cancel_batch_v1(%s, %s, null)", world.batch_id, owner)


def test_a_cancelled_batch_ends_when_what_runs_has_ended(world: World):
    running, *waiting = world.items(3)
    claim = world.run(running)

    (told,) = cancel(world)

    assert (told["state"], told["cancelled"]) == ("cancelling", 2)
    assert [world.state(item)["state"] for item in waiting] == ["cancelled", "cancelled"]
    world.keep(ended(claim))
    assert (batch(world)["state"], world.state(running)["state"]) == ("cancelled", "done")


def test_to_cancel_twice_is_once(world: World):
    world.items(2)

    told = [(row["state"], row["cancelled"]) for row in (*cancel(world), *cancel(world))]

    assert told == [("cancelled", 2), ("cancelled", 0)]
    assert world.rows("select action, affected from audit where target ->> 'batch_id' = %s", str(world.batch_id)) == [
        {"action": "cancel", "affected": 2}
    ]


def test_an_ended_batch_is_not_cancelled_any_more(world: World):
    world.finish(world.item())

    (told,) = cancel(world)

    assert told["state"] == "completed"


def test_what_goes_back_to_waiting_in_a_cancelled_batch_is_cancelled_by_its_next_claim(world: World):
    item = world.item()
    claim = world.run(item)
    cancel(world)
    world.keep(ended(claim, "failed"))

    (told,) = world.claim(item)

    assert (told["decision"], told["reason"]) == ("cancelled", "cancelled")
    assert batch(world)["state"] == "cancelled"


def test_a_task_that_comes_twice_does_not_cancel_what_runs(world: World):
    item = world.item()
    world.run(item)
    cancel(world)

    (told,) = world.claim(item)

    assert (told["decision"], told["reason"]) == ("rest", "leased")
    assert world.state(item)["state"] == "running"


def test_what_waits_when_the_deadline_passes_is_cancelled_by_the_sweep(world: World):
    running, *waiting = world.items(3)
    claim = world.run(running)
    world.db.execute("update batches set deadline = now() - interval '1 second' where id = %s", [world.batch_id])

    told = tend(world)

    assert (told["expired"], told["cancelled"]) == (1, 2)
    assert {(world.state(item)["state"], world.state(item)["reason"]) for item in waiting} == {("cancelled", "expired")}
    world.keep(ended(claim))
    assert batch(world)["state"] == "expired"


def test_a_claim_holds_the_deadline_to_the_second(world: World):
    item = world.item()
    world.db.execute("update batches set deadline = clock_timestamp() where id = %s", [world.batch_id])

    (told,) = world.claim(item)

    assert (told["decision"], told["reason"]) == ("cancelled", "expired")
    assert batch(world)["state"] == "expired"


def test_a_batch_that_is_done_before_its_deadline_is_completed(world: World):
    world.db.execute("update batches set deadline = now() + interval '1 hour' where id = %s", [world.batch_id])
    world.finish(world.item())
    world.pass_time(7200)
    tend(world)

    assert batch(world)["state"] == "completed"


def test_what_the_cancellation_passed_over_is_cancelled_by_the_sweep(world: World):
    item = world.item()
    world.db.execute("update batches set state = 'cancelled', finished_at = now() where id = %s", [world.batch_id])

    told = tend(world)

    assert (told["cancelled"], world.state(item)["state"]) == (1, "cancelled")


def test_an_end_that_nobody_marked_is_marked_by_the_sweep(world: World):
    item = world.item()
    world.db.execute("update items set state = 'done', finished_at = now() where id = %s", [item])

    assert tend(world)["closed"] == 1
    assert tend(world)["closed"] == 0
    assert batch(world)["state"] == "completed"


def test_a_backlog_order_that_died_is_complete_as_it_is_in_the_end(world: World):
    world.batch_id = world.batch("accepting")
    item = world.item()
    world.pass_time(86400 - 60)
    tend(world)
    young = batch(world)["state"]
    world.pass_time(120)
    tend(world)

    assert (young, batch(world)["state"]) == ("accepting", "open")
    world.finish(item)
    assert batch(world)["state"] == "completed"


@pytest.mark.parametrize(("keyed", "seconds"), [(True, 86400), (False, 600)])
def test_an_upload_that_died_is_cancelled_and_nobody_is_told(world: World, keyed: bool, seconds: int):
    world.batch_id = world.batch("accepting", source="items")
    world.db.execute(
        "update batches set asked_by = id, webhook_url = 'https://receiver.example/', webhook_secret = 'secret', "
        "idempotency_key = case when %s then 'none-of-ours' else 'none-' || id end, deadline = public.moment() "
        "where id = %s",
        [keyed, world.batch_id],
    )
    item = world.item()
    world.pass_time(seconds - 60)
    tend(world)
    young = batch(world)["state"]
    world.pass_time(120)
    tend(world)

    assert (young, batch(world)["state"], world.state(item)["state"]) == ("accepting", "cancelled", "cancelled")
    assert world.rows("select from webhook_backlog") == []


def replay(world: World, **which: Any) -> dict[str, Any]:
    named = ", ".join(f"{name} => %s" for name in which)
    (row,) = world.rows(f"select * from replay_dead_v1(null, 'replay', {named})", *which.values())
    return row


def test_a_replayed_item_has_all_its_attempts_and_its_batch_ends_once_more(world: World):
    item = world.item()
    world.finish(item, "dead", reason="bad_input", model_calls=1, tokens_in=7, cost_usd=0.5)

    told = replay(world, item_id=item)

    state = world.state(item)
    assert (told["affected"], told["touched"]) == (1, [world.batch_id])
    assert (state["state"], state["attempts"], state["reason"], state["queued_at"]) == ("waiting", 0, None, None)
    assert (state["tokens_in"], batch(world)["state"], batch(world)["finished_at"]) == (7, "open", None)
    world.finish(item)
    assert (batch(world)["state"], batch(world)["round"]) == ("completed", 2)


def test_to_replay_twice_is_once(world: World):
    world.finish(world.item(), "dead", reason="bad_input")

    found = [replay(world, batch_id=world.batch_id)["affected"] for _ in range(2)]

    assert found == [1, 0]
    assert world.one("select count(*) from audit where target ->> 'batch_id' = %s", str(world.batch_id)) == 1


def test_dead_items_of_a_stopped_batch_stay_dead(world: World):
    item, _ = world.items(2)
    world.finish(item, "dead", reason="bad_input")
    cancel(world)

    assert replay(world, item_id=item)["affected"] == 0
    assert world.state(item)["state"] == "dead"


def test_a_replay_takes_those_that_fit_and_no_more_than_asked(world: World):
    items = world.items(5)
    for item, reason in zip(items, ["a", "a", "a", "b", "b"], strict=True):
        world.finish(item, "dead", reason=reason)
    world.pass_time(60)

    assert replay(world, reason="a", most=2)["affected"] == 2
    assert replay(world, reason="b", younger_seconds=30)["affected"] == 0
    assert replay(world, domain="elsewhere.test")["affected"] == 0
    assert replay(world, older_seconds=30, function_name="article")["affected"] == 3


def test_low_batches_get_the_room_that_is_left_and_no_more(world: World):
    world.quota("slow", requests_per_minute=6)
    low = open_new(world, priority="low")
    world.items(50, quota="slow")

    def room() -> int:
        return len(world.listed("low_items_v1(300)"))

    empty = room()
    open_new(world)
    normal = world.items(20, quota="slow")
    world.one("select mark_queued_v1(%s)", normal)
    some = room()
    world.one("select mark_queued_v1(%s)", world.items(30, quota="slow"))

    assert (empty, some, room()) == (30, 10, 0)
    assert world.listed("low_items_v1(300)") == []
    assert world.one("select count(*) from items where batch_id = %s and queued_at is null", low) == 50


def test_a_low_batch_is_not_taken_for_one_whose_fan_out_died(world: World):
    open_new(world, priority="low")
    world.items(3)
    world.pass_time(3600)

    assert world.listed("sweep_v1(10)") == []


def test_a_webhook_is_due_once_for_each_end(world: World):
    world.db.execute(
        "update batches set webhook_url = 'https://receiver.test/', webhook_secret = 'secret' where id = %s",
        [world.batch_id],
    )
    item = world.item()

    def due() -> list[str]:
        return [row["source_key"] for row in world.rows("select source_key from webhook_backlog")]

    early = due()
    world.finish(item, "dead", reason="bad_input")
    first = due()
    world.enlist("w", batch=world.batch(function="webhook"), source_key=first[0])
    world.db.execute("update items set function = 'webhook' where input_key = 'w'")
    told = due()
    replay(world, item_id=item)
    world.finish(item)

    assert (early, first, told) == ([], [f"batches:{world.batch_id}:1"], [])
    assert due() == [f"batches:{world.batch_id}:2"]
