"""What exists: queues, their live tasks, names that are not free. Every change goes to the store too."""

import itertools
import random
from collections.abc import Callable

from local.cloud_tasks.clock import Clock
from local.cloud_tasks.messages import Message
from local.cloud_tasks.names import queue_of
from local.cloud_tasks.progress import Progress
from local.cloud_tasks.queue_state import LiveTask, QueueState
from local.cloud_tasks.refusals import not_found
from local.cloud_tasks.reserved_names import QUEUE_WINDOW, TASK_WINDOW, ReservedNames
from local.cloud_tasks.retrying import RETENTION
from local.cloud_tasks.store import Store
from local.cloud_tasks.throttling import Throttle


class Catalog:
    """Queues by name and tasks by name. `throttle` makes the throttle of a new queue."""

    def __init__(self, clock: Clock, store: Store, throttle: Callable[[], Throttle] = Throttle) -> None:
        self._clock = clock
        self._store = store
        self._throttle = throttle
        self._order = itertools.count(1)
        self.queues: dict[str, QueueState] = {}
        self.reserved = ReservedNames()

    def restore(self) -> None:
        """Take up what the store kept: tasks that were on their way are due again."""
        now = self._clock.time()
        for settings in self._store.queues():
            self.queues[settings.name] = QueueState(settings, now, self._throttle())
        last = 0
        for task in self._store.tasks():
            last = task.seq
            self._take_up(task)
        self._order = itertools.count(last + 1)
        for name, until in self._store.reserved():
            self.reserved.add(name, until)

    def queue(self, name: str) -> QueueState:
        """Return the queue. Raises Refused when there is none."""
        queue = self.queues.get(name)
        if queue is None:
            raise not_found(f"there is no queue {name}; a queue that was just created may need a minute")
        return queue

    def task(self, name: str) -> tuple[QueueState, LiveTask]:
        """Return a live task and its queue. Raises Refused when it never was, is finished or deleted."""
        queue = self.queue(queue_of(name))
        task = queue.tasks.get(name)
        if task is None and self.reserved.knows(name, self._clock.time()):
            raise not_found(f"{name} is no more: it was done, given up or deleted a short while ago")
        if task is None:
            raise not_found(f"there is no task {name}")
        return queue, task

    def keep_queue(self, settings: Message) -> QueueState:
        """Create the queue, or give it new settings."""
        now = self._clock.time()
        queue = self.queues.get(settings.name)
        if queue is None:
            queue = self.queues[settings.name] = QueueState(settings, now, self._throttle())
            self.reserved.free(settings.name)
        else:
            queue.apply(settings, now)
        self._store.keep_queue(settings)
        return queue

    def drop_queue(self, queue: QueueState) -> None:
        """Delete the queue with its tasks; its name stays taken for 3 days."""
        for task in list(queue.tasks.values()):
            queue.remove(task)
            self._store.remove(task)
        del self.queues[queue.name]
        self._store.drop_queue(queue.name)
        self._reserve(queue.name, QUEUE_WINDOW)

    def add_task(self, queue: QueueState, definition: Message, eta: float, *, named: bool) -> LiveTask:
        progress = Progress(eta=eta)
        task = LiveTask(next(self._order), definition, self._clock.time(), progress, named=named)
        queue.add(task)
        self._store.add(task)
        return task

    def end_task(self, queue: QueueState, task: LiveTask) -> None:
        """Remove a task that is done, given up, deleted or purged; its name stays taken for 24 hours."""
        queue.remove(task)
        self._store.remove(task)
        if task.named:
            self._reserve(task.name, TASK_WINDOW)
        else:
            self.reserved.note(task.name)

    def purge(self, queue: QueueState) -> None:
        for task in list(queue.tasks.values()):
            self.end_task(queue, task)

    def progressed(self, task: LiveTask) -> None:
        self._store.update(task)

    def free_task_name(self, queue: str) -> str:
        """Return a name that no task has: a number, as the service's own are."""
        return f"{queue}/tasks/{random.getrandbits(63)}"

    def drop_reserved_names(self) -> None:
        """Make every name free at once, which the real service never does."""
        self.reserved.clear()
        self._store.release(float("inf"))

    def sweep(self) -> None:
        """Forget names whose window is over, and tasks older than 31 days."""
        now = self._clock.time()
        self.reserved.drop_due(now)
        self._store.release(now)
        for queue in self.queues.values():
            for task in [task for task in queue.tasks.values() if task.created + RETENTION <= now]:
                self.end_task(queue, task)

    def _take_up(self, task: LiveTask) -> None:
        queue = self.queues.get(queue_of(task.name))
        if queue is None:
            self._store.remove(task)
            return
        queue.add(task)

    def _reserve(self, name: str, window: float) -> None:
        until = self._clock.time() + window
        self.reserved.add(name, until)
        self._store.reserve(name, until)
