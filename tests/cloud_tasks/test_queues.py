"""Queues: their settings and states, and what is said of those that are not there."""

import pytest
from google.api_core.exceptions import AlreadyExists, FailedPrecondition, InvalidArgument, NotFound
from google.cloud.tasks_v2 import Queue

from tests.cloud_tasks.conftest import PARENT, QUEUE

DAY = 86400


async def test_a_new_queue_has_googles_defaults(client):
    queue = await client.create_queue(parent=PARENT, queue={"name": QUEUE})

    assert queue.state == Queue.State.RUNNING
    assert queue.rate_limits.max_dispatches_per_second == 500
    assert queue.rate_limits.max_concurrent_dispatches == 1000
    assert queue.rate_limits.max_burst_size == 100
    assert queue.retry_config.max_attempts == 100
    assert queue.retry_config.max_doublings == 16
    assert queue.retry_config.min_backoff.total_seconds() == 0.1
    assert queue.retry_config.max_backoff.total_seconds() == 3600
    assert not Queue.pb(queue).retry_config.HasField("max_retry_duration")


@pytest.mark.parametrize(
    "settings",
    [
        {"rate_limits": {"max_dispatches_per_second": -1}},
        {"rate_limits": {"max_dispatches_per_second": 500.1}},
        {"rate_limits": {"max_dispatches_per_second": float("nan")}},
        {"rate_limits": {"max_concurrent_dispatches": -1}},
        {"rate_limits": {"max_concurrent_dispatches": 5001}},
        {"retry_config": {"max_attempts": -2}},
        {"retry_config": {"max_doublings": -1}},
        {"retry_config": {"min_backoff": {"seconds": -1}}},
        {"retry_config": {"min_backoff": {"seconds": 10}, "max_backoff": {"seconds": 5}}},
        {"http_target": {"uri_override": {"host": ""}}},
        {"http_target": {"oidc_token": {"service_account_email": "a@b.test"}}},
        {"name": f"{PARENT}/queues/under_score"},
        {"name": f"{PARENT}/queues/{'x' * 101}"},
        {"name": "projects/p/locations/elsewhere/queues/q"},
        {"name": "q"},
    ],
)
async def test_a_queue_that_cannot_be_is_refused(client, emulator, settings):
    with pytest.raises(InvalidArgument):
        await client.create_queue(parent=PARENT, queue={"name": QUEUE, **settings})

    assert emulator.counts() == {}


async def test_a_burst_size_or_a_state_of_the_callers_is_ignored(client):
    settings = {"name": QUEUE, "rate_limits": {"max_burst_size": -5}, "state": Queue.State.PAUSED}

    queue = await client.create_queue(parent=PARENT, queue=settings)

    assert (queue.rate_limits.max_burst_size, queue.state) == (100, Queue.State.RUNNING)


async def test_a_malformed_parent_is_refused(client):
    with pytest.raises(InvalidArgument):
        await client.create_queue(parent="nonsense", queue={"name": QUEUE})


async def test_a_queue_exists_once(queue, client):
    with pytest.raises(AlreadyExists):
        await client.create_queue(parent=PARENT, queue={"name": queue})


async def test_calls_on_a_missing_queue_are_not_found(client):
    calls = (client.get_queue, client.pause_queue, client.resume_queue, client.purge_queue, client.delete_queue)

    for call in calls:
        with pytest.raises(NotFound):
            await call(name=QUEUE)
    with pytest.raises(NotFound):
        await client.list_tasks(parent=QUEUE)


async def test_a_mask_changes_only_what_it_names(make_queue, client):
    name = await make_queue(
        rate_limits={"max_dispatches_per_second": 5, "max_concurrent_dispatches": 7},
        retry_config={"max_attempts": 9},
    )

    queue = await client.update_queue(
        queue={"name": name, "rate_limits": {"max_dispatches_per_second": 50}},
        update_mask={"paths": ["rate_limits.max_dispatches_per_second"]},
    )

    assert queue.rate_limits.max_dispatches_per_second == 50
    assert queue.rate_limits.max_burst_size == 50
    assert queue.rate_limits.max_concurrent_dispatches == 7
    assert queue.retry_config.max_attempts == 9


async def test_an_empty_mask_changes_everything(make_queue, client):
    name = await make_queue(rate_limits={"max_dispatches_per_second": 5}, retry_config={"max_attempts": 9})

    queue = await client.update_queue(queue={"name": name, "retry_config": {"max_attempts": 3}})

    assert queue.rate_limits.max_dispatches_per_second == 500
    assert queue.retry_config.max_attempts == 3


async def test_a_mask_cannot_change_the_state_or_name_what_is_not_there(queue, client):
    paused = {"name": queue, "state": Queue.State.PAUSED}

    still = await client.update_queue(queue=paused, update_mask={"paths": ["state", "rate_limits.max_burst_size"]})

    assert still.state == Queue.State.RUNNING
    with pytest.raises(InvalidArgument):
        await client.update_queue(queue=paused, update_mask={"paths": ["colour"]})


async def test_a_refused_update_changes_nothing(make_queue, client):
    name = await make_queue(rate_limits={"max_dispatches_per_second": 5})

    with pytest.raises(InvalidArgument):
        await client.update_queue(queue={"name": name, "rate_limits": {"max_dispatches_per_second": 501}})

    assert (await client.get_queue(name=name)).rate_limits.max_dispatches_per_second == 5


async def test_an_update_creates_a_missing_queue(client):
    settings = {"name": QUEUE, "rate_limits": {"max_dispatches_per_second": 5}}

    await client.update_queue(queue=settings, update_mask={"paths": ["retry_config"]})

    assert (await client.get_queue(name=QUEUE)).rate_limits.max_dispatches_per_second == 5


async def test_a_paused_queue_takes_tasks_and_sends_none(queue, create, client, sink, pass_time):
    paused = await client.pause_queue(name=queue)
    await create(queue)
    await pass_time(60)
    before = len(sink.requests)

    resumed = await client.resume_queue(name=queue)
    await sink.received(1)

    assert (paused.state, resumed.state) == (Queue.State.PAUSED, Queue.State.RUNNING)
    assert before == 0


async def test_what_is_on_its_way_finishes_while_a_queue_pauses(queue, create, client, sink, pass_time, emulator):
    sink.held = {"/"}
    await create(queue)
    await sink.received(1)

    await client.pause_queue(name=queue)
    sink.release.set()
    await pass_time(0)

    assert emulator.counts()[queue] == (0, 0)


async def test_a_purge_deletes_the_tasks_and_says_when(queue, create, client, clock):
    for _ in range(3):
        await create(queue, schedule_time={"seconds": int(clock.time()) + 60})

    purged = await client.purge_queue(name=queue)

    assert purged.purge_time.timestamp() == clock.time()
    assert [task async for task in await client.list_tasks(parent=queue)] == []


async def test_a_deleted_queue_takes_its_tasks_with_it(queue, create, client, sink, clock, pass_time):
    task = await create(queue, schedule_time={"seconds": int(clock.time()) + 60})

    await client.delete_queue(name=queue)
    await pass_time(120)

    assert sink.requests == []
    with pytest.raises(NotFound):
        await client.get_task(name=task.name)
    with pytest.raises(NotFound):
        await create(queue)


async def test_a_deleted_queues_name_is_free_after_three_days(queue, client, pass_time):
    await client.delete_queue(name=queue)

    await pass_time(3 * DAY - 1)
    with pytest.raises(FailedPrecondition):
        await client.create_queue(parent=PARENT, queue={"name": queue})
    with pytest.raises(FailedPrecondition):
        await client.update_queue(queue={"name": queue})
    await pass_time(1)

    assert (await client.create_queue(parent=PARENT, queue={"name": queue})).name == queue


async def test_queues_are_listed_page_by_page_and_by_filter(make_queue, client):
    names = [await make_queue(f"q-{number}") for number in range(5)]
    await client.pause_queue(name=names[2])

    paged = [queue.name async for queue in await client.list_queues(request={"parent": PARENT, "page_size": 2})]
    paused = [
        queue.name async for queue in await client.list_queues(request={"parent": PARENT, "filter": "state: PAUSED"})
    ]

    assert paged == names
    assert paused == [names[2]]
    with pytest.raises(InvalidArgument):
        await client.list_queues(request={"parent": PARENT, "filter": "colour = red"})
    with pytest.raises(InvalidArgument):
        await client.list_queues(request={"parent": PARENT, "page_size": -1})


async def test_run_task_ignores_pause_rate_and_schedule(make_queue, create, client, sink, clock, emulator):
    queue = await make_queue(rate_limits={"max_dispatches_per_second": 0.01, "max_concurrent_dispatches": 1})
    await client.pause_queue(name=queue)
    tasks = [await create(queue, schedule_time={"seconds": int(clock.time()) + 600}) for _ in range(12)]

    for task in tasks:
        await client.run_task(name=task.name)
    await sink.received(12)
    await emulator.settled()

    assert emulator.counts()[queue] == (0, 0)


async def test_a_task_that_was_run_and_failed_goes_on_with_its_retries(
    make_queue, create, client, sink, clock, pass_time
):
    queue = await make_queue(retry_config={"min_backoff": {"seconds": 10}})
    sink.answers["/"] = [500, 200]
    task = await create(queue, schedule_time={"seconds": int(clock.time()) + 600})

    called = clock.time()
    await client.run_task(name=task.name)
    await sink.received(1)
    await pass_time(0)
    known = await client.get_task(name=task.name)
    await pass_time(10)

    assert known.schedule_time.timestamp() == pytest.approx(called + 10)
    assert sink.seen("TaskRetryCount") == ["0", "1"]


async def test_a_task_can_be_run_while_it_is_already_on_its_way(queue, create, client, sink, pass_time, emulator):
    sink.held = {"/"}
    task = await create(queue)
    await sink.busy("/", 1)

    await client.run_task(name=task.name)
    await sink.busy("/", 2)
    sink.release.set()
    await pass_time(0)

    assert emulator.counts()[queue] == (0, 0)


async def test_a_queue_made_again_under_its_old_name_works(queue, create, client, sink, clock, pass_time, emulator):
    await create(queue, schedule_time={"seconds": int(clock.time()) + 10})
    await client.delete_queue(name=queue)
    emulator.drop_reserved_names()
    await client.create_queue(parent=PARENT, queue={"name": queue})
    await create(queue, schedule_time={"seconds": int(clock.time()) + 20})

    await pass_time(10)
    before = len(sink.requests)
    await pass_time(10)

    assert (before, len(sink.requests)) == (0, 1)
