"""How far is a batch, what came out, how is the engine."""

from typing import Any

import pytest

from .world import QUOTA, World, ended, paid


def progress(world: World, *batches: Any) -> list[dict[str, Any]]:
    return world.rows("select * from batch_progress_v1(%s)", list(batches or [world.batch_id]))


def results(world: World, after: Any = None, most: int = 100, states: list[str] | None = None) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = world.one(
        "select batch_results_v1(%s, 'article_summaries', %s, %s, %s)", world.batch_id, after, most, states
    )
    return found


@pytest.fixture
def mixed(world: World):
    """A batch with one item in each state, and two more that wait."""
    done, cached, skipped, dead, running, cancelled, *_ = world.items(8)
    world.finish(done, **paid(100, 10, 0.001))
    world.finish(skipped, "skipped", reason="paywall")
    world.finish(dead, "dead", reason="bad_input", error="url: missing")
    world.run(running)
    world.db.execute("update items set state = 'done', result_id = %s where id = %s", [done, cached])
    world.db.execute("update items set state = 'cancelled' where id = %s", [cancelled])
    return world


def test_progress_counts_each_state(mixed: World):
    (row,) = progress(mixed)

    counted = {
        name: row[name] for name in ("total", "waiting", "running", "done", "skipped", "dead", "cancelled", "cached")
    }
    assert counted == {
        "total": 8, "waiting": 2, "running": 1, "done": 2, "skipped": 1, "dead": 1, "cancelled": 1, "cached": 1,
    }  # fmt: skip
    assert (row["tokens_in"], row["tokens_out"], float(row["cost_usd"])) == (100, 10, 0.001)


def test_progress_of_an_empty_batch_is_all_zero(world: World):
    (row,) = progress(world)

    assert (row["total"], row["waiting"], row["tokens_in"], row["finished_at"]) == (0, 0, 0, None)


def test_progress_of_several_batches_is_kept_apart(world: World):
    other = world.batch()
    world.items(2)
    world.items(3, batch=other)

    found = {row["batch_id"]: row["total"] for row in progress(world, world.batch_id, other)}

    assert found == {world.batch_id: 2, other: 3}


def test_progress_knows_the_last_minute(world: World):
    world.finish(world.item())
    world.pass_time(61)
    world.finish(world.item())

    assert progress(world)[0]["last_minute"] == 1


def test_results_come_in_pages_that_fit_together(mixed: World):
    first = results(mixed, most=5)
    second = results(mixed, after=first[-1]["item_id"], most=5)

    together = [row["item_id"] for row in first + second]
    assert (len(first), len(second)) == (5, 3)
    assert together == sorted(together) == [row["item_id"] for row in results(mixed)]


def test_results_can_be_asked_for_by_state(mixed: World):
    found = results(mixed, states=["skipped", "dead"])

    assert {(row["state"], row["reason"], row["error"]) for row in found} == {
        ("skipped", "paywall", None),
        ("dead", "bad_input", "url: missing"),
    }


def test_a_cached_item_shows_the_row_of_the_earlier_one(mixed: World):
    own, cached = sorted(results(mixed, states=["done"]), key=lambda row: row["cached"])

    assert (own["cached"], cached["cached"]) == (False, True)
    assert cached["result"]["item_id"] == own["item_id"]
    assert cached["result"]["title"] == "The bridge"


def test_an_item_without_a_row_has_no_result(mixed: World):
    assert all(row["result"] is None for row in results(mixed, states=["waiting", "running", "dead"]))


def test_health_counts_what_waits_and_runs(mixed: World):
    (row,) = mixed.rows("select * from health_v1()")

    assert (row["quota"], row["waiting"], row["running"], row["rests_seconds"]) == (QUOTA, 2, 1, 0)


def test_health_tells_that_a_quota_rests_and_why(world: World):
    world.finish(world.item(), "overloaded", reason="rate_limited", rest_seconds=600)

    (row,) = world.rows("select * from health_v1()")

    assert (row["rests_seconds"], row["rest_reason"]) == (pytest.approx(600, abs=20), "rate_limited")


def test_health_tells_the_age_of_the_oldest_task(world: World):
    world.one("select mark_queued_v1(%s)", world.items(1))
    world.pass_time(500)
    world.one("select mark_queued_v1(%s)", world.items(1))

    (row,) = world.rows("select * from health_v1()")

    assert row["oldest_seconds"] == pytest.approx(500, abs=20)


def test_breakers_are_listed_while_they_matter(world: World):
    claims = world.claim(*world.items(2))
    world.keep(ended(claims[0], "failed", upstreams={"domain:a.test": False}, reason="http_500", error="no answer"))
    now = world.rows("select name, state, failures, reason from breakers_v1()")
    world.pass_time(301)

    assert now == [{"name": "domain:a.test", "state": "closed", "failures": 1, "reason": "http_500"}]
    assert world.rows("select * from breakers_v1()") == []


def test_metrics_count_items_reasons_and_costs(mixed: World):
    rows = mixed.listed("metrics_v1()")

    found = {(row["metric"], *sorted(row["labels"].items())[1:]): row["value"] for row in rows}
    assert {row["labels"]["function"] for row in rows} == {"article"}
    assert found["items", ("state", "done")] == 2
    assert found["items", ("state", "waiting")] == 2
    assert found["reasons", ("reason", "paywall"), ("state", "skipped")] == 1
    assert [found[(name,)] for name in ("attempts", "tokens_in", "cost_usd")] == [3, 100, 0.001]


def test_a_count_of_attempts_never_falls_also_where_they_are_given_back(mixed: World):
    def counted() -> list[float]:
        return [row["value"] for row in mixed.listed("metrics_v1()") if row["metric"] == "attempts"]

    before = counted()

    mixed.rows("select * from replay_dead_v1(null, 'replay')")

    assert counted() == before == [3]


def test_metrics_of_nothing_are_empty(world: World):
    assert world.listed("metrics_v1()") == []


def test_a_backlog_is_what_was_never_enlisted(world: World):
    world.db.execute("insert into news_urls (url, active) values ('a', true), ('b', true), ('c', false)")
    first = world.one("select source_key from article_backlog order by source_id limit 1")
    world.enlist("a", source_key=first)

    assert [row["input"] for row in world.rows("select input from article_backlog")] == [{"url": "b"}]


def test_a_backlog_is_counted_no_further_than_asked(world: World):
    world.db.execute("insert into news_urls (url) select 'u' || n from generate_series(1, 5) n")

    counted = [world.one("select backlog_count_v1('article_backlog', %s)", most) for most in (3, 100)]

    assert counted == [3, 5]
