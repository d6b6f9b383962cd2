"""Monitoring: readiness, health and metrics, read from the database, which knows what happened."""

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

from shared.errors import Failed
from shared.manifest import Manifests
from shared.queue import Queue
from shared.store import Store

Row = Mapping[str, Any]
KEEP_SECONDS = 10.0
COUNTERS = {
    "attempts": "Attempts that were begun",
    "tokens_in": "Input tokens paid for",
    "tokens_out": "Output tokens paid for",
    "cost_usd": "What the model calls cost, in US dollars",
}


class Monitoring:
    def __init__(self, store: Store, queue: Queue, known: Manifests) -> None:
        self._store = store
        self._queue = queue
        self._known = known
        self._metrics = ("", 0.0)
        self._reading = asyncio.Lock()
        self._synced = False

    async def problem(self) -> str | None:
        """Why this cannot work now; None when it can."""
        try:
            await self._store.check()
            if not self._synced:
                await self._store.sync_quotas(self._known.quotas)
                self._synced = True
        except Failed as error:
            return error.detail
        return None

    async def health(self) -> dict[str, Any]:
        """ok; degraded: something rests or does not answer; down: the database does not."""
        started = time.monotonic()
        problem = await self.problem()
        database = {
            "state": "down" if problem else "ok",
            "latency_ms": round((time.monotonic() - started) * 1000, 1),
        }
        if problem:
            return {"status": "down", "checks": {"database": {**database, "detail": problem}}}
        quotas, breakers, queues = await asyncio.gather(
            self._store.call("health_v1"), self._store.call("breakers_v1"), self._queues()
        )
        unwell = (
            any(row["rests_seconds"] > 0 for row in quotas)
            or any(row["state"] != "closed" for row in breakers)
            or any(queue["state"] != "running" for queue in queues.values())
        )
        return {
            "status": "degraded" if unwell else "ok",
            "checks": {
                "database": database,
                "queues": queues,
                "breakers": breakers,
                "quotas": [{"name": row.pop("quota"), **row} for row in quotas],
            },
        }

    async def metrics(self) -> str:
        """Prometheus text; read from the database every few seconds at most."""
        async with self._reading:
            text, read_at = self._metrics
            if not text or time.monotonic() - read_at > KEEP_SECONDS:
                text = await self._read_metrics()
                self._metrics = (text, time.monotonic())
        return text

    async def _queues(self) -> dict[str, dict[str, Any]]:
        names = list(self._known.quotas)
        states = await asyncio.gather(*(self._queue.state(name) for name in names), return_exceptions=True)
        return {
            name: {"state": "unreachable", "detail": str(state)}
            if isinstance(state, BaseException)
            else {"state": state}
            for name, state in zip(names, states, strict=True)
        }

    async def _read_metrics(self) -> str:
        rows, quotas, breakers = await asyncio.gather(
            self._store.call("metrics_v1"), self._store.call("health_v1"), self._store.call("breakers_v1")
        )
        registry = CollectorRegistry()
        registry.register(Collected([*families(rows), *quota_families(quotas), breaker_family(breakers)]))
        return generate_latest(registry).decode()


class Collected:
    """Metrics that were read already, as a Prometheus collector."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def families(rows: Sequence[Row]) -> list[Metric]:
    items = GaugeMetricFamily("piecework_items", "Items by function and state", labels=["function", "state"])
    reasons = GaugeMetricFamily(
        "piecework_item_reasons", "Skipped and dead items by reason", labels=["function", "state", "reason"]
    )
    counters = {
        name: CounterMetricFamily(f"piecework_{name}", about, labels=["function"]) for name, about in COUNTERS.items()
    }
    known: dict[str, Any] = {"items": items, "reasons": reasons, **counters}
    for row in rows:
        known[row["metric"]].add_metric([str(value) for value in in_order(row)], row["value"])
    return list(known.values())


def in_order(row: Row) -> list[Any]:
    return [row["labels"][name] for name in ("function", "state", "reason") if name in row["labels"]]


def quota_families(quotas: Sequence[Row]) -> list[Metric]:
    shown = {
        "requests_per_minute": "Requests a minute allowed",
        "waiting": "Items that wait for this quota",
        "running": "Items at work",
        "oldest_seconds": "Age of the oldest waiting item's task",
        "rests_seconds": "For how long the quota still rests",
    }
    metrics: list[Metric] = []
    for column, about in shown.items():
        family = GaugeMetricFamily(f"piecework_quota_{column}", about, labels=["quota"])
        for row in quotas:
            family.add_metric([row["quota"]], row[column] or 0)
        metrics.append(family)
    return metrics


def breaker_family(breakers: Sequence[Row]) -> Metric:
    family = GaugeMetricFamily(
        "piecework_breaker_open",
        "1: open or half open, 0: closed with failures counted",
        labels=["name", "state"],
    )
    for row in breakers:
        family.add_metric([row["name"], row["state"]], row["state"] != "closed")
    return family
