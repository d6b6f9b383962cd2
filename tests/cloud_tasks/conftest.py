"""A Cloud Tasks whose clock stands still, the real client, and a sink that answers as told."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import grpc.aio
import pytest
from google.cloud.tasks_v2 import CloudTasksAsyncClient
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcAsyncIOTransport

from local.cloud_tasks import CloudTasks, ManualClock, Options
from tests.cloud_tasks.sink import Sink

PARENT = "projects/p/locations/l"
QUEUE = f"{PARENT}/queues/q"


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def sink() -> AsyncIterator[Sink]:
    async with Sink() as sink:
        yield sink


@pytest.fixture
def options(clock) -> dict[str, Any]:
    """What a test module may override: the Options of the emulator."""
    return {"clock": clock}


@pytest.fixture
async def emulator(options) -> AsyncIterator[CloudTasks]:
    async with CloudTasks(Options(**options)) as emulator:
        yield emulator


@pytest.fixture
def connect() -> Callable[[int], CloudTasksAsyncClient]:
    def connect(port: int) -> CloudTasksAsyncClient:
        channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        return CloudTasksAsyncClient(transport=CloudTasksGrpcAsyncIOTransport(channel=channel))

    return connect


@pytest.fixture
async def client(emulator, connect) -> AsyncIterator[CloudTasksAsyncClient]:
    client = connect(emulator.port)
    yield client
    await client.transport.close()


@pytest.fixture
async def queue(client) -> str:
    """A queue with Google's own defaults."""
    return (await client.create_queue(parent=PARENT, queue={"name": QUEUE})).name


@pytest.fixture
def make_queue(client) -> Callable[..., Awaitable[str]]:
    async def make_queue(name: str = "made", **settings: Any) -> str:
        queue = {"name": f"{PARENT}/queues/{name}", **settings}
        return (await client.create_queue(parent=PARENT, queue=queue)).name

    return make_queue


@pytest.fixture
def create(client, sink) -> Callable[..., Awaitable[Any]]:
    """Create a task for a path of the sink; `http` adds to its request, the rest to the task."""

    async def create(queue: str, path: str = "/", http: dict[str, Any] | None = None, **task: Any) -> Any:
        request = {"url": sink.url + path, **(http or {})}
        return await client.create_task(parent=queue, task={"http_request": request, **task})

    return create


@pytest.fixture
def pass_time(clock, emulator) -> Callable[[float], Awaitable[None]]:
    """Move the clock, once the attempts on their way have ended; return when those it set off have ended too."""

    async def pass_time(seconds: float) -> None:
        await asyncio.wait_for(emulator.settled(), 10)
        clock.advance(seconds)
        await asyncio.wait_for(emulator.settled(), 10)

    return pass_time
