"""What arrived, when, and how it was answered."""

from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from local.gemini.problems import JSON

LOGGED = 200_000


class Stats:
    def __init__(self, monotonic: Callable[[], float], epoch: Callable[[], float]) -> None:
        self._monotonic, self._epoch = monotonic, epoch
        self.clear()

    def clear(self) -> None:
        """Forgets the past; what is under way stays counted as such."""
        self._answers: dict[str, Counter[str]] = defaultdict(Counter)
        self._tokens: dict[int, Counter[str]] = defaultdict(Counter)
        self._arrivals: deque[tuple[float, float, str, str]] = deque(maxlen=LOGGED)
        self._running = getattr(self, "_running", 0)
        self._most_running = self._running

    @contextmanager
    def running(self, model: str, method: str) -> Iterator[None]:
        self._arrivals.append((self._monotonic(), self._epoch(), model, method))
        self._running += 1
        self._most_running = max(self._most_running, self._running)
        try:
            yield
        finally:
            self._running -= 1

    def answered(self, model: str, status: str) -> None:
        """`status` is the HTTP status, or the fault that took its place."""
        self._answers[model][status] += 1

    def spent(self, tokens_in: int, tokens_out: int) -> None:
        self._tokens[int(self._epoch() // 60)].update({"in": tokens_in, "out": tokens_out})

    def report(self, *, log: bool = False) -> JSON:
        """Counters; with `log`, also [monotonic, epoch, model, method] of each request."""
        answers = {model: dict(counts) for model, counts in self._answers.items()}
        minutes = [{"minute": minute * 60, **counts} for minute, counts in sorted(self._tokens.items())]
        report: JSON = {
            "requests": len(self._arrivals),
            "answers": answers,
            "running": self._running,
            "most_running": self._most_running,
            "tokens_by_minute": minutes,
        }
        return report | ({"log": [list(each) for each in self._arrivals]} if log else {})
