"""Turns: at most so many at once for each key, first come first served; another key never waits for it.

Fetcher -> Turns(max_per_host) by web host: politeness | Robots -> Turns(1) by origin: robots.txt is asked for once
"""

import asyncio
import math
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass


@dataclass
class _Line:
    """Who is at work under one key, and who waits."""

    places: asyncio.Semaphore
    users: int = 0


class Turns:
    """Lines by key. A key is remembered while somebody works or waits under it, so never more keys than callers."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lines: dict[str, _Line] = {}

    def __len__(self) -> int:
        """How many keys are in use."""
        return len(self._lines)

    @asynccontextmanager
    async def take(self, key: str, *, seconds: float | None = None) -> AsyncIterator[None]:
        """A place under `key`, waited for for at most `seconds`. Raises TimeoutError: it is still everybody else's."""
        line = self._lines.setdefault(key, _Line(asyncio.Semaphore(self._most)))
        line.users += 1
        try:
            async with asyncio.timeout(seconds):
                await line.places.acquire()
            try:
                yield
            finally:
                line.places.release()
        finally:
            line.users -= 1
            if not line.users:
                del self._lines[key]


@contextmanager
def standing_still(limit: asyncio.Timeout) -> Iterator[None]:
    """Time that passes in here does not count."""
    loop = asyncio.get_running_loop()
    left = (limit.when() or math.inf) - loop.time()
    limit.reschedule(None)
    try:
        yield
    finally:
        limit.reschedule(loop.time() + left)
