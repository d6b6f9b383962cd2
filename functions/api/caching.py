"""Caching: what was read is not read again for a while, and by many at once only once.

Cache.get(key, make) -> kept already? -> is somebody at it? -> make -> memory, or Redis where REDIS_URL is set

Every key names its owner, so that nobody is given another's answer, and its group (a batch), which is forgotten as a
whole when something is done to it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from cachetools import TLRUCache

# An instance has 512 MiB for everything.
MOST_BYTES = 32_000_000
MOST_ENTRY_BYTES = 1_000_000
# What an entry takes beside its body, about.
ENTRY_BYTES = 300
# Nobody waits for a read that was begun longer ago, and it is not kept.
FLIGHT_SECONDS = 30.0


@dataclass(frozen=True)
class Key:
    """What is asked for, and on whose behalf."""

    group: str
    owner: str
    what: str


@dataclass(frozen=True)
class Kept:
    """An answer's body, and until when it may be given again (seconds of the epoch)."""

    body: bytes
    until: float

    def seconds_left(self) -> float:
        return max(0.0, self.until - time.time())


def made(body: bytes, *, seconds: float) -> Kept:
    """A new answer; 0 seconds: for those who wait for it, and for nobody after them."""
    return Kept(body, time.time() + seconds if seconds else 0.0)


Make = Callable[[], Awaitable[Kept]]


class Backend(Protocol):
    """Where answers are kept. It never raises: what it cannot tell, it does not know."""

    name: str

    async def get(self, key: Key) -> Kept | None: ...
    async def put(self, key: Key, kept: Kept) -> None: ...
    async def forget(self, group: str) -> None: ...
    def report(self) -> dict[str, Any]: ...


@dataclass
class Counts:
    """What became of the questions so far. `joined`: they waited for an answer that was on its way already."""

    hits: int = 0
    misses: int = 0
    joined: int = 0
    kept: int = 0
    too_large: int = 0
    forgotten: int = 0


class Memory:
    """Answers in this process: each for its time, the least used ones leave first."""

    name = "memory"

    def __init__(self, now: Callable[[], float] = time.time, most_bytes: int = MOST_BYTES) -> None:
        self._entries: TLRUCache[Key, Kept] = TLRUCache(
            maxsize=most_bytes,
            ttu=lambda _key, kept, _now: kept.until,
            timer=now,
            getsizeof=lambda kept: len(kept.body) + ENTRY_BYTES,
        )

    async def get(self, key: Key) -> Kept | None:
        return self._entries.get(key)

    async def put(self, key: Key, kept: Kept) -> None:
        self._entries[key] = kept

    async def forget(self, group: str) -> None:
        for key in [key for key in self._entries if key.group == group]:
            self._entries.pop(key, None)

    def report(self) -> dict[str, Any]:
        self._entries.expire()
        return {
            "entries": len(self._entries),
            "bytes": round(self._entries.currsize),
            "most_bytes": round(self._entries.maxsize),
        }


@dataclass(frozen=True)
class Flight:
    """A read that is under way; all who ask for the same wait for it."""

    task: asyncio.Task[Kept]
    begun: float


class Cache:
    """One for all endpoints of a process."""

    def __init__(self, backend: Backend | None = None, now: Callable[[], float] = time.monotonic) -> None:
        self._backend: Backend = backend or Memory()
        self._now = now
        self._flights: dict[Key, Flight] = {}
        self.counts = Counts()

    async def get(self, key: Key, make: Make) -> Kept:
        """The kept answer, or what `make` makes now. Raises what `make` raises; that is kept by nobody."""
        flight = self._flights.get(key)
        if flight is None or self._is_late(flight):
            # A task of its own: when the first who asked goes away, the others still get their answer.
            flight = self._flights[key] = Flight(asyncio.create_task(self._fly(key, make)), self._now())
            flight.task.add_done_callback(lambda landed: self._land(key, landed))
        else:
            self.counts.joined += 1
        return await asyncio.shield(flight.task)

    async def forget(self, group: str) -> None:
        """Something was done to it: nothing that was read before is given from now on, or kept any more."""
        for key in [key for key in self._flights if key.group == group]:
            del self._flights[key]
        await self._backend.forget(group)
        self.counts.forgotten += 1

    def report(self) -> dict[str, Any]:
        """Counters since this process began, and how much it holds."""
        asked = self.counts.hits + self.counts.misses
        ratio = round(self.counts.hits / asked, 3) if asked else None
        return {"backend": self._backend.name, **asdict(self.counts), "hit_ratio": ratio, **self._backend.report()}

    async def _fly(self, key: Key, make: Make) -> Kept:
        if kept := await self._backend.get(key):
            self.counts.hits += 1
            return kept
        self.counts.misses += 1
        kept = await make()
        # Forgotten meanwhile, or frozen: it was read before that.
        flight = self._flights.get(key)
        if kept.until and flight and flight.task is asyncio.current_task() and not self._is_late(flight):
            await self._keep(key, kept)
        return kept

    def _is_late(self, flight: Flight) -> bool:
        """An instance without requests has no CPU: what was asked before may be answered when it is out of date."""
        return self._now() - flight.begun > FLIGHT_SECONDS

    async def _keep(self, key: Key, kept: Kept) -> None:
        if len(kept.body) > MOST_ENTRY_BYTES:
            self.counts.too_large += 1
            return
        await self._backend.put(key, kept)
        self.counts.kept += 1

    def _land(self, key: Key, landed: asyncio.Task[Kept]) -> None:
        if (flight := self._flights.get(key)) and flight.task is landed:
            del self._flights[key]
        if not landed.cancelled():
            landed.exception()  # looked at, also when all who asked went away
