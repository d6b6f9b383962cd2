"""A quota that is really kept: requests and input tokens of the last 60 seconds, per model."""

import math
from collections import defaultdict, deque
from collections.abc import Callable
from dataclasses import dataclass, field

from local.gemini.problems import Problem, Quota, exhausted, requests_per_minute, tokens_per_minute

WINDOW_SECONDS = 60.0


@dataclass
class _Window:
    taken: deque[tuple[float, int]] = field(default_factory=deque)
    tokens: int = 0

    def forget(self, before: float) -> None:
        while self.taken and self.taken[0][0] <= before:
            self.tokens -= self.taken.popleft()[1]

    def room_at(self, tokens: int, most_tokens: int, most_requests: int) -> float:
        """When enough of what was taken is old: the time of the last entry that must go."""
        left, requests, at = self.tokens, len(self.taken), 0.0
        for at, size in self.taken:  # noqa: B007 - the last `at` is the answer
            left, requests = left - size, requests - 1
            if left + tokens <= most_tokens and requests < most_requests:
                break
        return at


class Limiter:
    """Refused requests do not count. A limit of None is none."""

    def __init__(self, clock: Callable[[], float], requests: int | None = None, tokens: int | None = None) -> None:
        self._clock = clock
        self._requests, self._tokens = requests, tokens
        self._windows: dict[str, _Window] = defaultdict(_Window)

    def take(self, model: str, tokens: int) -> None:
        """Raises Problem (429) with the seconds after which there is room."""
        now = self._clock()
        window = self._windows[model]
        window.forget(now - WINDOW_SECONDS)
        if self._requests is not None and len(window.taken) >= self._requests:
            raise self._refusal(requests_per_minute(self._requests, ""), model, window, tokens, now)
        if self._tokens is not None and window.tokens + tokens > self._tokens:
            raise self._refusal(tokens_per_minute(self._tokens), model, window, tokens, now)
        window.taken.append((now, tokens))
        window.tokens += tokens

    def _refusal(self, quota: Quota, model: str, window: _Window, tokens: int, now: float) -> Problem:
        free = window.room_at(tokens, self._tokens or 2**62, self._requests or 2**62) + WINDOW_SECONDS
        return exhausted(quota, model, f"{max(1, math.ceil(free - now))}s")

    def clear(self) -> None:
        self._windows.clear()
