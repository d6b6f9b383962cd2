"""How the engine is, for probes, people and Prometheus."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from functions.api.monitoring import Monitoring
from shared.errors import StoreDown
from shared.queue import Queue
from shared.store import Store
from tests.api.test_submitting import is_problem
from tests.engine.here import manifests_of, settings_of
from tests.engine.running import free_port


@pytest.fixture
async def monitoring(environment, project, database, queue):
    settings = settings_of(environment)
    store = Store.of(settings)
    yield Monitoring(store, Queue(settings), manifests_of(project))
    await store.aclose()


def values(text):
    """{(metric, the labels' values by their names): value}"""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize("path", ["/live", "/ready", "/health", "/metrics"])
def test_monitoring_needs_no_key(caller_of, path):
    assert caller_of.nobody().get(path).status_code == 200


def test_a_process_that_runs_is_live_whatever_else_is_down(api, door):
    door.cut()

    assert api.get("/live").json()["status"] == "live"


def test_with_the_database_down_it_is_not_ready(api, door):
    door.cut()

    is_problem(api.get("/ready"), 503)


async def test_metrics_are_not_made_up_while_the_database_is_down(monitoring, door):
    door.cut()

    with pytest.raises(StoreDown):
        await monitoring.metrics()


def test_health_names_the_database_that_is_down(api, door, environment):
    door.cut()

    answer = api.get("/health")

    assert answer.status_code == 503
    report = answer.json()
    assert report["status"] == "down"
    assert report["checks"]["database"]["state"] == "down"
    assert environment["SUPABASE_URL"] in report["checks"]["database"]["detail"]


async def test_health_is_ok_when_nothing_rests(monitoring, queue):
    for name in ("probe", "narrow", "gemini-text"):
        queue.deliver(name)

    report = await monitoring.health()

    assert report["status"] == "ok"
    assert {quota["name"] for quota in report["checks"]["quotas"]} == {"probe", "narrow", "gemini-text"}
    assert {state["state"] for state in report["checks"]["queues"].values()} == {"running"}


async def test_health_is_degraded_while_a_quota_rests_and_says_why(monitoring, queue, database):
    for name in ("probe", "narrow", "gemini-text"):
        queue.deliver(name)
    database.execute(
        "update quotas set rests_until = now() + '1 hour', rest_reason = 'daily_quota' where name = 'probe'"
    )

    report = await monitoring.health()

    (probe,) = [quota for quota in report["checks"]["quotas"] if quota["name"] == "probe"]
    assert report["status"] == "degraded"
    assert probe["rest_reason"] == "daily_quota"
    assert 3500 < probe["rests_seconds"] <= 3600


async def test_health_is_degraded_when_a_queue_is_paused(monitoring):
    report = await monitoring.health()

    assert report["status"] == "degraded"
    assert report["checks"]["queues"]["probe"] == {"state": "paused"}


async def test_health_tells_of_a_queue_out_of_reach(environment, project, database):
    settings = settings_of(environment, tasks_endpoint=f"http://127.0.0.1:{free_port()}")
    store = Store.of(settings)

    report = await Monitoring(store, Queue(settings), manifests_of(project)).health()

    assert report["status"] == "degraded"
    assert report["checks"]["queues"]["probe"]["state"] == "unreachable"
    await store.aclose()


async def test_health_lists_the_open_breakers(monitoring, database):
    database.execute(
        "insert into breakers (name, state, failures, window_ends, rests_until, reason) values "
        "('domain:ill.test', 'open', 5, now() + '1 minute', now() + '1 minute', 'answered 500')"
    )

    (breaker,) = (await monitoring.health())["checks"]["breakers"]

    assert (breaker["name"], breaker["state"], breaker["reason"]) == ("domain:ill.test", "open", "answered 500")


async def test_metrics_count_what_the_database_knows(monitoring, database, deployed, enlist):
    probe = deployed("probe")
    for do in ("done", "done", "skip", "reject", "defer"):
        probe.deliver(enlist(do=do, n=len(database.execute("select 1 from items").fetchall())))

    read = values(await monitoring.metrics())

    assert read["piecework_items", "probe", "done"] == 2
    assert read["piecework_items", "probe", "waiting"] == 1
    assert read["piecework_item_reasons", "probe", "hopeless", "dead"] == 1
    assert read["piecework_attempts_total", "probe"] == 4
    assert read["piecework_quota_waiting", "probe"] == 1
    assert read["piecework_quota_requests_per_minute", "narrow"] == 60


async def test_metrics_are_read_from_the_database_every_few_seconds_at_most(monitoring, door):
    await monitoring.metrics()
    await monitoring.metrics()

    assert door.calls["metrics_v1"] == 1


def test_metrics_are_prometheus_text(api):
    answer = api.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert {family.name for family in text_string_to_metric_families(answer.text)} >= {
        "piecework_items", "piecework_attempts", "piecework_quota_running", "piecework_breaker_open",
    }  # fmt: skip
