"""What survives a stop, and a kill."""

import asyncio
import contextlib
import signal
import sqlite3
import subprocess
import sys
from dataclasses import dataclass

import pytest
from google.api_core.exceptions import AlreadyExists, FailedPrecondition, ServiceUnavailable

from local.cloud_tasks import CloudTasks, Options
from local.cloud_tasks.store import StoreFailed
from tests.cloud_tasks.conftest import PARENT, QUEUE


@pytest.fixture
def file(tmp_path):
    return tmp_path / "deep" / "tasks.db"


@pytest.fixture
def options(clock, file):
    return {"clock": clock, "data": file}


@pytest.fixture
async def again(emulator, client, options, connect):
    """Stop the emulator and start another on its file; return it with a client."""
    started = []

    async def again():
        await emulator.stop()
        successor = CloudTasks(Options(**options))
        await successor.start()
        started.append(successor)
        return successor, connect(successor.port)

    yield again
    for successor in started:
        await successor.stop()


@pytest.fixture
async def emulator(options):
    """Stopped by the test itself, or here."""
    emulator = CloudTasks(Options(**options))
    await emulator.start()
    yield emulator
    with contextlib.suppress(sqlite3.ProgrammingError):
        await emulator.stop()


async def test_queues_and_tasks_are_there_again(make_queue, create, client, clock, again):
    queue = await make_queue(rate_limits={"max_dispatches_per_second": 3}, retry_config={"max_attempts": 7})
    await client.pause_queue(name=queue)
    later = {"seconds": int(clock.time()) + 60}
    made = [await create(queue, f"/{number}", {"body": b"x"}, schedule_time=later) for number in range(3)]
    before = await client.get_queue(name=queue)

    _, client = await again()

    assert await client.get_queue(name=queue) == before
    full = await client.list_tasks(request={"parent": queue, "response_view": 2})
    tasks = [task async for task in full]
    assert [task.name for task in tasks] == [task.name for task in made]
    assert [task.http_request.body for task in tasks] == [b"x"] * 3
    assert tasks[0].schedule_time.timestamp() == clock.time() + 60


async def test_a_task_on_its_way_is_sent_again(queue, create, sink, again):
    sink.held = {"/"}
    await create(queue)
    await sink.busy("/", 1)

    await again()

    await sink.received(2)
    assert sink.seen("TaskName")[0] == sink.seen("TaskName")[1]


async def test_attempts_already_made_are_not_forgotten(queue, create, sink, pass_time, again, clock):
    sink.answers["/"] = [404, 500]
    await create(queue)
    await pass_time(0.1)

    successor, _ = await again()
    clock.advance(10)
    await sink.received(3)
    await asyncio.wait_for(successor.settled(), 10)

    assert sink.seen("TaskRetryCount") == ["0", "1", "2"]
    assert sink.seen("TaskExecutionCount") == ["0", "1", "1"]
    assert sink.seen("TaskPreviousResponse") == [None, "404", "500"]


async def test_finished_tasks_stay_finished_and_their_names_taken(queue, create, sink, emulator, again):
    await create(queue, name=f"{QUEUE}/tasks/once")
    await sink.received(1)
    await emulator.settled()

    successor, client = await again()

    assert successor.counts()[queue] == (0, 0)
    with pytest.raises(AlreadyExists):
        await client.create_task(parent=queue, task={"name": f"{QUEUE}/tasks/once", "http_request": {"url": sink.url}})


async def test_a_deleted_queue_stays_deleted(queue, create, client, again, clock):
    await create(queue, schedule_time={"seconds": int(clock.time()) + 60})
    await client.delete_queue(name=queue)

    successor, client = await again()

    assert successor.counts() == {}
    with pytest.raises(FailedPrecondition):
        await client.create_queue(parent=PARENT, queue={"name": queue})


async def test_settings_from_outside_keep_a_queues_state(queue, client, emulator):
    await client.pause_queue(name=queue)
    settings = type(await client.get_queue(name=queue)).pb()(name=queue)
    settings.rate_limits.max_dispatches_per_second = 3

    emulator.keep_queue(settings)

    kept = await client.get_queue(name=queue)
    assert (kept.state.name, kept.rate_limits.max_dispatches_per_second) == ("PAUSED", 3)


async def test_a_create_that_could_not_be_kept_is_not_acknowledged(queue, client, emulator, sink):
    emulator._store._database.execute("drop table tasks")

    with pytest.raises(ServiceUnavailable):
        await client.create_task(parent=queue, task={"http_request": {"url": sink.url}}, retry=None)


def test_a_file_that_is_no_database_is_named(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("not a database, but quite a long line of text" * 10)

    with pytest.raises(StoreFailed, match=r"notes\.txt"):
        CloudTasks(Options(data=file))


async def test_a_file_that_is_in_use_is_refused(emulator, file):
    with pytest.raises(StoreFailed, match="locked"):
        CloudTasks(Options(data=file))


async def test_no_acknowledged_task_is_lost_to_a_kill(tmp_path, connect, sink):
    command = [sys.executable, "-m", "local.cloud_tasks", "--port", "0", "--data", str(tmp_path / "tasks.db")]
    first = await _started(*command)
    client = connect(first.port)
    queue = (await client.create_queue(parent=PARENT, queue={"name": QUEUE})).name
    await client.pause_queue(name=queue)
    acknowledged: list[str] = []

    async def keep_creating() -> None:
        while True:
            task = await client.create_task(parent=queue, task={"http_request": {"url": sink.url}})
            acknowledged.append(task.name)
            if len(acknowledged) == 60:
                first.process.send_signal(signal.SIGKILL)

    with pytest.raises(ServiceUnavailable):
        await asyncio.wait_for(asyncio.gather(*(keep_creating() for _ in range(8))), 30)
    await first.process.wait()
    second = await _started(*command)
    client = connect(second.port)
    await client.resume_queue(name=queue)
    requests = await sink.received(len(acknowledged))
    second.process.terminate()

    assert await second.process.wait() == 0
    assert {name.rpartition("/")[2] for name in acknowledged} <= {
        request.task_header("TaskName") for request in requests
    }


@dataclass
class Started:
    process: asyncio.subprocess.Process
    port: int


async def _started(*command: str) -> Started:
    """Start the command; return once it says where it listens."""
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
    return Started(process, int(line.split(",")[0].rpartition(":")[2]))
