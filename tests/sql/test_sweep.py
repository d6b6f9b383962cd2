"""Whatever was lost on the way is found again, and nothing else is touched."""

import uuid
from itertools import chain
from typing import Any

import pytest

from .world import QUOTA, World

QUIET = 120
PATIENCE = 600


def sweep(world: World, most: int = 1000, empty: tuple[str, ...] = ()) -> list[uuid.UUID]:
    return [row["item_id"] for row in world.listed("sweep_v1(%s, %s)", most, list(empty))]


def queued(world: World, count: int = 1, **more: Any) -> list[uuid.UUID]:
    items = world.items(count, **more)
    world.one("select mark_queued_v1(%s)", items)
    return items


def test_items_whose_fan_out_died_are_found(world: World):
    items = world.items(2)
    world.pass_time(QUIET + 1)

    assert sorted(sweep(world)) == sorted(items)


def test_it_tells_where_each_item_belongs(world: World):
    item = world.item()
    world.pass_time(QUIET + 1)

    (row,) = world.listed("sweep_v1(10)")

    assert row == {"item_id": item, "function": "article", "quota": QUOTA}


def test_a_fan_out_at_work_is_left_alone(world: World):
    items = world.items(4)
    world.pass_time(QUIET + 1)
    world.one("select mark_queued_v1(%s)", items[:1])

    assert sweep(world) == []


@pytest.mark.parametrize(("source", "found"), [("items", 0), ("backlog", 1)])
def test_items_of_a_batch_that_is_being_filled_are_found_in_a_backlog_alone(world: World, source: str, found: int):
    """An upload that is not complete may still be refused; each row of a backlog stands for itself."""
    items = world.items(1, batch=world.batch("accepting", source=source))
    world.pass_time(QUIET + 1)

    assert sweep(world) == items[:found]


@pytest.mark.parametrize("priority", ["normal", "low"])
@pytest.mark.parametrize("state", ["completed", "completed_with_errors"])
def test_items_in_a_batch_that_was_taken_for_ended_are_found(world: World, state: str, priority: str):
    items = world.items(2)
    world.db.execute("update batches set state = %s, priority = %s, finished_at = now()", [state, priority])
    world.pass_time(86400)

    assert sorted(sweep(world)) == sorted(items)


def test_lost_items_are_found_in_every_batch(world: World):
    items = [world.item(batch=world.batch()) for _ in range(5)]
    world.pass_time(QUIET + 1)
    world.items(1, batch=world.batch())

    assert sorted(sweep(world)) == sorted(items)


def test_items_of_a_cancelled_batch_get_no_task(world: World):
    world.items(1)
    world.db.execute("update batches set state = 'cancelled'")
    world.pass_time(QUIET + 1)

    assert sweep(world) == []


def test_young_items_are_left_alone(world: World):
    world.items(1)
    queued(world)
    world.run(world.item())

    assert sweep(world, empty=(QUOTA,)) == []


def test_a_task_that_is_far_too_late_is_replaced(world: World):
    items = queued(world)
    world.pass_time(PATIENCE - 60)
    early = sweep(world)
    world.pass_time(120)

    assert (early, sweep(world)) == ([], items)


def test_a_queue_gets_twice_the_time_it_needs_to_drain(world: World):
    world.quota("slow", requests_per_minute=1)
    items = queued(world, 10, quota="slow")
    world.pass_time(19 * 60)
    early = sweep(world)
    world.pass_time(2 * 60)

    assert (early, sorted(sweep(world))) == ([], sorted(items))


def test_in_an_empty_queue_every_waiting_task_is_lost(world: World):
    items = queued(world)
    world.pass_time(QUIET + 1)

    assert sweep(world, empty=(QUOTA,)) == items


def test_an_empty_queue_says_nothing_of_another(world: World):
    world.quota("other")
    queued(world)
    world.pass_time(QUIET + 1)

    assert sweep(world, empty=("other",)) == []


def test_what_was_sent_back_for_later_is_not_lost(world: World):
    world.finish(world.item(), "deferred", rest_seconds=3600)
    world.pass_time(PATIENCE + 60)

    assert sweep(world, empty=(QUOTA,)) == []


def test_an_item_whose_holder_died_is_found(world: World):
    item = world.item()
    world.run(item, lease_seconds=90)
    world.pass_time(90 + QUIET + 1)

    found = sweep(world)

    state = world.state(item)
    assert found == [item]
    assert (state["state"], state["holder"], state["leased_until"], state["attempts"]) == ("waiting", None, None, 1)


def test_a_lease_that_ended_just_now_is_left_to_the_queue(world: World):
    world.run(world.item(), lease_seconds=90)
    world.pass_time(95)

    assert sweep(world) == []


@pytest.mark.parametrize("outcome", ["done", "skipped", "dead"])
def test_final_items_are_never_found(world: World, outcome: str):
    world.finish(world.item(), outcome)
    world.pass_time(86400)

    assert sweep(world, empty=(QUOTA,)) == []


def test_a_repeated_sweep_finds_nothing_more(world: World):
    world.items(1)
    queued(world)
    world.run(world.item())
    world.pass_time(86400)

    assert (len(sweep(world)), sweep(world, empty=(QUOTA,))) == (3, [])


def test_what_a_sweep_found_and_lost_is_found_again(world: World):
    items = world.items(1)
    world.pass_time(QUIET + 1)
    sweep(world)
    world.pass_time(PATIENCE + 1)

    assert sweep(world) == items


def test_a_sweep_takes_no_more_than_asked_and_the_next_goes_on(world: World):
    items = [*world.items(5), *queued(world, 5)]
    world.pass_time(86400)

    found = [sweep(world, most=4), sweep(world, most=4), sweep(world, most=4)]

    assert [len(some) for some in found] == [4, 4, 2]
    assert sorted(chain(*found)) == sorted(items)


def test_marking_what_a_sweep_found_keeps_the_sweep_going(world: World):
    world.items(4)
    world.pass_time(QUIET + 1)
    world.one("select mark_queued_v1(%s)", sweep(world, most=2))

    assert len(sweep(world)) == 2


def test_an_item_that_is_being_claimed_is_passed_over(world: World):
    item = world.item()
    world.pass_time(QUIET + 1)
    other = world.beside()

    with other.db.transaction():
        other.run(item)
        found = sweep(world)

    assert found == []


def test_an_upstream_that_nobody_asked_for_an_hour_is_forgotten(world: World):
    world.db.execute(
        """insert into breakers (name, state, window_ends)
           values ('domain:a.test', 'open', now()), ('domain:b.test', 'open', now())"""
    )
    world.pass_time(3601)
    world.db.execute("update breakers set rests_until = now() where name = 'domain:b.test'")

    sweep(world)

    assert [row["name"] for row in world.rows("select name from breakers")] == ["domain:b.test"]
