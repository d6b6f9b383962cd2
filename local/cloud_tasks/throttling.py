"""System throttling and slow start: how much of its rate a queue may use now.

The service slows a whole queue whose worker answers 429 or 503, or fails at a high rate, and brings it back
gradually; the queue's settings stay. It lets a new or idle queue speed up step by step. That it does is documented,
by how much is not: every amount in this file is ours.
"""

from collections import deque

_SLOWEST = 0.05
# An answer of 429 or 503, or any failure while the rate of failures is high, takes a tenth of the share away; a success
# gives a fiftieth of the whole back. So it takes 48 successes from the slowest to the whole.
_LESS = 0.9
_MORE = 0.02
# The rate of failures is high when half of the last minute's attempts failed, and there were 20 or more: one task that
# fails again and again does not slow its queue down.
_HIGH_RATE = 0.5
_RATE_SECONDS = 60.0
_FEWEST_ATTEMPTS = 20
_MOST_ATTEMPTS = 200
# After so long without an attempt the queue is as good as new.
_FORGOTTEN_SECONDS = 600.0

_IDLE_SECONDS = 60.0
_DOUBLING_SECONDS = 10.0
_START = 1 / 16


class Throttle:
    """The share of its rate that a queue may use now, 0.05 to 1."""

    def __init__(self, *, on_overload: bool = False, slow_start: bool = False) -> None:
        self._on_overload = on_overload
        self._slow_start = slow_start
        self._share = 1.0
        self._attempts: deque[tuple[float, bool]] = deque(maxlen=_MOST_ATTEMPTS)
        self._started: float | None = None
        self._seen: float | None = None

    def saw(self, status: int, now: float) -> str | None:
        """Count how an attempt ended. Returns a line for the log when the queue begins or ceases to be throttled."""
        before = self._recovered(now)
        self._seen = now
        if not self._on_overload:
            return None
        failed = not 200 <= status < 300
        self._attempts.append((now, failed))
        if status in {429, 503} or (failed and self._fails_often(now)):
            self._share = max(_SLOWEST, before * _LESS)
        elif not failed:
            self._share = min(1.0, before + _MORE)
        return _change(before, self._share, status)

    def factor(self, now: float) -> float:
        """Return the share at `now`."""
        return self._recovered(now) * self._ramp(now)

    def _recovered(self, now: float) -> float:
        if self._seen is not None and now - self._seen > _FORGOTTEN_SECONDS:
            self._share = 1.0
        return self._share

    def _fails_often(self, now: float) -> bool:
        while self._attempts and now - self._attempts[0][0] > _RATE_SECONDS:
            self._attempts.popleft()
        failures = sum(failed for _, failed in self._attempts)
        return len(self._attempts) >= _FEWEST_ATTEMPTS and failures >= _HIGH_RATE * len(self._attempts)

    def _ramp(self, now: float) -> float:
        if not self._slow_start:
            return 1.0
        if self._started is None or (self._seen is not None and now - self._seen > _IDLE_SECONDS):
            self._started, self._seen = now, now
        return float(min(1.0, _START * 2 ** ((now - self._started) // _DOUBLING_SECONDS)))


def _change(before: float, after: float, status: int) -> str | None:
    if before == 1.0 > after:
        why = f"answer {status}" if status in {429, 503} else "half of its attempts fail"
        return f"throttled: {why}; it slows down to {_SLOWEST:.0%} of its rate while that goes on"
    return "throttled no more" if before < 1.0 == after else None
