"""Retries as a worker and a caller see them."""

import datetime as dt
from email.utils import format_datetime
from itertools import pairwise

import pytest
from google.api_core.exceptions import NotFound


async def test_googles_example_schedule(make_queue, create, sink, pass_time):
    retry = {"min_backoff": {"seconds": 10}, "max_backoff": {"seconds": 300}, "max_doublings": 3}
    queue = await make_queue(retry_config=retry)
    sink.answers["/"] = [500]

    await create(queue)
    for wait in (10, 20, 40, 80, 160, 240, 300):
        await pass_time(wait - 0.001)
        await pass_time(0.001)

    etas = [float(eta) for eta in sink.seen("TaskETA")]
    assert [round(b - a) for a, b in pairwise(etas)] == [10, 20, 40, 80, 160, 240, 300]


async def test_a_task_is_gone_after_its_last_attempt(make_queue, create, client, sink, pass_time):
    queue = await make_queue(retry_config={"max_attempts": 3})
    sink.answers["/"] = [500]

    task = await create(queue)
    for _ in range(5):
        await pass_time(3600)

    assert sink.seen("TaskRetryCount") == ["0", "1", "2"]
    with pytest.raises(NotFound):
        await client.get_task(name=task.name)


async def test_attempts_go_on_until_the_time_is_used_up_too(make_queue, create, sink, pass_time, emulator):
    retry = {
        "max_attempts": 2,
        "max_retry_duration": {"seconds": 35},
        "min_backoff": {"seconds": 10},
        "max_backoff": {"seconds": 10},
    }
    queue = await make_queue(retry_config=retry)
    sink.answers["/"] = [500]

    await create(queue)
    for _ in range(8):
        await pass_time(10)

    assert len(sink.requests) == 5  # at 0, 10, 20, 30 and 40 s
    assert emulator.counts()[queue] == (0, 0)


async def test_unlimited_attempts_end_with_the_retention(make_queue, create, sink, pass_time, emulator):
    retry = {"max_attempts": -1, "min_backoff": {"seconds": 86400}, "max_backoff": {"seconds": 86400}}
    queue = await make_queue(retry_config=retry)
    sink.answers["/"] = [500]

    await create(queue)
    for _ in range(40):
        await pass_time(86400)

    assert len(sink.requests) == 32  # once a day, from day 0 to day 31
    assert emulator.counts()[queue] == (0, 0)


async def test_retry_after_holds_a_task_back_longer_than_its_backoff(queue, create, sink, pass_time):
    sink.answers["/"] = [b"HTTP/1.1 429 Slow down\r\nRetry-After: 120\r\nContent-Length: 0\r\n\r\n", 200]

    await create(queue)
    await pass_time(119)
    before = len(sink.requests)
    await pass_time(1)

    assert (before, len(sink.requests)) == (1, 2)


async def test_retry_after_may_be_a_date(queue, create, sink, pass_time, clock):
    date = format_datetime(dt.datetime.fromtimestamp(clock.time() + 60, dt.UTC), usegmt=True)
    sink.answers["/"] = [f"HTTP/1.1 503 Busy\r\nRetry-After: {date}\r\nContent-Length: 0\r\n\r\n".encode(), 200]

    await create(queue)
    await pass_time(59)
    before = len(sink.requests)
    await pass_time(1)

    assert (before, len(sink.requests)) == (1, 2)


@pytest.mark.parametrize(
    "value", ["soon", "-5", "1e9", "Mon, 99 Nov 2026 00:00:00 GMT", "²", "Mon, 01 Jan 0001 00:00:00 +2359"]
)
async def test_a_retry_after_that_means_nothing_is_ignored(queue, create, sink, pass_time, value):
    answer = f"HTTP/1.1 503 Busy\r\nRetry-After: {value}\r\nContent-Length: 0\r\n\r\n".encode("latin-1")
    sink.answers["/"] = [answer, 200]

    await create(queue)
    await pass_time(0.1)

    assert len(sink.requests) == 2


async def test_a_tasks_own_retry_config_overrides_its_queues(make_queue, create, sink, pass_time):
    queue = await make_queue(retry_config={"max_attempts": 10, "min_backoff": {"seconds": 1}})
    sink.answers["/"] = [500]

    await create(queue, retry_config={"max_attempts": 2, "min_backoff": {"seconds": 50}})
    for _ in range(5):
        await pass_time(49)

    assert len(sink.requests) == 2


async def test_a_queues_new_retry_config_counts_for_tasks_it_holds(make_queue, create, client, sink, pass_time):
    queue = await make_queue(retry_config={"max_attempts": 10, "min_backoff": {"seconds": 60}})
    sink.answers["/"] = [500]
    await create(queue)
    await sink.received(1)

    await client.update_queue(queue={"name": queue, "retry_config": {"max_attempts": 2}})
    await pass_time(60)
    await pass_time(3600)

    assert len(sink.requests) == 2
