"""System throttling and slow start, both off unless asked for.

The service slows a whole queue whose worker answers 429 or 503, and lets a new or idle queue speed up step by
step. That it does is documented, by how much is not: the steps here are guesses of a plausible size.
"""

_SLOWEST = 0.05
_IDLE_SECONDS = 60.0
_DOUBLING_SECONDS = 10.0
_START = 1 / 16


class Throttle:
    """The share of its rate that a queue may use now, 0.05 to 1."""

    def __init__(self, *, on_overload: bool = False, slow_start: bool = False) -> None:
        self._on_overload = on_overload
        self._slow_start = slow_start
        self._share = 1.0
        self._started: float | None = None
        self._seen: float | None = None

    def saw(self, status: int, now: float) -> None:
        """Count an answer: 429 and 503 take a tenth away, any other gives a fiftieth back."""
        self._seen = now
        if not self._on_overload:
            return
        overloaded = status in {429, 503}
        self._share = max(_SLOWEST, self._share * 0.9) if overloaded else min(1.0, self._share + 0.02)

    def factor(self, now: float) -> float:
        """Return the share at `now`."""
        return self._share * self._ramp(now)

    def _ramp(self, now: float) -> float:
        if not self._slow_start:
            return 1.0
        if self._started is None or (self._seen is not None and now - self._seen > _IDLE_SECONDS):
            self._started, self._seen = now, now
        return float(min(1.0, _START * 2 ** ((now - self._started) // _DOUBLING_SECONDS)))
