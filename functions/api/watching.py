"""Watching: metrics and the dashboard, read from the database once for all who ask within a moment."""

import asyncio
import secrets
import time
from collections.abc import Awaitable
from typing import TypeVar

from functions.api.batches import Batches
from functions.api.caching import Cache, Kept, Key, made
from functions.api.conditional import as_kept
from functions.api.dashboard import page_of
from functions.api.keys import KeyHolder
from functions.api.metrics import (
    breaker_families,
    cache_families,
    item_families,
    quota_families,
    refusal_family,
    text_of,
)
from shared.errors import StoreDown
from shared.store import Store

Answer = TypeVar("Answer")
KEEP_SECONDS = 2.0
# Whoever watches asks again soon anyway.
SECONDS = 10.0
SHOWN = 20
EVERYTHING = "00000000-0000-0000-0000-000000000000"


class Watching:
    def __init__(self, store: Store, batches: Batches, cache: Cache) -> None:
        self._store = store
        self._batches = batches
        self._cache = cache
        # Not the shared one: what it keeps is young for its process alone, and says how that process is.
        self._recent = Cache()
        self._id = secrets.token_hex(4)
        self._started = time.monotonic()

    async def metrics(self) -> bytes:
        """Prometheus text. Raises StoreDown."""
        return (await self._recent.get(Key("metrics", "everybody", ""), self._read_metrics)).body

    async def dashboard(self, owner: KeyHolder) -> Kept:
        """All the page shows: an owner's own, an operator's whole. Raises StoreDown."""
        return await self._recent.get(Key("dashboard", str(owner.id), ""), lambda: self._read_dashboard(owner))

    async def _read_metrics(self) -> Kept:
        rows, quotas, breakers, refusals = await in_time(
            asyncio.gather(*map(self._store.call, ("metrics_v1", "health_v1", "breakers_v1", "rate_refusals_v1")))
        )
        families = [
            *item_families(rows),
            *quota_families(quotas),
            *breaker_families(breakers),
            refusal_family(refusals),
            *cache_families(self._cache.report()),
        ]
        return made(text_of(families).encode(), seconds=KEEP_SECONDS)

    async def _read_dashboard(self, owner: KeyHolder) -> Kept:
        whose = EVERYTHING if owner.operator else str(owner.id)
        row, batches = await in_time(
            asyncio.gather(
                self._store.call("dashboard_v1", whose=whose, newest=SHOWN), self._batches.newest(owner, SHOWN, None)
            )
        )
        instance = {
            "id": self._id,
            "uptime_seconds": round(time.monotonic() - self._started, 1),
            # Of all who ask this process: how much others ask is not told to a customer.
            "cache": self._cache.report() if owner.operator else None,
        }
        return as_kept(page_of(row, batches, instance, operator=owner.operator), seconds=KEEP_SECONDS)


async def in_time(answer: Awaitable[Answer]) -> Answer:
    """Raises StoreDown when it takes too long."""
    try:
        async with asyncio.timeout(SECONDS):
            return await answer
    except TimeoutError:
        raise StoreDown(f"Supabase did not answer within {SECONDS:g} s") from None
