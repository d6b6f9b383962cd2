"""What CreateTask takes, refuses, keeps and gives back."""

import pytest
from google.api_core.exceptions import AlreadyExists, InvalidArgument, NotFound
from google.cloud.tasks_v2 import Task

from tests.cloud_tasks.conftest import QUEUE

DAY = 86400


async def test_the_answer_has_the_defaults_but_not_the_body(queue, create, clock):
    task = await create(queue, http={"body": b"secret", "headers": {"X-Case": "Kept"}})

    assert task.view == Task.View.BASIC
    assert task.http_request.http_method.name == "POST"
    assert dict(task.http_request.headers) == {"X-Case": "Kept", "User-Agent": "Google-Cloud-Tasks"}
    assert task.http_request.body == b""
    assert task.dispatch_deadline.total_seconds() == 600
    assert task.schedule_time.timestamp() == clock.time()
    assert task.create_time.microsecond == 0


async def test_the_full_view_has_the_body(make_queue, client, clock, sink):
    queue = await make_queue()
    later = {"seconds": int(clock.time()) + 60}
    request = {"url": sink.url, "body": b"secret"}

    made = await client.create_task(
        request={"parent": queue, "task": {"http_request": request, "schedule_time": later}, "response_view": 2}
    )
    basic = await client.get_task(name=made.name)
    full = await client.get_task(request={"name": made.name, "response_view": Task.View.FULL})

    assert made.http_request.body == full.http_request.body == b"secret"
    assert basic.http_request.body == b""
    assert (basic.view, full.view) == (Task.View.BASIC, Task.View.FULL)


@pytest.mark.parametrize(
    "task",
    [
        {},
        {"http_request": {"url": ""}},
        {"http_request": {"url": "ftp://a.test/"}},
        {"http_request": {"url": "http://"}},
        {"http_request": {"url": "http://a.test/" + "x" * 2083}},
        {"http_request": {"url": "http://a.test/", "http_method": "GET", "body": b"x"}},
        {"http_request": {"url": "http://a.test/", "http_method": 99}},
        {"http_request": {"url": "http://a.test/", "headers": {"A": "x" * 81920}}},
        {"http_request": {"url": "http://a.test/", "headers": {"A": "x\r\nB: y"}}},
        {"http_request": {"url": "http://a.test/", "headers": {"A B": "x"}}},
        {"http_request": {"url": "http://a.test/", "oidc_token": {}}},
        {"http_request": {"url": "http://a.test/"}, "dispatch_deadline": {"seconds": 14}},
        {"http_request": {"url": "http://a.test/"}, "dispatch_deadline": {"seconds": 1801}},
        {"http_request": {"url": "http://a.test/"}, "retry_config": {"max_attempts": -2}},
        {"http_request": {"url": "http://a.test/"}, "name": "nonsense"},
        {"http_request": {"url": "http://a.test/"}, "name": f"{QUEUE}/tasks/no.dots"},
        {"http_request": {"url": "http://a.test/"}, "name": f"{QUEUE}/tasks/{'x' * 501}"},
        {"http_request": {"url": "http://a.test/"}, "name": f"{QUEUE}x/tasks/other-queue"},
        {"app_engine_http_request": {"relative_uri": "no-slash"}},
    ],
)
async def test_a_task_that_cannot_be_is_refused(queue, client, emulator, task):
    with pytest.raises(InvalidArgument):
        await client.create_task(parent=queue, task=task)

    assert emulator.counts()[queue] == (0, 0)


@pytest.mark.parametrize("deadline", [15, 1800])
async def test_the_deadlines_bounds_are_allowed(queue, create, deadline):
    task = await create(queue, dispatch_deadline={"seconds": deadline})

    assert task.dispatch_deadline.total_seconds() == deadline


async def test_a_schedule_time_may_lie_thirty_days_ahead_and_no_further(queue, create, clock):
    now = int(clock.time())

    task = await create(queue, schedule_time={"seconds": now + 30 * DAY})

    assert task.schedule_time.timestamp() == now + 30 * DAY
    with pytest.raises(InvalidArgument):
        await create(queue, schedule_time={"seconds": now + 30 * DAY + 1})


async def test_a_schedule_time_in_the_past_is_now(queue, create, clock, sink):
    task = await create(queue, schedule_time={"seconds": 1000})

    await sink.received(1)
    assert task.schedule_time.timestamp() == clock.time()


async def test_a_task_may_have_1048569_bytes_as_it_is_stored(queue, client, clock):
    later = {"seconds": int(clock.time()) + 60}

    def sized(body):
        request = {"url": "http://127.0.0.1:1/", "body": b"x" * body}
        return {"http_request": request, "schedule_time": later, "name": f"{QUEUE}/tasks/big-{body}"}

    small = await client.create_task(request={"parent": queue, "task": sized(1_000_000), "response_view": 2})
    stored = Task.pb(small)
    stored.ClearField("view")
    room = 1_048_569 - stored.ByteSize()

    await client.create_task(parent=queue, task=sized(1_000_000 + room))
    with pytest.raises(InvalidArgument):
        await client.create_task(parent=queue, task=sized(1_000_000 + room + 1))


async def test_a_missing_queue_is_not_found(client):
    with pytest.raises(NotFound):
        await client.create_task(parent=f"{QUEUE}-none", task={"http_request": {"url": "http://127.0.0.1/"}})


async def test_a_live_tasks_name_is_taken(queue, create, clock):
    later = {"seconds": int(clock.time()) + 60}
    await create(queue, name=f"{QUEUE}/tasks/once", schedule_time=later)

    with pytest.raises(AlreadyExists):
        await create(queue, name=f"{QUEUE}/tasks/once", schedule_time=later)


@pytest.mark.parametrize("end", ["done", "deleted", "purged"])
async def test_the_name_of_a_task_that_is_no_more_stays_taken_for_a_day(queue, create, client, pass_time, clock, end):
    later = {"seconds": int(clock.time()) + (0 if end == "done" else 60)}
    name = f"{QUEUE}/tasks/once"
    await create(queue, name=name, schedule_time=later)
    if end == "deleted":
        await client.delete_task(name=name)
    if end == "purged":
        await client.purge_queue(name=queue)

    await pass_time(DAY - 1)
    with pytest.raises(AlreadyExists):
        await create(queue, name=name)
    await pass_time(1)

    assert (await create(queue, name=name)).name == name


async def test_tests_may_free_every_name(queue, create, client, emulator):
    await create(queue, name=f"{QUEUE}/tasks/once")
    await emulator.settled()

    emulator.drop_reserved_names()

    assert (await create(queue, name=f"{QUEUE}/tasks/once")).name == f"{QUEUE}/tasks/once"


async def test_a_finished_task_is_not_found_with_a_word_of_its_own(queue, create, client, emulator):
    task = await create(queue)
    await emulator.settled()

    with pytest.raises(NotFound, match="no more"):
        await client.get_task(name=task.name)
    with pytest.raises(NotFound, match="there is no task"):
        await client.get_task(name=f"{QUEUE}/tasks/never-was")
    for call in (client.delete_task, client.run_task):
        with pytest.raises(NotFound):
            await call(name=task.name)


async def test_tasks_are_listed_page_by_page(queue, create, client, clock):
    later = {"seconds": int(clock.time()) + 60}
    made = [(await create(queue, schedule_time=later)).name for _ in range(7)]

    first = await client.list_tasks(request={"parent": queue, "page_size": 3})
    listed = [task.name async for task in first]

    assert first.next_page_token == ""
    assert listed == made


async def test_a_page_of_large_bodies_fits_into_a_message(queue, create, client, clock):
    later = {"seconds": int(clock.time()) + 60}
    for _ in range(6):
        await create(queue, http={"body": b"x" * 1_000_000}, schedule_time=later)

    tasks = [task async for task in await client.list_tasks(request={"parent": queue, "response_view": 2})]

    assert [len(task.http_request.body) for task in tasks] == [1_000_000] * 6


@pytest.mark.parametrize("token", ["%%%", "bm90IGEgbnVtYmVy", "ü"])
async def test_a_page_token_of_ones_own_is_refused(queue, client, token):
    with pytest.raises(InvalidArgument):
        await client.list_tasks(request={"parent": queue, "page_token": token})


async def test_a_failed_task_shows_its_attempts(queue, create, client, sink, emulator, clock):
    sink.answers["/"] = [404]
    task = await create(queue)
    await emulator.settled()

    known = await client.get_task(name=task.name)

    assert (known.dispatch_count, known.response_count) == (1, 1)
    assert known.first_attempt.dispatch_time.timestamp() == clock.time()
    assert known.last_attempt.response_status.code == 5
    assert known.schedule_time.timestamp() == pytest.approx(clock.time() + 0.1, abs=1e-5)
