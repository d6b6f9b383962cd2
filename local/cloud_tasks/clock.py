"""Time, handed in: the real clock, and one that tests move by hand."""

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from typing import Any, Protocol

# A wall clock can jump (sleep, NTP): no timer is trusted for longer than this.
LONGEST_TIMER = 60.0


class Timer(Protocol):
    def cancel(self) -> None: ...


class Clock(Protocol):
    """Seconds since 1970, and callbacks at a time."""

    def time(self) -> float: ...

    def call_at(self, when: float, callback: Callable[[], Any]) -> Timer:
        """Run `callback` at `when`, or earlier if `when` is far off: a caller looks at the time again."""


class WallClock:
    """The machine's clock, on the running event loop."""

    def time(self) -> float:
        return time.time()

    def call_at(self, when: float, callback: Callable[[], Any]) -> Timer:
        delay = min(max(0.0, when - time.time()), LONGEST_TIMER)
        return asyncio.get_running_loop().call_later(delay, callback)


class ManualClock:
    """A clock that stands still until it is told to advance."""

    def __init__(self, now: float = 1_800_000_000.0) -> None:
        self._now = now
        self._order = itertools.count()
        self._timers: list[tuple[float, int, ManualTimer]] = []

    def time(self) -> float:
        return self._now

    def call_at(self, when: float, callback: Callable[[], Any]) -> Timer:
        timer = ManualTimer(callback)
        heapq.heappush(self._timers, (when, next(self._order), timer))
        return timer

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`, running each due timer at its own time."""
        end = self._now + seconds
        while self._timers and self._timers[0][0] <= end:
            when, _, timer = heapq.heappop(self._timers)
            self._now = max(self._now, when)
            timer.run()
        self._now = end


class ManualTimer:
    """A timer of a ManualClock."""

    def __init__(self, callback: Callable[[], Any]) -> None:
        self._callback: Callable[[], Any] | None = callback

    def cancel(self) -> None:
        self._callback = None

    def run(self) -> None:
        if self._callback is not None:
            self._callback()
