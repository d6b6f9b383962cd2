"""Monitoring: can this work, and how is everything it needs?

Each dependency is asked at the same time as the others and has a time of its own, so that a dead one is told of, not
waited for. The model is not asked, for that would cost: what the last attempts met tells of it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any

from functions.api.redis_cache import RedisCache
from shared.errors import Failed
from shared.loading import load
from shared.manifest import Manifests
from shared.messages import Messages
from shared.queue import Queue
from shared.store import Store

Row = Mapping[str, Any]
Check = dict[str, Any]
SECONDS = 2.0
# Of health_v1. What is used of a quota is what others pay: metrics and the dashboard tell operators of that.
QUOTA_KEYS = (
    "requests_per_minute", "tokens_per_minute", "rests_seconds", "rest_reason", "waiting", "running", "oldest_seconds",
    "answered_seconds",
)  # fmt: skip


class Monitoring:
    def __init__(
        self, store: Store, queue: Queue, messages: Messages, known: Manifests, redis: RedisCache | None = None
    ) -> None:
        self._store = store
        self._queue = queue
        self._messages = messages
        self._known = known
        self._redis = redis
        self._synced = False

    async def problem(self) -> str | None:
        """Why this cannot work now; None when it can."""
        check = await checked(self._database)
        return None if check["state"] == "ok" else check["detail"]

    async def health(self) -> dict[str, Any]:
        """ok; degraded: something rests or does not answer; down: the database does not."""
        # Loading the clients takes longer than any of them.
        await asyncio.gather(load("google.cloud.tasks_v2"), load("google.pubsub_v1"))
        names = list(self._known.quotas)
        database, topic, redis, told, *queues = await asyncio.gather(
            checked(self._database),
            checked(self._messages.check),
            self._ask_redis(),
            self._told(),
            *(checked(partial(self._queue.state, name)) for name in names),
        )
        checks = {
            "database": database,
            "queues": dict(zip(names, queues, strict=True)),
            "topic": topic,
            **redis,
            **told,
        }
        return {"status": status_of(checks), "checks": checks}

    async def _database(self) -> str:
        await self._store.check()
        if not self._synced:
            await self._store.sync_quotas(self._known.quotas)
            self._synced = True
        return "ok"

    async def _ask_redis(self) -> dict[str, Check]:
        if self._redis is None:
            return {}
        latency = await self._redis.latency_ms()
        if latency is None:
            return {"redis": {"state": "down", "detail": "It does not answer: each process caches for itself"}}
        return {"redis": {"state": "ok", "latency_ms": latency}}

    async def _told(self) -> dict[str, Any]:
        """What the database knows of quotas, breakers and models; nothing while it is down."""
        try:
            async with asyncio.timeout(SECONDS):
                quotas, breakers = await asyncio.gather(self._store.call("health_v1"), self._store.call("breakers_v1"))
        except (Failed, TimeoutError):
            return {}
        # Whoever asks has no key: which sites somebody reads is not told. One that rests is no illness of ours.
        own = [one for one in breakers if not one["name"].startswith("domain:")]
        return {
            "models": {row["quota"]: model_of(row, own) for row in quotas},
            "breakers": own,
            "domains_resting": sum(one["state"] != "closed" for one in breakers)
            - sum(one["state"] != "closed" for one in own),
            "quotas": [{"name": row["quota"], **{key: row[key] for key in QUOTA_KEYS}} for row in quotas],
        }


async def checked(ask: Callable[[], Awaitable[str]]) -> Check:
    """What the dependency says of itself, and how long it took; down with the reason when it says nothing."""
    started = time.monotonic()
    try:
        async with asyncio.timeout(SECONDS):
            said: Check = {"state": await ask()}
    except TimeoutError:
        said = {"state": "down", "detail": f"It did not answer within {SECONDS:g} s"}
    except Failed as error:
        said = {"state": "down", "detail": error.detail}
    return {**said, "latency_ms": round((time.monotonic() - started) * 1000, 1)}


def model_of(row: Row, breakers: Sequence[Row]) -> Check:
    """resting: its quota does; ill: its breaker is open; unknown: nobody had an answer of it within a day."""
    ill = next((one for one in breakers if one["name"] == f"quota:{row['quota']}" and one["state"] != "closed"), None)
    if ill is not None:
        return {"state": "ill", "answered_seconds": row["answered_seconds"], "detail": ill["reason"]}
    if row["rests_seconds"] > 0:
        return {"state": "resting", "answered_seconds": row["answered_seconds"], "detail": row["rest_reason"]}
    return {
        "state": "unknown" if row["answered_seconds"] is None else "ok",
        "answered_seconds": row["answered_seconds"],
    }


def status_of(checks: Mapping[str, Any]) -> str:
    if checks["database"]["state"] != "ok":
        return "down"
    well = (
        checks["topic"]["state"] == "ok"
        and checks.get("redis", {"state": "ok"})["state"] == "ok"
        and all(queue["state"] == "running" for queue in checks["queues"].values())
        and all(breaker["state"] == "closed" for breaker in checks.get("breakers", [{"state": "unknown"}]))
        and not any(quota["rests_seconds"] > 0 for quota in checks["quotas"])
    )
    return "ok" if well else "degraded"
