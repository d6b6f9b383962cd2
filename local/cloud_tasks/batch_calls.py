"""BatchCreateTasks and BatchDeleteTasks: long-running operations that are done when they are answered."""

import uuid
from collections import OrderedDict
from collections.abc import Callable, Sequence
from functools import partial

import grpc
from google.longrunning import operations_pb2  # type: ignore[import-untyped]
from google.protobuf import empty_pb2
from google.rpc import code_pb2, status_pb2

from local.cloud_tasks.catalog import Catalog
from local.cloud_tasks.clock import Clock
from local.cloud_tasks.dispatcher import Dispatcher
from local.cloud_tasks.messages import (
    BatchCreateTasksMetadata,
    BatchCreateTasksResponse,
    BatchDeleteTasksMetadata,
    Message,
    set_time,
)
from local.cloud_tasks.names import check_queue
from local.cloud_tasks.refusals import Refused, invalid, not_found
from local.cloud_tasks.task_calls import TaskCalls, view_of
from local.cloud_tasks.task_checks import check_name

MOST_CREATED = 100
MOST_DELETED = 1000
_OPERATIONS_KEPT = 1000


class BatchCalls:
    """Runs a batch item by item: what one item is refused for does not hold back the others."""

    def __init__(self, clock: Clock, catalog: Catalog, dispatcher: Dispatcher, tasks: TaskCalls) -> None:
        self._clock = clock
        self._catalog = catalog
        self._dispatcher = dispatcher
        self._tasks = tasks
        self._operations: OrderedDict[str, Message] = OrderedDict()

    def batch_create_tasks(self, request: Message) -> Message:
        queue = self._catalog.queue(check_queue(request.parent))
        _check_count(len(request.requests), MOST_CREATED)
        if any(one.parent not in {"", request.parent} for one in request.requests):
            raise invalid("every request's parent must be the batch's parent")
        known = self._known(request)
        if known is not None:
            return known
        answer = BatchCreateTasksResponse()

        def create(one: Message) -> None:
            view = view_of(one.response_view)
            answer.tasks.append(self._tasks.create(queue, one.task).view(view))

        items = [partial(create, one) for one in request.requests]
        operation = self._run(request, BatchCreateTasksMetadata(), items, answer)
        self._dispatcher.pump(queue)
        return operation

    def batch_delete_tasks(self, request: Message) -> Message:
        queue = self._catalog.queue(check_queue(request.parent))
        _check_count(len(request.names), MOST_DELETED)
        known = self._known(request)
        if known is not None:
            return known
        items = [partial(self._delete, queue.name, name) for name in request.names]
        return self._run(request, BatchDeleteTasksMetadata(), items, empty_pb2.Empty())

    def get_operation(self, request: Message) -> Message:
        operation = self._operations.get(request.name)
        if operation is None:
            raise not_found(f"there is no operation {request.name}")
        return operation

    def _delete(self, queue: str, name: str) -> None:
        self._catalog.end_task(*self._catalog.task(check_name(name, queue)))

    def _known(self, request: Message) -> Message | None:
        """Return the operation of the same request_id: a caller that repeats itself."""
        return self._operations.get(_operation_name(request)) if request.request_id else None

    def _run(
        self, request: Message, metadata: Message, items: Sequence[Callable[[], object]], answer: Message
    ) -> Message:
        set_time(metadata.start_time, self._clock.time())
        failed = _each(items)
        set_time(metadata.end_time, self._clock.time())
        for index, status in failed.items():
            metadata.failed_requests[index].CopyFrom(status)
        metadata.state = metadata.State.Value(_state(len(failed), len(items)))
        operation = operations_pb2.Operation(name=_operation_name(request), done=True)
        operation.metadata.Pack(metadata)
        if len(failed) < len(items):
            operation.response.Pack(answer)
        else:
            operation.error.code = code_pb2.ABORTED
            operation.error.message = "no request of the batch succeeded; failed_requests says why"
        return self._keep(operation)

    def _keep(self, operation: Message) -> Message:
        self._operations[operation.name] = operation
        if len(self._operations) > _OPERATIONS_KEPT:
            self._operations.popitem(last=False)
        return operation


def _each(items: Sequence[Callable[[], object]]) -> dict[int, Message]:
    failed = {}
    for index, item in enumerate(items):
        try:
            item()
        except Refused as refused:
            failed[index] = status_pb2.Status(code=_number(refused.code), message=refused.message)
    return failed


def _state(failed: int, total: int) -> str:
    if not failed:
        return "SUCCEEDED"
    return "PARTIALLY_SUCCEEDED" if failed < total else "FAILED"


def _number(code: grpc.StatusCode) -> int:
    return int(code.value[0])


def _check_count(count: int, most: int) -> None:
    if not 0 < count <= most:
        raise invalid(f"a batch has 1 to {most} requests, not {count}")


def _operation_name(request: Message) -> str:
    location = request.parent.partition("/queues/")[0]
    return f"{location}/operations/{request.request_id or uuid.uuid4()}"
