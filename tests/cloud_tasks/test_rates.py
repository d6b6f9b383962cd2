"""How fast a queue goes, and how many of its tasks at once."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.cloud_tasks.token_bucket import TokenBucket, burst_of


@pytest.mark.parametrize(("rate", "burst"), [(0.25, 10), (1, 10), (10, 10), (50, 50), (100, 100), (500, 100)])
def test_the_burst_follows_from_the_rate(rate, burst):
    assert burst_of(rate) == burst


@given(rate=st.floats(0.01, 500), steps=st.lists(st.floats(0, 20), min_size=1, max_size=60))
def test_a_bucket_never_gives_more_than_burst_and_rate_allow(rate, steps):
    bucket, now, taken = TokenBucket(rate, 10, 0.0), 0.0, 0

    for step in steps:
        now += step
        while bucket.wait(now) == 0.0:
            bucket.take(now)
            taken += 1

    assert taken <= 10 + rate * now + 1e-6


def test_a_clock_set_back_neither_fills_nor_blocks_a_bucket():
    bucket = TokenBucket(1.0, 1, 1000.0)
    bucket.take(1000.0)

    assert bucket.wait(400.0) == pytest.approx(1.0)
    assert bucket.wait(401.0) == 0.0


async def test_a_slow_queue_bursts_ten_and_then_keeps_its_rate(make_queue, create, sink, pass_time):
    queue = await make_queue(rate_limits={"max_dispatches_per_second": 2})
    for _ in range(30):
        await create(queue)
    await pass_time(0)
    counts = [len(sink.requests)]

    for _ in range(5):
        await pass_time(1)
        counts.append(len(sink.requests))

    assert counts == [10, 12, 14, 16, 18, 20]


async def test_a_rate_below_one_is_honoured(make_queue, create, sink, pass_time):
    queue = await make_queue(rate_limits={"max_dispatches_per_second": 0.25})
    for _ in range(13):
        await create(queue)
    await pass_time(0)
    counts = [len(sink.requests)]

    for _ in range(3):
        await pass_time(3.99)
        counts.append(len(sink.requests))
        await pass_time(0.01)
        counts.append(len(sink.requests))

    assert counts == [10, 10, 11, 11, 12, 12, 13]


async def test_idle_time_fills_the_bucket_to_its_burst_and_no_further(make_queue, create, sink, pass_time):
    queue = await make_queue(rate_limits={"max_dispatches_per_second": 1})
    await pass_time(3600)

    for _ in range(20):
        await create(queue)
    await pass_time(0)

    assert len(sink.requests) == 10


async def test_retries_take_tokens_like_first_attempts(make_queue, create, sink, pass_time):
    retry = {"min_backoff": {"seconds": 1}, "max_backoff": {"seconds": 1}}
    queue = await make_queue(rate_limits={"max_dispatches_per_second": 1}, retry_config=retry)
    sink.answers["/"] = [500]

    for _ in range(10):
        await create(queue)
    await pass_time(0)
    for _ in range(5):
        await pass_time(1)

    assert len(sink.requests) == 15


async def test_concurrency_is_never_exceeded_and_always_used(make_queue, create, sink, pass_time):
    queue = await make_queue(rate_limits={"max_concurrent_dispatches": 3})
    sink.held = {"/"}
    for _ in range(12):
        await create(queue)
    await sink.busy("/", 3)
    at_first = len(sink.requests)

    sink.release.set()
    await sink.received(12)

    assert at_first == 3
    assert sink.most["/"] == 3


async def test_a_new_rate_counts_at_once(make_queue, create, client, sink, pass_time):
    queue = await make_queue(rate_limits={"max_dispatches_per_second": 1})
    for _ in range(40):
        await create(queue)
    await pass_time(0)

    await client.update_queue(queue={"name": queue, "rate_limits": {"max_dispatches_per_second": 10}})
    await pass_time(1)

    assert len(sink.requests) == 20


async def test_more_concurrency_lets_waiting_tasks_go(make_queue, create, client, sink):
    queue = await make_queue(rate_limits={"max_concurrent_dispatches": 1})
    sink.held = {"/"}
    for _ in range(4):
        await create(queue)
    await sink.busy("/", 1)

    await client.update_queue(queue={"name": queue, "rate_limits": {"max_concurrent_dispatches": 4}})

    await sink.busy("/", 4)
    assert sink.most["/"] == 4


async def test_tasks_go_in_the_order_they_fall_due(make_queue, create, client, sink, pass_time, clock):
    queue = await make_queue(rate_limits={"max_concurrent_dispatches": 1})
    for path, ahead in (("/c", 30), ("/a", 10), ("/b", 20)):
        await create(queue, path, schedule_time={"seconds": int(clock.time()) + ahead})

    for _ in range(3):
        await pass_time(10)

    assert [request.target for request in sink.requests] == ["/a", "/b", "/c"]


async def test_a_task_waits_for_its_schedule_time(queue, create, sink, pass_time, clock):
    await create(queue, schedule_time={"seconds": int(clock.time()) + 100})

    await pass_time(99)
    before = len(sink.requests)
    await pass_time(1)

    assert (before, len(sink.requests)) == (0, 1)


async def test_queues_do_not_hold_each_other_back(make_queue, create, sink):
    slow = await make_queue("slow", rate_limits={"max_concurrent_dispatches": 1})
    fast = await make_queue("fast")
    sink.held = {"/slow"}

    await create(slow, "/slow")
    await create(slow, "/slow")
    await sink.busy("/slow", 1)
    await create(fast, "/fast")
    await sink.received(2)

    assert sorted(request.target for request in sink.requests) == ["/fast", "/slow"]
