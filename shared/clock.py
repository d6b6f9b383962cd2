"""clock: what time it is by the database's clock. Slots are times of that clock, and may be told late."""

import time
from collections import deque
from collections.abc import Callable

REMEMBERED = 30
# Two clocks drift apart by up to a tenth of a second in an hour, and an instance may be frozen for longer than that
# between two requests. A minute is enough to hear several answers while anything goes on.
REMEMBERED_SECONDS = 60.0


class DatabaseClock:
    """How the database's clock stands to ours, by the answer of the last minute that took the least time on its way."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        # (when it was heard, how far our clock was ahead then)
        self._ahead: deque[tuple[float, float]] = deque(maxlen=REMEMBERED)

    def heard(self, moment: float) -> None:
        """An answer has just come that was made at `moment`, in seconds of the database's clock."""
        now = self._now()
        while self._ahead and now - self._ahead[0][0] > REMEMBERED_SECONDS:
            self._ahead.popleft()
        self._ahead.append((now, now - moment))

    def lateness(self) -> list[float]:
        """How much later than the quickest each of the recent answers came, in seconds."""
        quickest = min((ahead for _, ahead in self._ahead), default=0.0)
        return [ahead - quickest for _, ahead in self._ahead]

    def ours(self, moment: float) -> float:
        """That moment on our monotonic clock. Raises ValueError when the database was never heard."""
        return moment + min(ahead for _, ahead in self._ahead)
