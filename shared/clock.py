"""clock: what time it is by the database's clock. Slots are times of that clock, and may be told late."""

import time
from collections import deque
from collections.abc import Callable

REMEMBERED = 30


class DatabaseClock:
    """How the database's clock stands to ours, by the answer that took the least time on its way."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._ahead: deque[float] = deque(maxlen=REMEMBERED)

    def heard(self, moment: float) -> None:
        """An answer has just come that was made at `moment`, in seconds of the database's clock."""
        self._ahead.append(self._now() - moment)

    def ours(self, moment: float) -> float:
        """That moment on our monotonic clock. Raises ValueError when the database was never heard."""
        return moment + min(self._ahead)
