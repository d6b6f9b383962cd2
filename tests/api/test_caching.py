"""What was read is not read again for a while; nobody is given another's, or what is not so any more."""

import asyncio
import json

import pytest
from psycopg import sql

from functions.api.caching import FLIGHT_SECONDS, MOST_ENTRY_BYTES, Cache, Kept, Key, Memory, made
from functions.api.redis_cache import Breaker, redis_of
from shared.settings import BadSettings
from tests.api.redis_road import road_to_redis
from tests.api.test_submitting import is_problem
from tests.engine.here import settings_of
from tests.engine.test_clock import Hands
from tests.posters_reach.rows import analysis, as_columns

MINE, OTHERS = Key("batch", "me", "status"), Key("batch", "you", "status")


class Reader:
    """Makes answers, counts how often, and waits for `go` where it is told to."""

    def __init__(self, *, seconds=30.0, body=b"answer"):
        self.reads, self.seconds, self.body = 0, seconds, body
        self.go, self.begun = asyncio.Event(), asyncio.Event()
        self.go.set()

    async def __call__(self):
        self.reads += 1
        self.begun.set()
        read = self.body
        await self.go.wait()
        return made(read, seconds=self.seconds)


async def test_many_who_ask_at_once_cost_one_read():
    cache, reader = Cache(), Reader()
    reader.go.clear()

    asked = [asyncio.create_task(cache.get(MINE, reader)) for _ in range(50)]
    await reader.begun.wait()
    reader.go.set()

    assert {(await one).body for one in asked} == {b"answer"}
    assert reader.reads == 1
    assert (cache.counts.misses, cache.counts.joined) == (1, 49)


async def test_what_was_read_is_given_again_until_its_time_is_over():
    now, reader = [1000.0], Reader()
    cache = Cache(Memory(now=lambda: now[0]))

    async def read():
        await reader()
        return Kept(b"answer", now[0] + 30)

    for seconds, reads in ((0, 1), (29, 1), (2, 2)):
        now[0] += seconds
        await cache.get(MINE, read)
        assert reader.reads == reads


async def test_what_may_not_be_kept_is_read_each_time():
    cache, reader = Cache(), Reader(seconds=0)

    await cache.get(MINE, reader)
    await cache.get(MINE, reader)

    assert reader.reads == 2


async def test_nobody_is_given_what_was_read_for_another():
    cache = Cache()
    await cache.get(MINE, Reader(body=b"mine"))

    assert (await cache.get(OTHERS, Reader(body=b"yours"))).body == b"yours"


async def test_a_failed_read_is_told_to_all_who_wait_and_kept_by_nobody():
    cache, tries = Cache(), 0

    async def fail():
        nonlocal tries
        tries += 1
        raise ValueError("down")

    answers = await asyncio.gather(cache.get(MINE, fail), cache.get(MINE, fail), return_exceptions=True)

    assert [str(answer) for answer in answers] == ["down", "down"]
    assert tries == 1
    assert (await cache.get(MINE, Reader())).body == b"answer"


async def test_who_asked_first_may_go_away_and_the_others_are_answered():
    cache, reader = Cache(), Reader()
    reader.go.clear()
    first = asyncio.create_task(cache.get(MINE, reader))
    await reader.begun.wait()
    second = asyncio.create_task(cache.get(MINE, reader))
    await asyncio.sleep(0)

    first.cancel()
    reader.go.set()

    assert (await second).body == b"answer"
    assert reader.reads == 1


async def test_a_forgotten_group_is_read_anew_and_others_stay():
    cache, reader, other = Cache(), Reader(), Reader()
    await cache.get(MINE, reader)
    await cache.get(OTHERS, reader)
    await cache.get(Key("another", "me", "status"), other)

    await cache.forget("batch")
    await asyncio.gather(
        cache.get(MINE, reader), cache.get(OTHERS, reader), cache.get(Key("another", "me", "status"), other)
    )

    assert (reader.reads, other.reads) == (4, 1)


async def test_what_was_read_before_it_was_forgotten_is_not_kept_after():
    cache, reader = Cache(), Reader(body=b"before")
    reader.go.clear()
    early = asyncio.create_task(cache.get(MINE, reader))
    await reader.begun.wait()

    await cache.forget("batch")
    reader.body = b"after"
    late = asyncio.create_task(cache.get(MINE, reader))
    await asyncio.sleep(0)
    reader.go.set()

    assert [(await one).body for one in (early, late)] == [b"before", b"after"]
    assert (await cache.get(MINE, reader)).body == b"after"


async def test_a_read_that_was_frozen_half_way_is_not_waited_for_and_not_kept():
    """Its client went away, and with the last request the CPU: the answer lay there until the next one came."""
    hands = Hands()
    cache, before, after = Cache(now=hands), Reader(body=b"of then"), Reader(body=b"of now")
    before.go.clear()
    first = asyncio.create_task(cache.get(MINE, before))
    await before.begun.wait()

    hands.at += FLIGHT_SECONDS + 1
    asked = await asyncio.wait_for(cache.get(MINE, after), 5)
    before.go.set()
    await first

    assert (asked.body, (await cache.get(MINE, before)).body) == (b"of now", b"of now")


async def test_a_read_that_was_frozen_is_not_kept_though_nobody_asked_meanwhile():
    hands = Hands()
    cache, reader = Cache(now=hands), Reader(body=b"of then")
    reader.go.clear()
    first = asyncio.create_task(cache.get(MINE, reader))
    await reader.begun.wait()

    hands.at += FLIGHT_SECONDS + 1
    reader.go.set()
    await first
    reader.body = b"of now"

    assert (await cache.get(MINE, reader)).body == b"of now"


async def test_memory_is_bounded_in_bytes():
    memory = Memory(most_bytes=10_000)

    for number in range(100):
        await memory.put(Key("batch", "me", str(number)), made(b"x" * 1000, seconds=30))

    assert 0 < memory.report()["bytes"] <= 10_000
    assert await memory.get(Key("batch", "me", "99"))


async def test_an_answer_that_is_too_large_is_given_and_not_kept():
    cache, reader = Cache(), Reader(body=b"x" * (MOST_ENTRY_BYTES + 1))

    await cache.get(MINE, reader)
    await cache.get(MINE, reader)

    assert (reader.reads, cache.counts.too_large) == (2, 2)


# ---- Redis


@pytest.fixture
async def road():
    async with road_to_redis() as road:
        yield road


@pytest.fixture
async def instance(road, environment):
    """instance(): one more process of the API, as far as its cache goes, with a clock for its breaker."""
    opened = []

    def instance(now=None):
        redis = redis_of(settings_of(environment, redis_url=road.url))
        redis._breaker = Breaker(now or (lambda: 0.0))
        opened.append(redis)
        return Cache(redis)

    yield instance
    for redis in opened:
        await redis._redis.aclose()


async def test_instances_share_what_one_has_read(instance):
    reader = Reader()
    one, two = instance(), instance()

    await one.get(MINE, reader)
    await two.get(MINE, reader)

    assert reader.reads == 1
    assert (two.report()["backend"], two.counts.hits) == ("redis", 1)


async def test_what_one_instance_forgets_all_have_forgotten(instance):
    reader = Reader()
    one, two = instance(), instance()
    await one.get(MINE, reader)

    await two.forget("batch")
    await one.get(MINE, reader)

    assert reader.reads == 2


async def test_the_shared_cache_keeps_owners_apart(instance):
    one, two = instance(), instance()
    await one.get(MINE, Reader(body=b"mine"))

    assert (await two.get(OTHERS, Reader(body=b"yours"))).body == b"yours"


async def test_large_answers_are_packed_and_come_out_as_they_went_in(instance):
    large = json.dumps({"results": ["the harbour bridge"] * 1000}).encode()
    one, two = instance(), instance()

    await one.get(MINE, Reader(body=large))

    stored = await one._backend._redis.hget("piecework:batch", "me:status")
    assert len(stored) < len(large) / 5
    assert (await two.get(MINE, Reader())).body == large


async def test_what_somebody_else_wrote_there_is_not_taken_for_an_answer(instance):
    cache = instance()
    await cache._backend._redis.hset("piecework:batch", "me:status", b"?")

    assert (await cache.get(MINE, Reader())).body == b"answer"


async def test_while_redis_is_away_memory_serves_and_redis_is_left_alone(instance, road):
    reader, cache = Reader(), instance()
    road.cut()

    for _ in range(10):
        await cache.get(MINE, reader)
    asked = road.connections
    await cache.get(MINE, reader)

    assert reader.reads == 1
    assert cache.report()["breaker"]["state"] == "open"
    assert road.connections == asked


async def test_redis_may_die_in_the_middle_of_an_answer(instance, road):
    cache, reader = instance(), Reader()
    await cache.get(MINE, reader)

    road.block()
    asked = asyncio.create_task(cache.get(MINE, reader))
    await asyncio.sleep(0)
    road.cut()

    assert (await asked).body == b"answer"
    assert reader.reads == 2


async def test_a_redis_that_hangs_is_given_up_after_a_moment(instance, road):
    cache = instance()
    road.block()

    answer = await asyncio.wait_for(cache.get(MINE, Reader()), 10)

    assert answer.body == b"answer"
    assert cache.report()["breaker"]["failures"] > 0


async def test_when_redis_comes_back_it_is_used_again(instance, road):
    now, reader = [0.0], Reader()
    cache, other = instance(lambda: now[0]), instance()
    road.cut()
    await cache.get(Key("batch", "me", "before"), reader)
    await cache.get(Key("batch", "me", "before"), reader)
    assert cache.report()["breaker"]["state"] == "open"

    road.mend()
    now[0] += 6
    await cache.get(MINE, reader)
    reads = reader.reads
    await other.get(MINE, reader)

    assert cache.report()["breaker"]["state"] == "closed"
    assert reader.reads == reads


async def test_what_was_forgotten_while_redis_was_away_is_not_found_there_afterwards(instance, road):
    now, reader = [0.0], Reader(body=b"before")
    cache = instance(lambda: now[0])
    await cache.get(MINE, reader)
    road.cut()
    reader.body = b"after"

    await cache.forget("batch")
    road.mend()
    now[0] += 6

    assert (await cache.get(MINE, reader)).body == b"after"


def test_one_call_at_a_time_probes_a_redis_that_was_away():
    now = [0.0]
    breaker = Breaker(lambda: now[0], most_failures=2, rest_seconds=5)
    for _ in range(2):
        breaker.heard(healthy=False)
    now[0] += 6

    assert [breaker.lets_through() for _ in range(3)] == [True, False, False]


def test_a_redis_url_that_is_none_is_told_without_its_password(environment):
    with pytest.raises(BadSettings, match=r"^REDIS_URL is wrong") as raised:
        redis_of(settings_of(environment, redis_url="http://:secret@redis"))

    assert "secret" not in str(raised.value)


def test_without_a_setting_there_is_no_redis(environment):
    assert redis_of(settings_of(environment)) is None


# ---- over HTTP


@pytest.fixture
def over(api, deployed, database):
    """A batch of three that has ended: one done, one skipped, one dead."""
    batch = api.submit({"do": "done"}, {"do": "skip"}, {"do": "reject"})
    for row in database.execute("select id from items order by id").fetchall():
        deployed("probe").deliver(row["id"])
    return batch


def looked(caller, path, etag=None):
    headers = {"If-None-Match": etag} if etag else {}
    return caller.function.client.get(f"{caller.function.url}{path}", headers={**caller._headers(), **headers})


def test_a_batch_at_work_is_to_be_asked_for_each_time(api):
    answer = api.get(f"/v3/batches/{api.submit({'do': 'done'})}")

    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["vary"] == "Authorization, Accept"


def test_a_batch_that_is_over_is_read_from_the_database_once_and_may_be_kept_for_half_a_minute(api, over, door):
    door.clear()

    answers = [api.get(f"/v3/batches/{over}") for _ in range(3)]

    assert all(0 < int(one.headers["cache-control"].removeprefix("private, max-age=")) <= 30 for one in answers)
    assert door.calls["batches_v1"] == 1


def test_the_results_of_an_end_may_be_kept_for_an_hour(api, over):
    links = api.get(f"/v3/batches/{over}").json()["links"]

    answer = looked(api, links["results"])

    assert 3500 <= int(answer.headers["cache-control"].removeprefix("private, max-age=")) <= 3600
    assert answer.json() == api.get(f"/v3/batches/{over}/results").json()


@pytest.mark.parametrize("query", [{}, {"ended": "2026-01-01T00:00:00Z"}], ids=["no end", "another end"])
def test_results_that_may_be_tried_again_are_asked_for_each_time(api, over, query):
    answer = api.get(f"/v3/batches/{over}/results", **query)

    assert answer.headers["cache-control"] == "private, no-cache"


def test_a_batch_that_is_tried_again_tells_another_link_to_its_results_at_each_end(api, over, work_off):
    links = [api.get(f"/v3/batches/{over}").json()["links"]["results"]]
    api.act(f"/v3/batches/{over}/retry-failed")
    links.append(api.get(f"/v3/batches/{over}").json()["links"]["results"])
    at_work = looked(api, links[0])
    work_off()
    links.append(api.get(f"/v3/batches/{over}").json()["links"]["results"])

    assert links[1] == f"/v3/batches/{over}/results"
    assert len(set(links)) == 3
    assert at_work.headers["cache-control"] == "private, no-cache"
    assert "max-age" in looked(api, links[2]).headers["cache-control"]


@pytest.mark.parametrize("path", ["", "/results"])
def test_who_has_the_same_already_is_told_so_in_no_words(api, over, path):
    first = api.get(f"/v3/batches/{over}{path}")

    again = looked(api, f"/v3/batches/{over}{path}", first.headers["etag"])

    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == first.headers["etag"]


def test_the_results_of_a_batch_that_is_over_are_read_from_the_database_once(api, over, door):
    pages = [api.get(f"/v3/batches/{over}/results").json() for _ in range(5)]

    assert all(page == pages[0] for page in pages)
    assert len(pages[0]["results"]) == 3
    assert door.calls["batch_results_v1"] == 1


def test_counts_of_a_batch_at_work_are_the_databases_at_every_look(api, deployed, database):
    batch = api.submit(*({"do": "done", "n": number} for number in range(5)))

    for ended, row in enumerate(database.execute("select id from items").fetchall(), 1):
        deployed("probe").deliver(row["id"])
        assert api.get(f"/v3/batches/{batch}").json()["counts"]["done"] == ended
        assert sum(row["state"] == "done" for row in api.get(f"/v3/batches/{batch}/results").json()["results"]) == ended


@pytest.mark.parametrize("path", ["", "/results"])
def test_what_is_kept_for_its_owner_is_not_there_for_another(api, caller_of, over, path):
    etag = api.get(f"/v3/batches/{over}{path}").headers["etag"]

    is_problem(looked(caller_of(), f"/v3/batches/{over}{path}", etag), 404)


def posted(caller, path, body=None):
    headers = {**caller._headers(), "Content-Type": "application/json"}
    return caller.function.client.post(f"{caller.function.url}{path}", headers=headers, json=body)


@pytest.mark.parametrize(
    ("path", "body"),
    [("/v3/batches/{}/retry-failed", None), ("/v3/dead-letters/replay", {"batch": "{}"})],
    ids=["retry-failed", "replay"],
)
def test_a_batch_that_is_tried_again_is_seen_at_once(api, over, path, body):
    before = [api.get(f"/v3/batches/{over}{part}") for part in ("", "/results")]

    body = body and {name: value.format(over) for name, value in body.items()}
    assert posted(api, path.format(over), body).status_code in {200, 202}

    after = [api.get(f"/v3/batches/{over}{part}") for part in ("", "/results")]
    assert [answer.headers["cache-control"] for answer in after] == ["private, no-cache"] * 2
    assert before[0].json()["counts"]["dead"] == after[0].json()["counts"]["waiting"] == 1
    assert "waiting" in {row["state"] for row in after[1].json()["results"]}


def test_a_batch_that_is_cancelled_is_seen_at_once(api):
    batch = api.submit({"do": "done"})
    before = api.get(f"/v3/batches/{batch}").json()["state"]

    posted(api, f"/v3/batches/{batch}/cancel")

    assert (before, api.get(f"/v3/batches/{batch}").json()["state"]) == ("running", "cancelled")


def test_the_cache_tells_operators_of_itself(api, operator, over):
    before = operator.get("/v3/cache/stats").json()
    for _ in range(3):
        api.get(f"/v3/batches/{over}")

    after = operator.get("/v3/cache/stats").json()

    assert after["backend"] == "memory"
    assert (after["hits"] - before["hits"], after["misses"] - before["misses"]) == (2, 1)
    assert after["entries"] >= 1
    assert 0 < after["bytes"] < after["most_bytes"]


def test_the_cache_tells_nobody_else_how_much_is_asked(api, caller_of):
    is_problem(caller_of.nobody().get("/v3/cache/stats"), 401)
    is_problem(api.get("/v3/cache/stats"), 403)

    assert api.get("/v3/monitoring/dashboard").json()["instance"]["cache"] is None


@pytest.fixture
def drawn(database):
    """The path of an overlay, and what redraws it."""
    database.execute(
        "insert into quotas (name, requests_per_minute) values ('gemini-vision', 30) on conflict do nothing"
    )
    item = database.execute(
        "with batch as (insert into batches (function, source, state) values ('poster', 'items', 'open') returning id) "
        "insert into items (batch_id, function, quota, state, input, input_key) "
        """select id, 'poster', 'gemini-vision', 'done', '{"content_id": "t1"}', 't1' from batch returning id"""
    ).fetchone()["id"]
    row = as_columns({"item_id": item, **analysis("t1")})
    names, marks = sql.SQL(", ").join(map(sql.Identifier, row)), sql.SQL(", ").join(sql.Placeholder() * len(row))
    database.execute(sql.SQL("insert into poster_analyses ({}) values ({})").format(names, marks), list(row.values()))
    database.execute("update items set result_id = id where id = %s", [item])
    yield "/v3/posters/t1/overlay.svg", lambda: database.execute("update poster_analyses set zones = '[]'")
    database.execute("truncate poster_analyses")


def test_an_overlay_is_asked_for_each_time_and_given_again_where_it_has_changed(caller_of, drawn):
    operator, (path, redraw) = caller_of(operator=True), drawn

    first = operator.get(path)
    same = looked(operator, path, first.headers["etag"])
    redraw()
    other = looked(operator, path, first.headers["etag"])

    assert (first.headers["cache-control"], first.headers["vary"]) == ("private, no-cache", "Authorization, Accept")
    assert [answer.status_code for answer in (first, same, other)] == [200, 304, 200]
