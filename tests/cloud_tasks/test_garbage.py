"""Whatever is sent, the answer is a status, and the next caller is served."""

import asyncio
import random

import grpc
import grpc.aio
import pytest
from google.cloud import tasks_v2
from google.cloud.tasks_v2 import types
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

from tests.cloud_tasks.conftest import PARENT, QUEUE

METHODS = (
    *("ListQueues", "GetQueue", "CreateQueue", "UpdateQueue", "DeleteQueue", "PurgeQueue", "PauseQueue"),
    *("ResumeQueue", "GetIamPolicy", "SetIamPolicy", "TestIamPermissions", "ListTasks", "GetTask"),
    *("CreateTask", "BatchCreateTasks", "DeleteTask", "BatchDeleteTasks", "RunTask"),
    *("UpdateCmekConfig", "GetCmekConfig"),
)


@pytest.fixture
async def call(emulator):
    """Call a method with raw bytes; return the status."""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{emulator.port}") as channel:

        async def call(method: str, data: bytes) -> grpc.StatusCode:
            try:
                await channel.unary_unary(f"/google.cloud.tasks.v2.CloudTasks/{method}")(data, timeout=10)
            except grpc.aio.AioRpcError as error:
                return error.code()
            return grpc.StatusCode.OK

        yield call


@pytest.mark.parametrize("method", METHODS)
async def test_bytes_that_are_no_message_are_the_callers_error(call, method):
    assert await call(method, b"\xff\xfe\x07garbage") == grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("method", METHODS)
async def test_an_empty_message_is_the_callers_error(call, method):
    assert await call(method, b"") == grpc.StatusCode.INVALID_ARGUMENT


async def test_broken_messages_never_break_the_server(queue, call, client):
    dice = random.Random(7)
    request = types.CreateTaskRequest(
        parent=queue,
        task={
            "name": f"{QUEUE}/tasks/t",
            "http_request": {"url": "http://127.0.0.1:1/", "body": b"abc", "headers": {"A": "b"}},
            "schedule_time": {"seconds": 4_000_000_000},
            "dispatch_deadline": {"seconds": 20},
        },
    )
    whole = types.CreateTaskRequest.serialize(request)

    statuses = set()
    for _ in range(300):
        broken = bytearray(whole)
        for _ in range(dice.randint(1, 6)):
            broken[dice.randrange(len(broken))] = dice.randrange(256)
        statuses.add(await call(dice.choice(METHODS), bytes(broken)))

    assert not {grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN, grpc.StatusCode.UNAVAILABLE} & statuses
    assert await client.list_queues(parent=PARENT)


@pytest.mark.parametrize("seconds", [-(2**63), -1, 2**63 - 1])
async def test_times_beyond_all_calendars_are_refused_or_now(queue, call, seconds):
    for field in ("schedule_time", "dispatch_deadline"):
        request = types.CreateTaskRequest.pb(types.CreateTaskRequest())
        request.parent = queue
        request.task.http_request.url = "http://127.0.0.1:1/"
        getattr(request.task, field).seconds = seconds

        status = await call("CreateTask", request.SerializeToString())

        assert status in {grpc.StatusCode.OK, grpc.StatusCode.INVALID_ARGUMENT}


async def test_an_unknown_method_is_unimplemented(call):
    assert await call("Juggle", b"") == grpc.StatusCode.UNIMPLEMENTED


async def test_the_ordinary_client_in_threads_works_too(emulator, sink):
    def work() -> str:
        channel = grpc.insecure_channel(f"127.0.0.1:{emulator.port}")
        client = tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))
        queue = client.create_queue(parent=PARENT, queue={"name": QUEUE})
        task = client.create_task(parent=queue.name, task={"http_request": {"url": sink.url}})
        return task.name

    name = await asyncio.to_thread(work)

    assert (await sink.received(1))[0].task_header("TaskName") == name.rpartition("/")[2]
