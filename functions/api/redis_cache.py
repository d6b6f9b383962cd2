"""The shared cache: answers in Redis, for all instances; in memory while Redis is away.

A group is one hash, so that one DEL forgets it: piecework:GROUP -> {OWNER:WHAT: until, packed?, body}
"""

import struct
import time
import zlib
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from functions.api.caching import Backend, Kept, Key, Memory
from shared.settings import BadSettings, Settings
from shared.telemetry import log

if TYPE_CHECKING:
    from redis.asyncio import Redis

Answer = TypeVar("Answer")

SECONDS = 0.25
PACKED_ABOVE = 1_000
LONGEST_SECONDS = 3600
# until (seconds of the epoch), packed or not
HEAD = struct.Struct(">d?")
MOST_OWED = 10_000


class Breaker:
    """Opens after some failures in a row; after a rest one call is let through to see."""

    def __init__(
        self, now: Callable[[], float] = time.monotonic, *, most_failures: int = 3, rest_seconds: float = 5.0
    ) -> None:
        self._now = now
        self._most_failures = most_failures
        self._rest_seconds = rest_seconds
        self._failures = 0
        self._rests_until = 0.0

    def lets_through(self) -> bool:
        if self._failures < self._most_failures:
            return True
        if self._now() < self._rests_until:
            return False
        # One at a time; a prober that never comes back leaves its place to the next.
        self._rests_until = self._now() + self._rest_seconds
        return True

    def heard(self, *, healthy: bool) -> None:
        self._failures = 0 if healthy else self._failures + 1
        if self._failures >= self._most_failures:
            self._rests_until = self._now() + self._rest_seconds

    def report(self) -> dict[str, Any]:
        is_open = self._failures >= self._most_failures
        rests = max(0.0, self._rests_until - self._now()) if is_open else 0.0
        return {"state": "open" if is_open else "closed", "failures": self._failures, "rests_seconds": round(rests, 1)}


class RedisCache:
    """Never raises: what Redis does not answer is looked for in memory."""

    name = "redis"

    def __init__(self, redis: "Redis", memory: Backend, breaker: Breaker) -> None:
        self._redis = redis
        self._memory = memory
        self._breaker = breaker
        # Groups that were to be forgotten while Redis was away: before anything is read from it again.
        self._owed: set[str] = set()
        self._fallbacks = 0

    async def get(self, key: Key) -> Kept | None:
        async def read() -> Any:
            return await self._redis.hget(name_of(key.group), field_of(key))

        told, found = await self._ask(read)
        if not told:
            return await self._memory.get(key)
        kept = unpacked(found) if found else None
        return kept if kept and kept.until > time.time() else None

    async def put(self, key: Key, kept: Kept) -> None:
        async def write() -> None:
            async with self._redis.pipeline(transaction=True) as pipeline:
                pipeline.hset(name_of(key.group), field_of(key), packed(kept))
                pipeline.expire(name_of(key.group), LONGEST_SECONDS)
                await pipeline.execute()

        told, _ = await self._ask(write)
        if not told:
            await self._memory.put(key, kept)

    async def forget(self, group: str) -> None:
        await self._memory.forget(group)
        if len(self._owed) < MOST_OWED:
            self._owed.add(group)
        await self._ask(self._nothing)

    async def latency_ms(self) -> float | None:
        """How long Redis takes to answer; None when it does not."""
        started = time.monotonic()

        async def ping() -> Any:
            return await self._redis.ping()

        told, _ = await self._ask(ping)
        return round((time.monotonic() - started) * 1000, 1) if told else None

    def report(self) -> dict[str, Any]:
        return {"breaker": self._breaker.report(), "fallbacks": self._fallbacks, "memory": self._memory.report()}

    async def _nothing(self) -> None:
        """What is owed goes before every question, also before none."""

    async def _ask(self, question: Callable[[], Awaitable[Answer]]) -> tuple[bool, Answer | None]:
        """(did Redis answer?, its answer)."""
        from redis.exceptions import RedisError  # noqa: PLC0415 - only where Redis is used

        if not self._breaker.lets_through():
            self._fallbacks += 1
            return False, None
        try:
            await self._pay()
            answer = await question()
        except (RedisError, OSError, TimeoutError) as error:
            self._breaker.heard(healthy=False)
            self._fallbacks += 1
            log.warning("redis_down", error=f"{type(error).__name__}: {error}", **self._breaker.report())
            return False, None
        self._breaker.heard(healthy=True)
        return True, answer

    async def _pay(self) -> None:
        if owed := list(self._owed):
            await self._redis.delete(*map(name_of, owed))
            self._owed.difference_update(owed)


def redis_of(settings: Settings) -> RedisCache | None:
    """The shared cache, if there is one. Raises BadSettings. Nothing is dialled yet."""
    url = settings.redis_url.get_secret_value()
    if not url:
        return None
    from redis.asyncio import Redis  # noqa: PLC0415 - only where it is used
    from redis.asyncio.retry import Retry  # noqa: PLC0415
    from redis.backoff import NoBackoff  # noqa: PLC0415

    try:
        # Not asked twice: memory is the better answer to a Redis that is late.
        redis = Redis.from_url(
            url, socket_timeout=SECONDS, socket_connect_timeout=SECONDS, retry=Retry(NoBackoff(), 0), max_connections=20
        )
    except ValueError:
        raise BadSettings("REDIS_URL is wrong: set it to an address like redis://10.0.0.3:6379/0") from None
    return RedisCache(redis, Memory(), Breaker())


def name_of(group: str) -> str:
    return f"piecework:{group}"


def field_of(key: Key) -> str:
    return f"{key.owner}:{key.what}"


def packed(kept: Kept) -> bytes:
    if len(kept.body) <= PACKED_ABOVE:
        return HEAD.pack(kept.until, False) + kept.body
    return HEAD.pack(kept.until, True) + zlib.compress(kept.body, 1)


def unpacked(entry: bytes) -> Kept | None:
    """None for what was not written by `packed`."""
    try:
        until, is_packed = HEAD.unpack_from(entry)
        body = entry[HEAD.size :]
        return Kept(zlib.decompress(body) if is_packed else body, until)
    except (struct.error, zlib.error):
        return None
