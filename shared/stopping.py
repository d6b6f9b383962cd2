"""stopping: the platform ends an instance with SIGTERM, and ten seconds later with SIGKILL.

The server takes no more requests then and finishes those in flight. Work that would take longer is ended in time for
its item to be given back: killed with it, the item would stay claimed until its lease runs out.
"""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import FrameType

# What work may still take after SIGTERM; the rest of the ten seconds is for giving its item back.
GRACE_SECONDS = 5.0


class InstanceStopped(Exception):
    """The work was ended because its instance is told to stop."""


class Stopping:
    """Ends the work of one process in time."""

    def __init__(self) -> None:
        self._stop_at: float | None = None
        self._limits: set[asyncio.Timeout] = set()

    def listen(self) -> None:
        """Hear SIGTERM beside whoever hears it now. To be called from the main thread, with its loop running."""
        loop, before = asyncio.get_running_loop(), signal.getsignal(signal.SIGTERM)

        def hear(number: int, frame: FrameType | None) -> None:
            loop.call_soon_threadsafe(self.told)
            if callable(before):
                before(number, frame)

        signal.signal(signal.SIGTERM, hear)

    def told(self) -> None:
        """The instance is to stop: no work goes on for longer than the grace."""
        self._stop_at = asyncio.get_running_loop().time() + GRACE_SECONDS
        for limit in self._limits:
            limit.reschedule(min(limit.when() or self._stop_at, self._stop_at))

    @asynccontextmanager
    async def limit(self, seconds: float) -> AsyncIterator[None]:
        """Raises TimeoutError when what is inside takes longer, InstanceStopped when it would for SIGTERM."""
        own = asyncio.get_running_loop().time() + seconds
        until = own if self._stop_at is None else min(own, self._stop_at)
        try:
            async with asyncio.timeout_at(until) as limit:
                self._limits.add(limit)
                try:
                    yield
                finally:
                    self._limits.discard(limit)
        except TimeoutError as error:
            if limit.expired() and (limit.when() or own) < own:
                raise InstanceStopped from error
            raise
