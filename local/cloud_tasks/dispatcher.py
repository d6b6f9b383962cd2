"""Sends tasks when their queue lets them go, and decides what follows from each attempt.

a task is added, an attempt ends, a timer rings, a queue is resumed -> pump
pump: while the queue has one ready -> attempt -> done | again later | given up
"""

import asyncio
import sys
import traceback
from collections.abc import Callable

from local.cloud_tasks import names
from local.cloud_tasks import progress as steps
from local.cloud_tasks.catalog import Catalog
from local.cloud_tasks.clock import Clock, Timer
from local.cloud_tasks.delivery import Delivery, Verdict
from local.cloud_tasks.progress import DEADLINE_EXCEEDED, NO_ANSWER
from local.cloud_tasks.queue_settings import task_rule
from local.cloud_tasks.queue_state import LiveTask, QueueState
from local.cloud_tasks.retrying import GiveUp, Retry, RetryRule, after_failure

_NO_ANSWER = {NO_ANSWER: "no answer", DEADLINE_EXCEEDED: "no answer by its deadline"}


class Dispatcher:
    """Moves the tasks of all queues."""

    def __init__(
        self,
        clock: Clock,
        catalog: Catalog,
        delivery: Delivery,
        log: Callable[[str], None] | None = None,
        notice: Callable[[str], None] | None = None,
    ) -> None:
        """`log` is told of every attempt that failed, in a line; `notice` of every queue that is throttled."""
        self._clock = clock
        self._catalog = catalog
        self._delivery = delivery
        self._log = log
        self._notice = notice
        self._timers: dict[str, tuple[float, Timer]] = {}
        self._attempts: set[asyncio.Task[None]] = set()
        self._stopped = False

    def pump(self, queue: QueueState) -> None:
        """Start every attempt that may start now, and come back when the next one may."""
        if self._stopped:
            return
        now = self._clock.time()
        while (at := queue.next_ready(now)) is not None and at <= now:
            self._start(queue, queue.take(now), now)
        if at is not None:
            self._wake(queue, at)

    def pump_all(self) -> None:
        for queue in self._catalog.queues.values():
            self.pump(queue)

    def run_now(self, queue: QueueState, task: LiveTask) -> None:
        """Start an attempt whatever the limits, the pause or another attempt."""
        queue.take_out(task)
        now = self._clock.time()
        self._start(queue, task, now, called_at=now)

    async def settled(self) -> None:
        """Return when no attempt is on its way."""
        while self._attempts:
            await asyncio.wait(self._attempts)

    async def stop(self, grace: float) -> None:
        """Start no more, and give the attempts on their way `grace` seconds before they are dropped."""
        self._stopped = True
        for _, timer in self._timers.values():
            timer.cancel()
        if self._attempts:
            await asyncio.wait(self._attempts, timeout=grace)
        for attempt in self._attempts:
            attempt.cancel()
        await asyncio.gather(*self._attempts, return_exceptions=True)

    def _wake(self, queue: QueueState, at: float) -> None:
        known = self._timers.get(queue.name)
        if known is not None:
            if known[0] <= at:
                return  # it rings no later, and looks again
            known[1].cancel()
        self._timers[queue.name] = at, self._clock.call_at(at, lambda: self._rung(queue.name))

    def _rung(self, name: str) -> None:
        del self._timers[name]
        if name in self._catalog.queues:
            self.pump(self._catalog.queues[name])

    def _start(self, queue: QueueState, task: LiveTask, now: float, called_at: float | None = None) -> None:
        before = task.progress
        task.progress = steps.sent(before, now)
        queue.running += 1
        task.running += 1
        attempt = asyncio.create_task(self._attempt(queue, task, before, called_at))
        self._attempts.add(attempt)
        attempt.add_done_callback(self._attempts.discard)

    async def _attempt(
        self, queue: QueueState, task: LiveTask, before: steps.Progress, called_at: float | None
    ) -> None:
        try:
            verdict = await self._delivery.attempt(task, queue, before)
        except Exception:  # noqa: BLE001 - one strange task must not stop its queue
            traceback.print_exc(file=sys.stderr)
            verdict = Verdict(NO_ANSWER, answered=False)
        finally:
            queue.running -= 1
            task.running -= 1
        self._conclude(queue, task, verdict, called_at)
        self.pump(queue)

    def _conclude(self, queue: QueueState, task: LiveTask, verdict: Verdict, called_at: float | None) -> None:
        now = self._clock.time()
        change = queue.saw(verdict.status, now)
        if change is not None and self._notice is not None:
            self._notice(f"{names.last_part(queue.name)}: {change}")
        if task.gone:
            return
        if verdict.success:
            self._catalog.end_task(queue, task)
        else:
            self._failed(queue, task, verdict, now if called_at is None else called_at)

    def _failed(self, queue: QueueState, task: LiveTask, verdict: Verdict, since: float) -> None:
        progress = _after(task, verdict, self._clock.time())
        decision = after_failure(
            _rule(task, queue),
            attempts=progress.dispatched,
            first_attempt=progress.first_sent or since,
            created=task.created,
            now=since,
            retry_after=verdict.retry_after,
        )
        if self._log is not None:
            self._log(_line(task, verdict, progress.dispatched, decision, self._clock.time()))
        if isinstance(decision, GiveUp):
            self._catalog.end_task(queue, task)
            return
        task.progress = progress._replace(eta=decision.at)
        self._catalog.progressed(task)
        if not task.running:
            queue.wait(task)


def _line(task: LiveTask, verdict: Verdict, attempt: int, decision: Retry | GiveUp, now: float) -> str:
    ended = f"answer {verdict.status}" if verdict.answered else _NO_ANSWER[verdict.status]
    if isinstance(decision, GiveUp):
        following = f"deleted, because {decision.reason}"
    else:
        following = f"again in {max(0.0, decision.at - now):.1f} s"
    return f"{names.last_part(task.name)}: attempt {attempt}: {ended}; {following}"


def _rule(task: LiveTask, queue: QueueState) -> RetryRule:
    own = task.definition
    return task_rule(own.retry_config, queue.rule) if own.HasField("retry_config") else queue.rule


def _after(task: LiveTask, verdict: Verdict, now: float) -> steps.Progress:
    if not verdict.answered:
        return steps.unanswered(task.progress, verdict.status)
    app_engine = task.definition.HasField("app_engine_http_request")
    return steps.answered(task.progress, verdict.status, now, counts_5xx=app_engine)
