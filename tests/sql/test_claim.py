"""May this item run now? What is known of the item by itself."""

import uuid

import psycopg
import pytest

from .world import World, ended


def test_running_takes_a_lease_and_counts_an_attempt(world: World):
    item = world.item()

    claim = world.run(item, lease_seconds=90)

    state = world.state(item)
    assert (state["state"], state["attempts"], state["holder"]) == ("running", 1, claim["holder"])
    assert state["lease"] == pytest.approx(90, abs=20)
    assert claim["input"] == {"url": state["input_key"]}


def test_claims_are_answered_in_their_order(world: World):
    items = world.items(20)

    claims = world.claim(*items[::-1])

    assert [claim["item_id"] for claim in claims] == items[::-1]


def test_an_unknown_item_is_said_to_be_unknown(world: World):
    (claim,) = world.claim(uuid.uuid4())

    assert (claim["decision"], claim["input"]) == ("unknown", None)


@pytest.mark.parametrize("outcome", ["done", "skipped", "dead"])
def test_a_final_item_is_done(world: World, outcome: str):
    item = world.item()
    world.finish(item, outcome)

    (claim,) = world.claim(item)

    assert (claim["decision"], claim["reason"]) == ("done", outcome)
    assert world.state(item)["attempts"] == 1


def test_an_item_of_a_cancelled_batch_is_closed(world: World):
    item = world.item()
    world.db.execute("update batches set state = 'cancelled'")

    (claim,) = world.claim(item)

    state = world.state(item)
    assert (claim["decision"], state["state"], state["attempts"]) == ("cancelled", "cancelled", 0)
    assert state["finished_at"] is not None


def test_a_second_delivery_rests_until_the_lease_ends(world: World):
    item = world.item()
    first = world.run(item, lease_seconds=90)

    (claim,) = world.claim(item)

    assert (claim["decision"], claim["reason"]) == ("rest", "leased")
    assert claim["wait"] == pytest.approx(90, abs=20)
    assert world.state(item)["holder"] == first["holder"]


def test_of_two_deliveries_in_one_group_one_runs_and_holds_the_lease(world: World):
    item = world.item()

    claims = world.claim(item, item)

    running = [claim for claim in claims if claim["decision"] == "run"]
    assert sorted(claim["decision"] for claim in claims) == ["rest", "run"]
    state = world.state(item)
    assert (state["state"], state["holder"], state["attempts"]) == ("running", running[0]["holder"], 1)


def test_a_duplicate_delivery_in_the_group_does_not_stop_a_renewal(world: World):
    item = world.item()
    first = world.run(item)

    claims = world.claim(item, (item, first["holder"]))

    assert [claim["decision"] for claim in claims] == ["rest", "run"]
    assert world.state(item)["holder"] == first["holder"]


def test_an_expired_lease_is_taken_over(world: World):
    item = world.item()
    world.run(item, lease_seconds=90)
    world.pass_time(91)

    second = world.run(item)

    state = world.state(item)
    assert (state["holder"], state["attempts"]) == (second["holder"], 2)


def test_attempts_that_died_silently_count(world: World):
    item = world.item()
    for _ in range(3):
        world.run(item, max_attempts=3)
        world.pass_time(200)

    (claim,) = world.claim(item, max_attempts=3)

    state = world.state(item)
    assert (claim["decision"], state["state"], state["reason"]) == ("dead", "dead", "attempts_exhausted")
    assert state["finished_at"] is not None


def test_a_holder_that_claims_again_renews_without_an_attempt(world: World):
    world.quota(requests_per_minute=60)
    item = world.item()
    first = world.run(item)

    (again,) = world.claim((item, first["holder"]))

    assert (again["decision"], world.state(item)["attempts"]) == ("run", 1)
    assert again["wait"] > first["wait"]


def test_a_renewal_after_the_lease_goes_before_a_new_delivery(world: World):
    item = world.item()
    first = world.run(item)
    world.pass_time(200)

    claims = world.claim(item, (item, first["holder"]))

    assert [claim["decision"] for claim in claims] == ["rest", "run"]
    assert world.state(item)["attempts"] == 1


def test_a_renewal_extends_the_lease(world: World):
    item = world.item()
    first = world.run(item, lease_seconds=90)
    world.pass_time(60)

    world.claim((item, first["holder"]), lease_seconds=90)

    assert world.state(item)["lease"] == pytest.approx(90, abs=20)


def test_a_renewal_on_the_last_attempt_is_not_an_exhausted_one(world: World):
    item = world.item()
    first = world.run(item, max_attempts=1)

    (again,) = world.claim((item, first["holder"]), max_attempts=1)

    assert again["decision"] == "run"


def test_a_renewal_that_must_rest_gives_its_lease_and_its_attempt_back(world: World):
    item = world.item()
    first = world.run(item)
    world.finish(world.item(), "overloaded", rest_seconds=60)

    (again,) = world.claim((item, first["holder"]))

    state = world.state(item)
    assert again["decision"] == "rest"
    assert (state["state"], state["attempts"], state["holder"], state["leased_until"]) == ("waiting", 0, None, None)


def test_what_comes_too_early_is_sent_back_to_its_time(world: World):
    item = world.item()
    world.finish(item, "deferred", rest_seconds=600)

    (claim,) = world.claim(item)

    assert (claim["decision"], claim["reason"]) == ("rest", "too_early")
    assert claim["wait"] == pytest.approx(600, abs=20)


def test_what_was_sent_back_runs_when_its_time_has_come(world: World):
    item = world.item()
    world.finish(item, "deferred", rest_seconds=600, memo={"step": 2})
    world.pass_time(601)

    claim = world.run(item)

    assert (claim["memo"], claim["attempt"]) == ({"step": 2}, 1)


def test_a_resting_quota_sends_back_with_its_reason_and_spends_no_attempt(world: World):
    world.finish(world.item(), "overloaded", reason="rate_limited", rest_seconds=60)
    item = world.item()

    (claim,) = world.claim(item)

    assert (claim["decision"], claim["reason"]) == ("rest", "rate_limited")
    assert claim["wait"] == pytest.approx(60, abs=20)
    assert world.state(item)["attempts"] == 0


def test_a_quota_that_has_rested_runs_again(world: World):
    world.finish(world.item(), "overloaded", rest_seconds=60)
    world.pass_time(61)

    assert world.run(world.item())["wait"] == pytest.approx(0, abs=0.1)


def test_a_quota_that_was_never_written_is_named(world: World):
    with pytest.raises(psycopg.Error, match='quota "nothing" is not in the table quotas') as caught:
        world.claim(world.item(), quota_name="nothing")

    assert caught.value.sqlstate == "PW001"


def test_claiming_nothing_answers_nothing(world: World):
    assert world.claim() == []


def test_a_delivery_of_a_finished_item_needs_no_quota(world: World):
    item = world.item()
    world.finish(item)

    (claim,) = world.claim(item, quota_name="nothing")

    assert claim["decision"] == "done"


def test_a_taken_over_item_is_renewed_by_its_new_holder_only(world: World):
    item = world.item()
    first = world.run(item)
    world.pass_time(200)
    second = world.run(item)

    (late,) = world.claim((item, first["holder"]))

    assert (late["decision"], late["reason"]) == ("rest", "leased")
    assert world.state(item)["holder"] == second["holder"]


def test_a_failed_item_may_run_at_once(world: World):
    item = world.item()
    world.keep(ended(world.run(item), "failed"))

    assert world.run(item)["attempt"] == 2
