"""How the engine is, for probes, people and Prometheus."""

import asyncio
import bisect
import json
import re
import statistics
from collections import Counter
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from functions.api.batches import Batches
from functions.api.caching import Cache
from functions.api.dashboard import Dashboard, quantile
from functions.api.keys import KeyHolder
from functions.api.monitoring import Monitoring
from functions.api.redis_cache import redis_of
from functions.api.watching import Watching
from shared.errors import StoreDown
from shared.messages import Messages
from shared.queue import Queue
from shared.store import Store
from tests.api.test_submitting import is_problem
from tests.engine.here import manifests_of, settings_of
from tests.engine.running import free_port


@pytest.fixture
async def services(environment, project, database, queue, topic):
    """services(): what the API has, with settings of one's own."""
    stores = []

    def services(**differs):
        settings = settings_of(environment, **differs)
        store = Store.of(settings)
        stores.append(store)
        known, messages, redis = manifests_of(project), Messages(settings), redis_of(settings)
        cache = Cache(redis)
        batches = Batches(store, messages, known, cache)
        return (
            Monitoring(store, Queue(settings), messages, known, redis),
            Watching(store, batches, cache),
        )

    yield services
    for store in stores:
        await store.aclose()


@pytest.fixture
def monitoring(services):
    return services()[0]


@pytest.fixture
def watching(services):
    return services()[1]


DOCS = Path(__file__).parents[2] / "docs" / "monitoring.md"


def values(text):
    """{(metric, the labels' values by their names): value}"""
    return {
        (sample.name, *(value for _, value in sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


@pytest.mark.parametrize("path", ["/live", "/ready", "/health"])
def test_probes_need_no_key(caller_of, path):
    assert caller_of.nobody().get(path).status_code == 200


def test_metrics_are_for_operators_for_they_tell_what_everybody_pays(caller_of, api, operator):
    is_problem(caller_of.nobody().get("/metrics"), 401)
    is_problem(api.get("/metrics"), 403)
    assert operator.get("/metrics").status_code == 200


def test_health_does_not_tell_what_is_used(caller_of):
    quotas = caller_of.nobody().get("/health").json()["checks"]["quotas"]

    assert quotas
    assert not {name for quota in quotas for name in quota if name.endswith("_used")}


def test_a_process_that_runs_is_live_whatever_else_is_down(api, door):
    door.cut()

    assert api.get("/live").json()["status"] == "live"


def test_with_the_database_down_it_is_not_ready(api, door):
    door.cut()

    is_problem(api.get("/ready"), 503)


async def test_metrics_are_not_made_up_while_the_database_is_down(watching, door):
    door.cut()

    with pytest.raises(StoreDown):
        await watching.metrics()


def test_health_names_the_database_that_is_down(api, door, environment):
    door.cut()

    answer = api.get("/health")

    assert answer.status_code == 503
    report = answer.json()
    assert report["status"] == "down"
    assert report["checks"]["database"]["state"] == "down"
    assert environment["SUPABASE_URL"] in report["checks"]["database"]["detail"]


async def test_health_is_ok_when_nothing_rests(monitoring, queue):
    for name in monitoring._known.quotas:
        queue.deliver(name)

    report = await monitoring.health()

    assert report["status"] == "ok"
    assert {quota["name"] for quota in report["checks"]["quotas"]} == set(monitoring._known.quotas)
    assert {state["state"] for state in report["checks"]["queues"].values()} == {"running"}


async def test_health_is_degraded_while_a_quota_rests_and_says_why(monitoring, queue, database):
    for name in monitoring._known.quotas:
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
    assert report["checks"]["queues"]["probe"]["state"] == "paused"


@pytest.mark.parametrize(
    ("setting", "value", "check"),
    [("tasks_endpoint", "http://127.0.0.1:{}", "queues"), ("pubsub_endpoint", "http://127.0.0.1:{}", "topic"),
     ("redis_url", "redis://127.0.0.1:{}", "redis")],
)  # fmt: skip
async def test_health_tells_what_is_out_of_reach_and_how_long_each_took(services, setting, value, check):
    monitoring, _ = services(**{setting: value.format(free_port())})

    report = await monitoring.health()

    found = report["checks"][check]
    assert report["status"] == "degraded"
    assert (found["probe"] if check == "queues" else found)["state"] == "down"
    assert report["checks"]["database"]["state"] == "ok"
    assert report["checks"]["database"]["latency_ms"] > 0


async def test_a_dependency_that_hangs_is_told_of_and_not_waited_for(monitoring, door, monkeypatch):
    monkeypatch.setattr("functions.api.monitoring.SECONDS", 0.2)
    held = door.hold("mark_queued_v1", times=1)

    report = await asyncio.wait_for(monitoring.health(), 10)

    # Nobody waits for it any more: in the database it would stand in the next test's way.
    held.kind = "cut"
    held.open.set()
    assert (report["status"], report["checks"]["database"]["state"]) == ("down", "down")
    assert report["checks"]["database"]["detail"] == "It did not answer within 0.2 s"
    assert report["checks"]["topic"]["state"] == "ok"


async def test_the_model_is_known_by_what_the_last_attempts_met(monitoring, deployed, enlist, database):
    unknown = (await monitoring.health())["checks"]["models"]["probe"]
    database.execute(
        "insert into breakers (name, state, failures, window_ends, rests_until, reason) values "
        "('quota:narrow', 'open', 5, now() + '1 minute', now() + '1 minute', 'answered 503')"
    )
    deployed("probe").deliver(enlist(do="ask"))

    models = (await monitoring.health())["checks"]["models"]

    assert unknown == {"state": "unknown", "answered_seconds": None}
    assert models["probe"]["state"] == "ok"
    assert 0 <= models["probe"]["answered_seconds"] < 60
    assert (models["narrow"]["state"], models["narrow"]["detail"]) == ("ill", "answered 503")


async def test_health_lists_the_open_breakers_of_quotas_and_counts_those_of_domains(monitoring, database):
    database.execute(
        "insert into breakers (name, state, failures, window_ends, rests_until, reason) values "
        "('domain:ill.test', 'open', 5, now() + '1 minute', now() + '1 minute', 'answered 500'), "
        "('quota:narrow', 'open', 5, now() + '1 minute', now() + '1 minute', 'answered 503')"
    )

    checks = (await monitoring.health())["checks"]

    assert [(one["name"], one["state"], one["reason"]) for one in checks["breakers"]] == [
        ("quota:narrow", "open", "answered 503")
    ]
    assert checks["domains_resting"] == 1
    assert "ill.test" not in str(checks)


async def test_metrics_count_what_the_database_knows(watching, database, deployed, enlist):
    probe = deployed("probe")
    for do in ("done", "done", "skip", "reject", "defer"):
        probe.deliver(enlist(do=do, n=len(database.execute("select 1 from items").fetchall())))

    read = values((await watching.metrics()).decode())

    assert read["piecework_items", "probe", "done"] == 2
    assert read["piecework_items", "probe", "waiting"] == 1
    assert read["piecework_item_reasons", "probe", "hopeless", "dead"] == 1
    assert read["piecework_attempts_total", "probe"] == 4
    assert read["piecework_outcomes_total", "probe", "deferred"] == 1
    assert read["piecework_attempt_seconds_count", "probe"] == 5
    assert read["piecework_attempt_seconds_bucket", "probe", "+Inf"] == 5
    assert read["piecework_quota_waiting", "probe"] == 1
    assert read["piecework_quota_requests_per_minute", "narrow"] == 60


async def test_a_histogram_never_falls(watching, deployed, enlist, database):
    for number in range(3):
        deployed("probe").deliver(enlist(do="done", n=number))
    database.execute(
        "update attempt_changes set bucket = bucket + 5 where ctid = (select max(ctid) from attempt_changes)"
    )

    read = values((await watching.metrics()).decode())

    buckets = {float(name[2]): value for name, value in read.items() if name[0] == "piecework_attempt_seconds_bucket"}
    assert [buckets[le] for le in sorted(buckets)] == sorted(buckets.values())
    assert len(buckets) >= 2


async def test_metrics_tell_of_refusals_breakers_and_the_cache(watching, caller_of, database):
    caller = caller_of(tier="default")
    for _ in range(12):
        caller.post({"function": "probe", "items": [{"do": "done"}]})
    database.execute(
        "insert into breakers (name, state, window_ends) values ('quota:narrow', 'open', now() + '1 minute'), "
        "('domain:secret.test', 'open', now() + '1 minute')"
    )

    text = (await watching.metrics()).decode()

    read = values(text)
    assert read["piecework_rate_limit_refusals_total", "submit", "default"] == 2
    assert read["piecework_breaker_open", "quota:narrow", "open"] == 1
    assert read["piecework_domain_breakers", "open"] == 1
    assert read["piecework_cache_requests_total", "hits"] == 0
    assert "secret.test" not in text


async def test_many_scrapes_at_once_are_one_look_into_the_database(watching, door):
    await asyncio.gather(*(watching.metrics() for _ in range(20)))
    await watching.metrics()

    assert door.calls["metrics_v1"] == 1


def test_metrics_are_prometheus_text(operator):
    answer = operator.get("/metrics")

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert {family.name for family in text_string_to_metric_families(answer.text)} >= {
        "piecework_items", "piecework_attempts", "piecework_quota_running", "piecework_breaker_open",
        "piecework_attempt_seconds", "piecework_rate_limit_refusals",
    }  # fmt: skip


# ---- the dashboard


def counted(database):
    return {row["state"]: row["n"] for row in database.execute("select state, count(*) as n from items group by state")}


async def test_the_dashboard_counts_what_the_database_counts_at_every_look(api, services, deployed, database):
    api.submit(*({"do": do, "n": number} for number in range(3) for do in ("done", "skip", "reject")))
    items = [row["id"] for row in database.execute("select id from items").fetchall()]

    for item in items:
        deployed("probe").deliver(item)
        (_, watching) = services()  # a process of its own has nothing kept
        page = json.loads((await watching.dashboard(holder(database))).body)
        states = {state: count for state, count in page["items"]["states"].items() if count}
        assert states == counted(database)
        assert {state: count for state, count in page["batches"][0]["counts"].items() if count} == states
        assert page["dead_letters"]["total"] == states.get("dead", 0)


def holder(database, *, operator=False):
    (row,) = database.execute("select id, name, tier from api_keys limit 1").fetchall()
    return KeyHolder(row["id"], row["name"], row["tier"], operator)


@pytest.fixture
def busy(api, deployed, database):
    """The caller's batch: two done, one dead, one that waits for long."""
    batch = api.submit({"do": "ask", "n": 1}, {"do": "done", "n": 2}, {"do": "reject"}, {"do": "defer"})
    for row in database.execute("select id from items order by id").fetchall():
        deployed("probe").deliver(row["id"])
    return batch


def test_the_dashboard_has_all_the_page_shows(api, busy):
    page = api.get("/v3/monitoring/dashboard").json()

    Dashboard.model_validate(page)
    assert [batch["id"] for batch in page["batches"]] == [busy]
    assert page["batches"][0] == api.get(f"/v3/batches/{busy}").json() | {
        name: page["batches"][0][name] for name in ("rate_per_minute", "eta_seconds")
    }
    assert (len(page["minutes"]), len(page["costs"])) == (60, 14)
    ended = Counter()
    for minute in page["minutes"]:
        ended.update(minute["outcomes"])
    assert ended == {"done": 2, "dead": 1, "deferred": 1}
    assert 0 < max(minute["p50_seconds"] or 0 for minute in page["minutes"]) < 10
    assert page["dead_letters"]["reasons"] == [{"function": "probe", "state": "dead", "reason": "hopeless", "items": 1}]
    assert [letter["batch_id"] for letter in page["dead_letters"]["newest"]] == [busy]
    (probe,) = [quota for quota in page["quotas"] if quota["name"] == "probe"]
    assert (probe["requests_used"], probe["requests_per_minute"], probe["waiting"]) == (1, 30_000, 1)
    assert page["costs"][-1]["cost_usd"] + page["costs"][-2]["cost_usd"] > 0
    assert page["scope"] == "own"


def test_another_customer_sees_none_of_it_and_an_operator_all(caller_of, busy, database):
    database.execute(
        "insert into breakers (name, state, window_ends) values ('domain:secret.test', 'open', now() + '1 minute')"
    )

    foreign = caller_of().get("/v3/monitoring/dashboard").json()
    whole = caller_of(operator=True).get("/v3/monitoring/dashboard").json()

    assert (foreign["batches"], foreign["items"]["total"], foreign["dead_letters"]["newest"]) == ([], 0, [])
    assert (foreign["breakers"], foreign["quotas"][0]["oldest_seconds"]) == ([], None)
    assert all(quota["requests_used"] == quota["waiting"] == 0 for quota in foreign["quotas"])
    assert not any(minute["outcomes"] for minute in foreign["minutes"])
    assert [batch["id"] for batch in whole["batches"]] == [busy]
    assert (whole["scope"], whole["items"]["total"], whole["breakers"][0]["name"]) == ("all", 4, "domain:secret.test")


async def test_a_discarded_dead_letter_leaves_the_dashboard_and_stays_dead(api, busy, database, watching):
    (letter,) = api.get("/v3/monitoring/dashboard").json()["dead_letters"]["newest"]
    database.execute("update items set discarded_at = now() where id = %s", [letter["item_id"]])

    page = json.loads((await watching.dashboard(holder(database))).body)

    assert (page["dead_letters"]["total"], page["dead_letters"]["newest"]) == (0, [])
    assert page["items"]["states"]["dead"] == 1


async def test_many_who_watch_the_same_cost_two_calls(watching, database, door, api):
    owner = holder(database)

    await asyncio.gather(*(watching.dashboard(owner) for _ in range(30)))

    assert (door.calls["dashboard_v1"], door.calls["batches_v1"]) == (1, 1)


def test_the_dashboard_is_not_for_nobody(caller_of):
    is_problem(caller_of.nobody().get("/v3/monitoring/dashboard"), 401)


@pytest.mark.parametrize("share", [0.05, 0.5, 0.95, 0.99])
def test_a_quantile_from_buckets_is_near_the_true_one(share):
    bounds = [0.0, 0.01, 0.015, 0.022, 0.033, 0.047, 0.068, 0.1, 0.15, 0.22, 0.33, 0.47, 0.68, 1.0, 1.5, 2.2, 3.3]
    values = [0.02 * 1.01**number for number in range(500)]
    buckets = Counter(bisect.bisect_right(bounds, value) for value in values)

    found = quantile(share, buckets, bounds)

    assert found == pytest.approx(statistics.quantiles(values, n=100)[round(share * 100) - 1], rel=1 / 6)


def test_of_nothing_there_is_no_quantile():
    assert quantile(0.5, {}, [0.0, 1.0]) is None


def test_beyond_the_last_bound_a_quantile_is_the_bound():
    assert quantile(0.95, {2: 10}, [0.0, 680.0]) == 680.0


def test_the_shape_of_the_dashboard_is_documented_as_it_is():
    (documented,) = re.findall(r"```json\n(.+?)\n```", DOCS.read_text(), re.DOTALL)

    assert json.loads(documented) == Dashboard.model_json_schema()
