"""The calls about queues, as the service answers them."""

import base64
import binascii
import re
from collections.abc import Iterable

from google.cloud.tasks_v2 import types
from google.protobuf import empty_pb2

from local.cloud_tasks import queue_settings
from local.cloud_tasks.catalog import Catalog
from local.cloud_tasks.clock import Clock
from local.cloud_tasks.dispatcher import Dispatcher
from local.cloud_tasks.messages import PAUSED, RUNNING, Message, Queue, set_time
from local.cloud_tasks.names import check_location, check_queue
from local.cloud_tasks.refusals import already_exists, invalid, too_recent

ListQueuesResponse = types.ListQueuesResponse.pb()
MAX_PAGE = 9800
_FILTER = re.compile(r"\s*(state|name)\s*(?:[:=])\s*\"?([A-Za-z0-9/:._\-]+)\"?\s*")


class QueueCalls:
    """CreateQueue, UpdateQueue, PauseQueue ... on a catalog. Each raises Refused where the service does."""

    def __init__(self, clock: Clock, catalog: Catalog, dispatcher: Dispatcher) -> None:
        self._clock = clock
        self._catalog = catalog
        self._dispatcher = dispatcher

    def list_queues(self, request: Message) -> Message:
        prefix = f"{check_location(request.parent)}/queues/"
        wanted = _filtered(
            (queue.settings for queue in self._catalog.queues.values() if queue.name.startswith(prefix)),
            request.filter,
        )
        after = text_of(request.page_token)
        rest = sorted((queue for queue in wanted if queue.name > after), key=lambda queue: str(queue.name))
        size = page_size(request.page_size, MAX_PAGE)
        answer = ListQueuesResponse(queues=rest[:size])
        if len(rest) > size:
            answer.next_page_token = token_of(rest[size - 1].name)
        return answer

    def get_queue(self, request: Message) -> Message:
        return self._catalog.queue(check_queue(request.name)).settings

    def create_queue(self, request: Message) -> Message:
        parent, name = check_location(request.parent), check_queue(request.queue.name)
        if not name.startswith(f"{parent}/queues/"):
            raise invalid(f"{name!r} is not a queue of {parent}")
        settings = queue_settings.created(request.queue)
        if name in self._catalog.queues:
            raise already_exists(f"queue {name} exists")
        return self._create(settings)

    def update_queue(self, request: Message) -> Message:
        name = check_queue(request.queue.name)
        if name not in self._catalog.queues:
            return self._create(queue_settings.created(request.queue))
        now = self._catalog.queue(name).settings
        return self._keep(queue_settings.updated(now, request.queue, request.update_mask))

    def delete_queue(self, request: Message) -> Message:
        self._catalog.drop_queue(self._catalog.queue(check_queue(request.name)))
        return empty_pb2.Empty()

    def purge_queue(self, request: Message) -> Message:
        queue = self._catalog.queue(check_queue(request.name))
        self._catalog.purge(queue)
        settings = _copy(queue.settings)
        set_time(settings.purge_time, self._clock.time())
        return self._keep(settings)

    def pause_queue(self, request: Message) -> Message:
        return self._set_state(request.name, PAUSED)

    def resume_queue(self, request: Message) -> Message:
        return self._set_state(request.name, RUNNING)

    def _set_state(self, name: str, state: int) -> Message:
        settings = _copy(self._catalog.queue(check_queue(name)).settings)
        settings.state = state
        return self._keep(settings)

    def _create(self, settings: Message) -> Message:
        if self._catalog.reserved.holds(settings.name, self._clock.time()):
            raise too_recent(f"queue {settings.name} was deleted a short while ago; its name is not free yet")
        return self._keep(settings)

    def _keep(self, settings: Message) -> Message:
        self._dispatcher.pump(self._catalog.keep_queue(settings))
        return settings


def page_size(asked: int, most: int) -> int:
    if asked < 0:
        raise invalid("page_size must not be negative")
    return min(asked or most, most)


def token_of(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


def text_of(token: str) -> str:
    try:
        return base64.b64decode(token.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeError) as error:
        raise invalid("page_token is not one that this service gave") from error


def _filtered(queues: Iterable[Message], condition: str) -> Iterable[Message]:
    if not condition.strip():
        return queues
    match = _FILTER.fullmatch(condition)
    if match is None:
        raise invalid(f"filter {condition!r}: only state: VALUE and name: VALUE are understood")
    field, value = match.groups()
    if field == "name":
        return (queue for queue in queues if value in queue.name)
    return (queue for queue in queues if Queue.State.Name(queue.state) == value.upper())


def _copy(settings: Message) -> Message:
    copy = Queue()
    copy.CopyFrom(settings)
    return copy
