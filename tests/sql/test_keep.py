"""What became of an attempt: each outcome, once, whoever tells it and however often."""

import uuid

import psycopg
import pytest

from shared.urls import normalise

from .world import ARTICLE, World, ended, paid


@pytest.fixture
def item(world: World) -> uuid.UUID:
    return world.item()


@pytest.mark.parametrize("outcome", ["done", "skipped", "dead"])
def test_a_final_outcome_closes_the_item(world: World, item, outcome: str):
    kept = world.finish(item, outcome, reason="because", error="in words")

    state = world.state(item)
    assert (kept["accepted"], kept["state"], kept["attempts"]) == (True, outcome, 1)
    assert (state["reason"], state["error"]) == ("because", "in words")
    assert state["finished_at"] is not None
    assert (state["holder"], state["leased_until"], state["not_before"]) == (None, None, None)


def test_a_failed_attempt_is_spent_and_the_item_waits(world: World, item):
    kept = world.finish(item, "failed", reason="timeout", error="too slow")

    state = world.state(item)
    assert (kept["state"], state["attempts"], state["reason"], state["error"]) == ("waiting", 1, "timeout", "too slow")
    assert (state["not_before"], state["finished_at"], state["holder"]) == (None, None, None)
    assert state["queued_in"] == pytest.approx(0, abs=20)


@pytest.mark.parametrize("outcome", ["deferred", "overloaded"])
def test_an_upstream_that_rests_costs_no_attempt(world: World, item, outcome: str):
    kept = world.finish(item, outcome, reason="resting", rest_seconds=600)

    state = world.state(item)
    assert (kept["state"], state["attempts"], state["finished_at"]) == ("waiting", 0, None)
    assert state["rest"] == pytest.approx(600, abs=20)
    assert state["queued_in"] == pytest.approx(600, abs=20)


def test_the_last_failed_attempt_leaves_the_item_dead(world: World, item):
    world.finish(item, "failed")
    claim = world.run(item)

    (kept,) = world.keep(ended(claim, "failed", reason="timeout", error="too slow"), max_attempts=2)

    state = world.state(item)
    assert (kept["state"], state["reason"], state["error"]) == ("dead", "attempts_exhausted", "too slow")
    assert state["finished_at"] is not None


def test_an_item_is_deferred_a_hundred_times_and_no_more(world: World, item):
    world.finish(item, "deferred", reason="domain_rests", rest_seconds=0)
    world.db.execute("update items set deferrals = 100")

    kept = world.finish(item, "deferred", reason="domain_rests", error="too busy", rest_seconds=0)

    state = world.state(item)
    assert (kept["state"], state["reason"], state["error"]) == ("dead", "deferred_too_often", "too busy")
    assert state["finished_at"] is not None


def test_what_waits_because_we_are_busy_may_wait_for_as_long_as_it_takes(world: World, item):
    world.db.execute("update items set deferrals = 100")

    kept = [world.finish(item, "deferred", reason="host_busy", rest_seconds=0, counted=False) for _ in range(3)]

    assert [one["state"] for one in kept] == ["waiting"] * 3
    assert (world.state(item)["deferrals"], world.state(item)["attempts"]) == (100, 0)


def test_a_success_forgets_the_error_before_it(world: World, item):
    world.finish(item, "failed", error="no luck")
    world.finish(item, "done")

    assert world.state(item)["error"] is None


def test_the_memo_grows(world: World, item):
    world.finish(item, "deferred", memo={"found": 1, "step": 1})
    world.finish(item, "deferred", memo={"step": 2})

    assert world.state(item)["memo"] == {"found": 1, "step": 2}


def test_validators_stay_when_none_are_given(world: World, item):
    world.finish(item, "failed", validators={"etag": "x"})
    world.finish(item, "done")

    assert world.state(item)["validators"] == {"etag": "x"}


def test_a_result_becomes_a_row_with_its_defaults(world: World, item):
    world.finish(item)

    (row,) = world.rows("select item_id, title, key_points, cost_usd::float, created_at from article_summaries")
    assert row.pop("created_at") is not None
    assert row == {"item_id": item, "title": "The bridge", "key_points": ["open"], "cost_usd": 0.001}
    assert world.state(item)["result_id"] == item


def test_the_longest_address_has_its_row(world: World, item):
    longest = normalise("http://a.test/" + "一丁七丈" * 500)

    world.finish(item, result=ARTICLE | {"url_key": longest})

    assert len(longest) > 10_000
    assert world.rows("select url_key from article_summaries") == [{"url_key": longest}]


def test_each_attempt_is_written_down(world: World, item):
    world.finish(item, "failed", reason="timeout", **paid(tokens_in=7))
    world.finish(item, "done", **paid(tokens_in=8))

    found = world.rows("select attempt, outcome, reason, model_calls, tokens_in from attempts order by attempt")
    assert [tuple(row.values()) for row in found] == [(1, "failed", "timeout", 1, 7), (2, "done", None, 1, 8)]


def test_costs_add_up_over_attempts(world: World, item):
    world.finish(item, "failed", **paid(100, 10, 0.001))
    world.finish(item, "done", **paid(200, 20, 0.002))

    state = world.state(item)
    assert (state["tokens_in"], state["tokens_out"], float(state["cost_usd"])) == (300, 30, 0.003)


def test_what_is_kept_twice_counts_once(world: World, item):
    result = ended(world.run(item), "failed", upstreams={"domain:daily.test": False}, **paid())
    world.keep(result)

    (again,) = world.keep(result)

    state = world.state(item)
    assert (again["accepted"], again["state"], again["attempts"]) == (False, "waiting", 1)
    assert (state["tokens_in"], world.breaker()["failures"]) == (100, 1)
    assert world.one("select count(*) from attempts") == 1


def test_what_is_told_twice_in_one_group_counts_once(world: World, item):
    result = ended(world.run(item), **paid())

    kept = world.keep(result, result)

    assert [one["accepted"] for one in kept] == [True]
    assert world.state(item)["tokens_in"] == 100


def test_a_late_result_is_taken_when_it_is_the_first(world: World, item):
    late = world.run(item)
    world.pass_time(200)
    world.run(item)

    (kept,) = world.keep(ended(late))

    assert (kept["accepted"], world.state(item)["state"]) == (True, "done")


def test_a_late_result_is_ignored_but_paid_when_another_came_first(world: World, item):
    late = world.run(item)
    world.pass_time(200)
    world.finish(item, **paid(100))

    (kept,) = world.keep(ended(late, result={**ARTICLE, "title": "Late"}, **paid(50)))

    assert (kept["accepted"], kept["state"]) == (False, "done")
    assert world.one("select title from article_summaries") == "The bridge"
    assert world.state(item)["tokens_in"] == 150


def test_a_late_failure_does_not_take_the_lease_from_another(world: World, item):
    late = world.run(item)
    world.pass_time(200)
    second = world.run(item)

    (kept,) = world.keep(ended(late, "failed"))

    state = world.state(item)
    assert (kept["accepted"], state["state"], state["holder"]) == (False, "running", second["holder"])


def test_of_two_ends_in_one_group_the_result_wins(world: World, item):
    late = world.run(item)
    world.pass_time(200)
    second = world.run(item)

    kept = world.keep(ended(second, "failed", **paid(5)), ended(late, "done", **paid(7)))

    accepted = {one["holder"]: one["accepted"] for one in kept}
    assert accepted == {late["holder"]: True, second["holder"]: False}
    assert (world.state(item)["state"], world.state(item)["tokens_in"]) == ("done", 12)


def test_a_final_end_wins_over_a_failure_in_one_group(world: World, item):
    late = world.run(item)
    world.pass_time(200)
    second = world.run(item)

    world.keep(ended(second, "failed"), ended(late, "skipped"))

    assert world.state(item)["state"] == "skipped"


def test_a_cancelled_item_takes_no_result(world: World, item):
    late = world.run(item)
    world.db.execute("update batches set state = 'cancelled'")
    world.pass_time(200)
    world.claim(item)

    (kept,) = world.keep(ended(late))

    assert (kept["accepted"], kept["state"]) == (False, "cancelled")


@pytest.mark.parametrize(
    ("broken", "sqlstate"),
    [({"title": None}, "23502"), ({"tokens_in": "many"}, "22P02"), ({"read_by": "guess"}, "23514")],
)
def test_one_bad_row_leaves_nothing_of_its_group(world: World, broken, sqlstate: str):
    good, bad = world.items(2)
    claims = world.claim(good, bad)

    with pytest.raises(psycopg.Error) as caught:
        world.keep(ended(claims[0]), ended(claims[1], result={**ARTICLE, **broken}))

    assert caught.value.sqlstate == sqlstate
    assert [world.state(item)["state"] for item in (good, bad)] == ["running", "running"]
    assert world.one("select count(*) from attempts") == 0


def test_the_rest_of_the_group_can_be_kept_without_the_bad_row(world: World):
    good, bad = world.items(2)
    claims = world.claim(good, bad)
    with pytest.raises(psycopg.Error):
        world.keep(ended(claims[0]), ended(claims[1], result={**ARTICLE, "title": None}))

    kept = world.keep(ended(claims[0]), ended(claims[1], "dead", reason="row_refused"))

    assert {one["state"] for one in kept} == {"done", "dead"}


def test_an_overloaded_quota_rests_for_all_for_the_longest_time(world: World):
    claims = world.claim(*world.items(3))

    world.keep(
        ended(claims[0], "overloaded", reason="rate_limited", rest_seconds=30),
        ended(claims[1], "overloaded", reason="rate_limited", rest_seconds=300),
        ended(claims[2], "overloaded", reason="rate_limited", rest_seconds=3),
    )

    (claim,) = world.claim(world.item())
    assert (claim["decision"], claim["reason"]) == ("rest", "rate_limited")
    assert claim["wait"] == pytest.approx(300, abs=20)


def test_a_shorter_rest_does_not_shorten_a_longer_one(world: World):
    first, second = world.claim(*world.items(2))
    world.keep(ended(first, "overloaded", reason="daily_quota", rest_seconds=3000))

    world.keep(ended(second, "overloaded", reason="rate_limited", rest_seconds=3))

    (claim,) = world.claim(world.item())
    assert (claim["reason"], claim["wait"]) == ("daily_quota", pytest.approx(3000, abs=20))


def test_a_deferred_item_does_not_rest_the_quota(world: World):
    world.finish(world.item(), "deferred", rest_seconds=600)

    assert world.run(world.item())["decision"] == "run"


def test_keeping_nothing_is_allowed(world: World):
    assert world.keep() == []


def test_an_unknown_item_is_left_out(world: World, item):
    claim = world.run(item)
    stranger = {"item_id": uuid.uuid4(), "holder": uuid.uuid4()}

    kept = world.keep(ended(stranger), ended(claim))

    assert [one["item_id"] for one in kept] == [item]


def test_a_table_that_is_missing_is_named(world: World, item):
    with pytest.raises(psycopg.errors.UndefinedTable, match="nowhere"):
        world.keep(ended(world.run(item)), result_table="nowhere")


def test_what_was_reserved_for_a_call_that_was_never_answered_is_kept_as_an_estimate(world: World, item):
    unknown = paid(tokens_in=1500, tokens_out=0, cost_usd=0.00045)
    world.finish(item, "failed", reason="model_silent", estimated=True, **unknown)
    world.finish(item, "failed", **paid(cost_usd=0.001))

    told = world.one("select item_v1(%s)", item)
    (day,) = world.one("select dashboard_v1('00000000-0000-0000-0000-000000000000', 10) -> 'costs'")
    metrics = [row for row in world.listed("metrics_v1()") if row["metric"].endswith("_usd")]
    assert [(one["tokens_in"], one["estimated"]) for one in told["history"]] == [(1500, True), (100, False)]
    assert (float(told["cost_usd"]), float(told["estimated_usd"])) == (0.00145, 0.00045)
    assert (float(day["cost_usd"]), float(day["estimated_usd"])) == (0.00145, 0.00045)
    assert {row["metric"]: row["value"] for row in metrics} == {"cost_usd": 0.00145, "estimated_usd": 0.00045}
    assert float(world.state(item)["cost_usd"]) == 0.00145


def test_an_estimate_stays_one_when_the_counts_are_folded(world: World, item):
    world.finish(item, "failed", **paid(cost_usd=0.00045), estimated=True)
    world.pass_time(120)

    world.rows("select fold_tallies_v1()")

    assert float(world.one("select sum(estimated_usd) from attempt_tallies")) == 0.00045
