"""The gRPC face: one method per call, bytes in and bytes out, and never an answer other than a status."""

import sys
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import grpc.aio
from google.cloud.location import locations_pb2
from google.cloud.tasks_v2 import types
from google.iam.v1 import iam_policy_pb2
from google.longrunning import operations_pb2  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError

from local.cloud_tasks.batch_calls import BatchCalls
from local.cloud_tasks.messages import Message
from local.cloud_tasks.queue_calls import QueueCalls
from local.cloud_tasks.refusals import Refused
from local.cloud_tasks.side_calls import SideCalls
from local.cloud_tasks.store import Store, StoreFailed
from local.cloud_tasks.task_calls import TaskCalls

Call = Callable[[Message], Message]

OPTIONS = [
    # Two emulators on one port would share its calls between them, in silence.
    ("grpc.so_reuseport", 0),
    # A batch of 100 tasks of 1 MB.
    ("grpc.max_receive_message_length", 128 * 1024 * 1024),
    ("grpc.max_send_message_length", 128 * 1024 * 1024),
]


def handlers(queues: QueueCalls, tasks: TaskCalls, batches: BatchCalls, side: SideCalls, store: Store) -> list[Any]:
    """Return the handlers of the three services that a client speaks to."""

    def changes(kind: Any, call: Call) -> Any:
        return _method(kind, call, store.committed)

    def reads(kind: Any, call: Call) -> Any:
        return _method(kind, call, None)

    cloud_tasks = {
        "ListQueues": reads(types.ListQueuesRequest.pb(), queues.list_queues),
        "GetQueue": reads(types.GetQueueRequest.pb(), queues.get_queue),
        "CreateQueue": changes(types.CreateQueueRequest.pb(), queues.create_queue),
        "UpdateQueue": changes(types.UpdateQueueRequest.pb(), queues.update_queue),
        "DeleteQueue": changes(types.DeleteQueueRequest.pb(), queues.delete_queue),
        "PurgeQueue": changes(types.PurgeQueueRequest.pb(), queues.purge_queue),
        "PauseQueue": changes(types.PauseQueueRequest.pb(), queues.pause_queue),
        "ResumeQueue": changes(types.ResumeQueueRequest.pb(), queues.resume_queue),
        "GetIamPolicy": reads(iam_policy_pb2.GetIamPolicyRequest, side.get_iam_policy),
        "SetIamPolicy": reads(iam_policy_pb2.SetIamPolicyRequest, side.set_iam_policy),
        "TestIamPermissions": reads(iam_policy_pb2.TestIamPermissionsRequest, side.test_iam_permissions),
        "ListTasks": reads(types.ListTasksRequest.pb(), tasks.list_tasks),
        "GetTask": reads(types.GetTaskRequest.pb(), tasks.get_task),
        "CreateTask": changes(types.CreateTaskRequest.pb(), tasks.create_task),
        "BatchCreateTasks": changes(types.BatchCreateTasksRequest.pb(), batches.batch_create_tasks),
        "DeleteTask": changes(types.DeleteTaskRequest.pb(), tasks.delete_task),
        "BatchDeleteTasks": changes(types.BatchDeleteTasksRequest.pb(), batches.batch_delete_tasks),
        "RunTask": changes(types.RunTaskRequest.pb(), tasks.run_task),
        "UpdateCmekConfig": reads(types.UpdateCmekConfigRequest.pb(), side.update_cmek_config),
        "GetCmekConfig": reads(types.GetCmekConfigRequest.pb(), side.get_cmek_config),
    }
    operations = {"GetOperation": reads(operations_pb2.GetOperationRequest, batches.get_operation)}
    locations = {
        "ListLocations": reads(locations_pb2.ListLocationsRequest, side.list_locations),
        "GetLocation": reads(locations_pb2.GetLocationRequest, side.get_location),
    }
    return [
        grpc.method_handlers_generic_handler("google.cloud.tasks.v2.CloudTasks", cloud_tasks),
        grpc.method_handlers_generic_handler("google.longrunning.Operations", operations),
        grpc.method_handlers_generic_handler("google.cloud.location.Locations", locations),
    ]


def _method(kind: Any, call: Call, committed: Callable[[], Awaitable[None]] | None) -> Any:
    """Return a handler. It gets raw bytes, so that garbage is the caller's error and not the server's."""

    async def answer(data: bytes, context: Any) -> bytes:
        try:
            message = call(kind.FromString(data))
            if committed is not None:
                await committed()
        except DecodeError:
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, f"this is no {kind.DESCRIPTOR.name}")
        except Refused as refused:
            await context.abort(refused.code, refused.message)
        except StoreFailed as failed:
            await context.abort(grpc.StatusCode.UNAVAILABLE, str(failed))
        except Exception:  # noqa: BLE001 - the server answers, whatever happens
            traceback.print_exc(file=sys.stderr)
            await context.abort(grpc.StatusCode.INTERNAL, "the emulator failed; its log says how")
        return bytes(message.SerializeToString())

    return grpc.unary_unary_rpc_method_handler(answer)
