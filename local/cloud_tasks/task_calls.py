"""The calls about single tasks, as the service answers them."""

from google.cloud.tasks_v2 import types
from google.protobuf import empty_pb2

from local.cloud_tasks import task_checks
from local.cloud_tasks.catalog import Catalog
from local.cloud_tasks.clock import Clock
from local.cloud_tasks.dispatcher import Dispatcher
from local.cloud_tasks.messages import FULL, Message
from local.cloud_tasks.names import check_queue, check_task
from local.cloud_tasks.queue_calls import page_size, text_of, token_of
from local.cloud_tasks.queue_state import LiveTask, QueueState
from local.cloud_tasks.refusals import already_exists, invalid, not_found

ListTasksResponse = types.ListTasksResponse.pb()
MAX_PAGE = 1000
# Clients refuse messages above 4 MB, so a page of full tasks ends before that.
_MAX_PAGE_BYTES = 3_000_000


class TaskCalls:
    """CreateTask, GetTask, RunTask ... on a catalog; with `accounts`, no other service account exists."""

    def __init__(
        self, clock: Clock, catalog: Catalog, dispatcher: Dispatcher, accounts: frozenset[str] = frozenset()
    ) -> None:
        self._clock = clock
        self._catalog = catalog
        self._dispatcher = dispatcher
        self._accounts = accounts

    def create_task(self, request: Message) -> Message:
        view = view_of(request.response_view)
        queue = self._catalog.queue(check_queue(request.parent))
        task = self.create(queue, request.task)
        answer = task.view(view)
        self._dispatcher.pump(queue)
        return answer

    def create(self, queue: QueueState, asked: Message) -> LiveTask:
        """Add a task without sending it yet."""
        now = self._clock.time()
        name = asked.name and task_checks.check_name(asked.name, queue.name)
        definition = task_checks.stored(asked, name or self._catalog.free_task_name(queue.name), now)
        self._check_account(definition)
        if name and (name in queue.tasks or self._catalog.reserved.holds(name, now)):
            raise already_exists(f"task {name} exists, or existed within the last day")
        eta = task_checks.schedule_time(asked, now)
        return self._catalog.add_task(queue, definition, eta, named=bool(name))

    def get_task(self, request: Message) -> Message:
        view = view_of(request.response_view)
        return self._catalog.task(check_task(request.name))[1].view(view)

    def delete_task(self, request: Message) -> Message:
        self._catalog.end_task(*self._catalog.task(check_task(request.name)))
        return empty_pb2.Empty()

    def run_task(self, request: Message) -> Message:
        view = view_of(request.response_view)
        queue, task = self._catalog.task(check_task(request.name))
        self._dispatcher.run_now(queue, task)
        return task.view(view)

    def list_tasks(self, request: Message) -> Message:
        view = view_of(request.response_view)
        queue = self._catalog.queue(check_queue(request.parent))
        after = _seq(request.page_token)
        size = page_size(request.page_size, MAX_PAGE)
        return _page([task for task in queue.tasks.values() if task.seq > after], size, view)

    def _check_account(self, definition: Message) -> None:
        request = definition.http_request
        if not self._accounts or not request.HasField("oidc_token"):
            return
        if request.oidc_token.service_account_email not in self._accounts:
            raise not_found(f"there is no service account {request.oidc_token.service_account_email}")


def _page(tasks: "list[LiveTask]", size: int, view: int) -> Message:
    answer, size_in_bytes, last = ListTasksResponse(), 0, 0
    for task in tasks:
        if len(answer.tasks) == size or size_in_bytes > _MAX_PAGE_BYTES:
            answer.next_page_token = token_of(str(last))
            break
        message = task.view(view)
        answer.tasks.append(message)
        size_in_bytes += message.ByteSize()
        last = task.seq
    return answer


def _seq(token: str) -> int:
    text = text_of(token) or "0"
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise invalid("page_token is not one that this service gave")
    return int(text)


def view_of(view: int) -> int:
    if not 0 <= view <= FULL:
        raise invalid(f"{view} is no view: BASIC or FULL")
    return view
