"""The instances of one service: which of them takes a request, when another is started, when one is stopped."""

import asyncio
from collections import Counter, deque
from collections.abc import Callable, Coroutine
from typing import Any

from standins.cloud_run.instance import GRACE_SECONDS, PROBE_SECONDS, Instance, NotStarted, spawn
from standins.cloud_run.refusals import no_instance, not_started
from standins.cloud_run.services import Service

# https://docs.cloud.google.com/run/docs/about-instance-autoscaling: a request waits for an instance up to 3.5 times
# the average startup time or 10 s, whichever is longer.
PENDING_SECONDS = 10.0
STARTUPS_PENDING = 3.5
# Google samples at most one request in ten seconds of those that bring no trace.
SAMPLE_SECONDS = 10.0


class Pool:
    """Call `acquire` before a request and `release` after it."""

    def __init__(
        self, service: Service, log: Callable[[str], None], changed: Callable[[], None] = lambda: None
    ) -> None:
        """`changed` is called when an instance has started or ended."""
        self.service = service
        self._changed = changed
        self.instances: list[Instance] = []
        self.counts: Counter[int] = Counter()
        self.starts = self.ends = self.requests = 0
        self._startup_seconds = 0.0
        self._started_up = 0
        self._waiting: deque[asyncio.Future[Instance]] = deque()
        self._spawning = 0
        self._idle_timers: dict[Instance, asyncio.TimerHandle] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self.log = log
        self._closed = False
        self._sampled_at = float("-inf")

    def keep_minimum(self) -> None:
        """Start instances up to min_instances."""
        while not self._closed and self._current() < self.service.min_instances:
            self._start_one()

    async def acquire(self) -> Instance:
        """An instance that has begun a request. Raises Refused: 429 when none is free in time, 503 when none starts."""
        if instance := self._with_room():
            self._enter(instance)
            return instance
        given: asyncio.Future[Instance] = asyncio.get_running_loop().create_future()
        self._waiting.append(given)
        self._scale_out()
        try:
            return await self._patiently(given)
        except TimeoutError:
            raise no_instance() from None
        except asyncio.CancelledError:
            if given.done() and not given.cancelled() and not given.exception():
                self.release(given.result())
            raise
        finally:
            given.cancel()

    async def _patiently(self, given: asyncio.Future[Instance]) -> Instance:
        while True:
            done, _ = await asyncio.wait([given], timeout=self._patience())
            if done:
                return given.result()
            # How long a first start takes is not known before it is over.
            if self._started_up or not self._starting():
                raise TimeoutError

    def _patience(self) -> float:
        average = self._startup_seconds / self._started_up if self._started_up else 0.0
        return max(PENDING_SECONDS, STARTUPS_PENDING * average)

    def release(self, instance: Instance) -> None:
        """The request is over: its place goes to the next that waits, or the instance is frozen."""
        instance.leave()
        self._hand_over()
        instance.freeze_if_idle()
        self._became_idle(instance)

    def doubt(self, instance: Instance) -> None:
        """Its connection broke in the middle of a request: it may be about to end."""
        if not instance.doubted:
            instance.doubted = True
            self._keep(self._look_again(instance))

    async def _look_again(self, instance: Instance) -> None:
        await asyncio.sleep(PROBE_SECONDS)
        try:
            await instance.listening()
        except NotStarted:
            instance.abandon()
            return
        instance.doubted = False
        self._hand_over()

    def sample(self) -> bool:
        """Whether a request that brings no trace is to be traced."""
        now = asyncio.get_running_loop().time()
        if now < self._sampled_at + SAMPLE_SECONDS:
            return False
        self._sampled_at = now
        return True

    def replace(self, service: Service) -> None:
        """A new deployment: new requests go to new instances, the old ones finish theirs and stop."""
        self.service = service
        for instance in self.instances:
            instance.retired = True
            if instance.in_flight == 0 and instance.state != "starting":
                self._stop(instance)
        self.keep_minimum()
        self._scale_out()

    async def close(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Stop every instance."""
        self._closed = True
        for timer in self._idle_timers.values():
            timer.cancel()
        for waiting in self._waiting:
            waiting.cancel()
        await asyncio.gather(*(instance.stop(grace_seconds) for instance in self.instances))
        await asyncio.gather(*self._tasks)

    def _with_room(self) -> Instance | None:
        """The least busy, and of those the oldest: load is spread, and when it lessens the youngest fall idle."""
        while with_room := [instance for instance in self.instances if instance.has_room]:
            chosen = min(with_room, key=lambda instance: (instance.in_flight, instance.number))
            if not chosen.died_frozen():
                return chosen
            chosen.abandon()
        return None

    def _enter(self, instance: Instance) -> None:
        if timer := self._idle_timers.pop(instance, None):
            timer.cancel()
        instance.enter()

    def _hand_over(self) -> None:
        while self._waiting:
            if self._waiting[0].done():
                self._waiting.popleft()
            elif instance := self._with_room():
                self._enter(instance)
                self._waiting.popleft().set_result(instance)
            else:
                return

    def _starting(self) -> int:
        here = sum(instance.state == "starting" and not instance.retired for instance in self.instances)
        return here + self._spawning

    def _current(self) -> int:
        """Instances of this deployment."""
        here = sum(not instance.retired and instance.state not in {"stopping", "ended"} for instance in self.instances)
        return here + self._spawning

    def _scale_out(self) -> None:
        """As many more as those that wait need, and as are allowed."""
        waiting = sum(not each.done() for each in self._waiting)
        while (
            not self._closed
            and waiting > self._starting() * self.service.concurrency
            and self._current() < self.service.max_instances
        ):
            self._start_one()

    def _start_one(self) -> None:
        self.starts += 1
        self._spawning += 1
        self._keep(self._live(self.starts, self.service))

    def _keep(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _live(self, number: int, service: Service) -> None:
        """An instance from its start to its end."""
        began = asyncio.get_running_loop().time()
        try:
            instance = await spawn(service, number, self.log)
        except NotStarted as error:
            self._start_failed(error)
            return
        finally:
            self._spawning -= 1
        self.instances.append(instance)
        self._changed()
        try:
            if self._closed:
                await instance.stop()
            else:
                await self._serve_until_its_end(instance, began)
        finally:
            instance.kill()
            self._ended(instance)

    async def _serve_until_its_end(self, instance: Instance, began: float) -> None:
        try:
            await instance.listening()
        except NotStarted as error:
            self._start_failed(error)
            return
        instance.started_up = True
        self._started_up += 1
        seconds = asyncio.get_running_loop().time() - began
        self._startup_seconds += seconds
        self.log(f"{instance.name}: instance ready after {seconds:.1f} s")
        if instance.state == "starting":
            instance.state = "active"
            self._hand_over()
            instance.freeze_if_idle()
            self._became_idle(instance)
        await instance.process.wait()

    def _start_failed(self, error: NotStarted) -> None:
        self.log(str(error))
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_exception(not_started())

    def _ended(self, instance: Instance) -> None:
        self.ends += 1
        self.instances.remove(instance)
        self._changed()
        if timer := self._idle_timers.pop(instance, None):
            timer.cancel()
        code = instance.process.returncode
        how = "stopped" if instance.state == "stopping" else f"ended by itself or was killed ({code})"
        instance.state = "ended"
        self.log(f"{instance.name}: instance {how}")
        self._scale_out()
        # One that never came up would not do so now either: the next request tries again.
        if instance.started_up:
            self.keep_minimum()

    def _became_idle(self, instance: Instance) -> None:
        if instance.in_flight or instance.state not in {"active", "frozen"}:
            return
        if instance.retired:
            self._stop(instance)
            return
        if instance in self._idle_timers:
            return
        loop = asyncio.get_running_loop()
        self._idle_timers[instance] = loop.call_later(self.service.idle_seconds, self._scale_in, instance)

    def _scale_in(self, instance: Instance) -> None:
        del self._idle_timers[instance]
        if self._current() > self.service.min_instances:
            self._stop(instance)

    def _stop(self, instance: Instance) -> None:
        if instance.state in {"stopping", "ended"}:
            return
        instance.state = "stopping"
        self._keep(instance.stop())
