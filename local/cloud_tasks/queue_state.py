"""One queue: its settings, its live tasks, and which of them may go next. No I/O, and the clock comes in."""

import heapq

from local.cloud_tasks import progress as steps
from local.cloud_tasks.messages import BASIC, PAUSED, Message, Task
from local.cloud_tasks.progress import Progress
from local.cloud_tasks.retrying import rule_of
from local.cloud_tasks.throttling import Throttle
from local.cloud_tasks.token_bucket import TokenBucket


class LiveTask:
    """A task that is neither finished nor deleted."""

    __slots__ = (
        "created",
        "definition",
        "gone",
        "name",
        "named",
        "progress",
        "running",
        "seq",
        "turn",
    )

    def __init__(self, seq: int, definition: Message, created: float, progress: Progress, *, named: bool) -> None:
        self.seq = seq
        self.name: str = definition.name
        self.named = named
        self.definition = definition
        self.created = created
        self.progress = progress
        self.running = 0
        self.turn = 0  # which entry of the waiting heap is the valid one
        self.gone = False

    def view(self, view: int) -> Message:
        """Return the Task message as a caller sees it; without its body unless `view` is FULL."""
        task = Task()
        task.CopyFrom(self.definition)
        steps.write(self.progress, task)
        task.view = view or BASIC
        if task.view == BASIC:
            _drop_body(task)
        return task


class QueueState:
    """The tasks of a queue in the order they fall due, and the limits under which they go."""

    def __init__(self, settings: Message, now: float, throttle: Throttle | None = None) -> None:
        self.name: str = settings.name
        self.tasks: dict[str, LiveTask] = {}
        self.running = 0
        self._waiting: list[tuple[float, int, int, LiveTask]] = []
        self._throttle = throttle or Throttle()
        self._bucket = TokenBucket(1.0, settings.rate_limits.max_burst_size, now)
        self.apply(settings, now)

    def apply(self, settings: Message, now: float) -> None:
        """Take new settings (complete, with defaults)."""
        self.settings = settings
        self.rule = rule_of(settings.retry_config)
        self._pace(now)

    def add(self, task: LiveTask) -> None:
        self.tasks[task.name] = task
        self.wait(task)

    def wait(self, task: LiveTask) -> None:
        """Line the task up for its schedule time."""
        task.turn += 1
        heapq.heappush(self._waiting, (task.progress.eta, task.seq, task.turn, task))

    def remove(self, task: LiveTask) -> None:
        task.gone = True
        self.tasks.pop(task.name, None)

    def next_ready(self, now: float) -> float | None:
        """Return when the next task may go: `now` if it may, None while no passing of time helps."""
        if self.settings.state == PAUSED or not self.has_slot():
            return None
        first = self._first()
        if first is None:
            return None
        self._pace(now)
        return max(first.progress.eta, now + self._bucket.wait(now))

    def take(self, now: float) -> LiveTask:
        """Take the task that is next, and its token. Only when one is ready."""
        self._bucket.take(now)
        task = heapq.heappop(self._waiting)[3]
        task.turn += 1
        return task

    def take_out(self, task: LiveTask) -> None:
        """Take a task out of its turn, as RunTask does: no limit counts."""
        task.turn += 1

    def has_slot(self) -> bool:
        return self.running < int(self.settings.rate_limits.max_concurrent_dispatches)

    def saw(self, status: int, now: float) -> str | None:
        """Let the throttle know how an attempt went. Returns a line when it begins or ceases to slow the queue down."""
        return self._throttle.saw(status, now)

    def share(self, now: float) -> float:
        """Return the share of its rate that the queue may use now."""
        return self._throttle.factor(now)

    def _first(self) -> LiveTask | None:
        while self._waiting:
            _, _, turn, task = self._waiting[0]
            if not task.gone and turn == task.turn:
                return task
            heapq.heappop(self._waiting)
        return None

    def _pace(self, now: float) -> None:
        limits = self.settings.rate_limits
        rate = limits.max_dispatches_per_second * self._throttle.factor(now)
        if (rate, limits.max_burst_size) != (self._bucket.rate, self._bucket.burst):
            self._bucket.change(rate, limits.max_burst_size, now)


def _drop_body(task: Message) -> None:
    if task.HasField("http_request"):
        task.http_request.ClearField("body")
    elif task.HasField("app_engine_http_request"):
        task.app_engine_http_request.ClearField("body")
