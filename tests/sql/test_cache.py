"""Work that was paid for is not paid for again: items alike (same function and input) share one result."""

import pytest

from .world import World, ended, paid


@pytest.fixture
def twins(world: World):
    return world.item("same"), world.item("same", batch=world.batch())


def test_of_items_alike_one_runs_and_the_other_rests(world: World, twins):
    first, second = twins
    world.run(first)

    (claim,) = world.claim(second)

    assert (claim["decision"], claim["reason"]) == ("rest", "twin_running")
    assert 0 < claim["wait"] <= 10
    assert world.state(second)["attempts"] == 0


def test_of_items_alike_in_one_group_one_runs(world: World, twins):
    claims = world.claim(*twins)

    assert [claim["decision"] for claim in claims] == ["run", "rest"]


def test_the_one_that_rested_takes_the_result_for_free(world: World, twins):
    first, second = twins
    world.finish(first, **paid())

    (claim,) = world.claim(second)

    state = world.state(second)
    assert (claim["decision"], state["state"], state["reason"]) == ("cached", "done", "cached")
    assert (state["result_id"], state["attempts"], state["tokens_in"], state["cost_usd"]) == (first, 0, 0, 0)
    assert state["finished_at"] is not None


def test_both_twins_take_the_result_in_one_group(world: World, twins):
    world.finish(world.item("same", batch=world.batch()))

    assert [claim["decision"] for claim in world.claim(*twins)] == ["cached", "cached"]


def test_a_twin_that_died_does_not_hold_the_other_back(world: World, twins):
    first, second = twins
    world.run(first)
    world.pass_time(200)

    assert world.run(second)["attempt"] == 1


def test_a_twin_that_failed_leaves_the_turn_to_the_other(world: World, twins):
    first, second = twins
    world.finish(first, "failed")

    assert world.run(second)["attempt"] == 1


def test_a_result_of_another_variant_does_not_count(world: World, twins):
    first, second = twins
    world.finish(first)

    assert world.run(second, variant="2/m")["decision"] == "run"


def test_a_result_that_is_too_old_does_not_count(world: World, twins):
    first, second = twins
    world.finish(first)
    world.pass_time(1001)

    assert world.run(second, cache_seconds=1000)["decision"] == "run"


def test_using_a_result_does_not_make_it_younger(world: World, twins):
    first, second = twins
    world.finish(first)
    world.pass_time(900)
    world.claim(second, cache_seconds=1000)
    world.pass_time(200)

    assert world.run(world.item("same", batch=world.batch()), cache_seconds=1000)["decision"] == "run"


def test_a_fresh_item_is_worked_on_anew(world: World):
    world.finish(world.item("same"))
    fresh = world.item("same", batch=world.batch(), fresh=True)

    claim = world.run(fresh)

    assert claim["validators"] is None


def test_a_skipped_item_is_no_result(world: World, twins):
    first, second = twins
    world.finish(first, "skipped")

    assert world.run(second)["decision"] == "run"


def test_an_old_result_hands_its_validators_on(world: World, twins):
    first, second = twins
    world.finish(first, validators={"etag": "x"})
    world.pass_time(1001)

    claim = world.run(second, cache_seconds=1000)

    assert claim["validators"] == {"etag": "x", "result_id": str(first)}


def test_what_has_not_changed_keeps_the_earlier_result(world: World, twins):
    first, second = twins
    world.finish(first, validators={"etag": "x"})
    world.pass_time(1001)
    claim = world.run(second, cache_seconds=1000)

    world.keep(ended(claim, unchanged=first, result=None, reason="unchanged", validators={"etag": "x"}))

    state = world.state(second)
    assert (state["state"], state["result_id"], state["reason"]) == ("done", first, "unchanged")
    assert world.one("select count(*) from article_summaries") == 1


def test_a_chain_of_unchanged_results_points_at_the_row(world: World, twins):
    first, second = twins
    world.finish(first)
    world.claim(second)
    third = world.item("same", batch=world.batch())

    world.claim(third)

    assert world.state(third)["result_id"] == first


def test_a_cached_result_forgets_the_error_of_an_earlier_attempt(world: World, twins):
    first, second = twins
    world.finish(first, "failed", error="no luck")
    world.finish(second)

    world.claim(first)

    assert world.state(first)["error"] is None
