"""The token bucket that paces a queue: one token per dispatch, refilled continuously. Pure."""

# Sums of floating point refills may fall this short of a whole token.
_ALMOST = 1e-9


class TokenBucket:
    """Holds up to `burst` tokens and gains `rate` of them per second; starts full, as an idle queue does."""

    def __init__(self, rate: float, burst: float, now: float) -> None:
        self.rate = rate
        self.burst = burst
        self._tokens = burst
        self._filled_at = now

    def change(self, rate: float, burst: float, now: float) -> None:
        """Refill at `rate` from now on; tokens above the new `burst` are lost."""
        self._fill(now)
        self.rate, self.burst = rate, burst
        self._tokens = min(self._tokens, burst)

    def wait(self, now: float) -> float:
        """Return the seconds until a token is there, 0.0 when one is."""
        self._fill(now)
        return 0.0 if self._tokens >= 1 - _ALMOST else (1 - self._tokens) / self.rate

    def take(self, now: float) -> None:
        self._fill(now)
        self._tokens -= 1

    def _fill(self, now: float) -> None:
        # A clock set back adds nothing, and takes nothing away.
        self._tokens = min(self.burst, self._tokens + max(0.0, now - self._filled_at) * self.rate)
        self._filled_at = now


def burst_of(rate: float) -> int:
    """Return max_burst_size. The formula is unpublished; this fits the values seen on live queues:
    500/s -> 100, 1/s -> 10, 0.25/s -> 10.
    """
    return round(max(10.0, min(100.0, rate)))
