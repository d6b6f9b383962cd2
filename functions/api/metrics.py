"""Metrics: what the database's tallies say, as Prometheus text (exposition format 0.0.4)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily

Row = Mapping[str, Any]
GAUGES = {
    "items": ("items", "Items by function and state", ["function", "state"]),
    "reasons": ("item_reasons", "Skipped and dead items by reason", ["function", "state", "reason"]),
}
COUNTERS = {
    "attempts": ("attempts", "Attempts that ended; without those that met a rest", ["function"]),
    "outcomes": ("outcomes", "Attempts that ended; cached: an earlier result was given", ["function", "outcome"]),
    "model_calls": ("model_calls", "Model calls", ["function"]),
    "tokens_in": ("tokens_in", "Input tokens paid for", ["function"]),
    "tokens_out": ("tokens_out", "Output tokens paid for", ["function"]),
    "cost_usd": ("cost_usd", "What the model calls cost, in US dollars", ["function"]),
    "estimated_usd": ("estimated_usd", "Of it what was reserved for calls that were never answered", ["function"]),
}
QUOTA_GAUGES = {
    "requests_per_minute": "Requests a minute allowed",
    "requests_used": "Requests of the attempts that ended in the last minute",
    "tokens_used": "Input tokens of the attempts that ended in the last minute",
    "waiting": "Items that wait for this quota: the depth of its queue",
    "running": "Items at work",
    "oldest_seconds": "Age of the oldest waiting item's task",
    "rests_seconds": "For how long the quota still rests",
}


class Collected:
    """Metrics that were read already, as a Prometheus collector."""

    def __init__(self, metrics: Sequence[Metric]) -> None:
        self._metrics = metrics

    def collect(self) -> Iterator[Metric]:
        yield from self._metrics


def text_of(metrics: Sequence[Metric]) -> str:
    registry = CollectorRegistry()
    registry.register(Collected(metrics))
    return generate_latest(registry).decode()


def item_families(rows: Sequence[Row]) -> list[Metric]:
    """From metrics_v1."""
    metrics: list[Metric] = [durations(rows)]
    for known, make in ((GAUGES, GaugeMetricFamily), (COUNTERS, CounterMetricFamily)):
        for metric, (name, about, labels) in known.items():
            family = make(f"piecework_{name}", about, labels=labels)
            for row in rows:
                if row["metric"] == metric:
                    family.add_metric([row["labels"][label] for label in labels], row["value"])
            metrics.append(family)
    return metrics


def durations(rows: Sequence[Row]) -> Metric:
    family = HistogramMetricFamily("piecework_attempt_seconds", "How long attempts took", labels=["function"])
    for row in rows:
        if row["metric"] == "seconds_sum":
            function = row["labels"]["function"]
            family.add_metric([function], cumulated(rows, function), row["value"])
    return family


def cumulated(rows: Sequence[Row], function: str) -> list[tuple[str, float]]:
    """(le, how many took at most so long), the last one +Inf."""
    counted = {
        row["labels"]["le"]: row["value"]
        for row in rows
        if row["metric"] == "seconds" and row["labels"]["function"] == function
    }
    total, buckets = 0.0, []
    for le in sorted({*counted, "+Inf"}, key=float):
        total += counted.get(le, 0.0)
        buckets.append((le, total))
    return buckets


def quota_families(quotas: Sequence[Row]) -> list[Metric]:
    """From health_v1."""
    metrics: list[Metric] = []
    for column, about in QUOTA_GAUGES.items():
        family = GaugeMetricFamily(f"piecework_quota_{column}", about, labels=["quota"])
        for row in quotas:
            family.add_metric([row["quota"]], row[column] or 0)
        metrics.append(family)
    return metrics


def breaker_families(breakers: Sequence[Row]) -> list[Metric]:
    """Quotas by their name; domains only counted: whoever reads this need not know who reads what."""
    by_quota = GaugeMetricFamily(
        "piecework_breaker_open", "1: open or half open, 0: closed with failures counted", labels=["name", "state"]
    )
    domains = GaugeMetricFamily("piecework_domain_breakers", "Web domains that failed lately", labels=["state"])
    for row in breakers:
        if row["name"].startswith("quota:"):
            by_quota.add_metric([row["name"], row["state"]], row["state"] != "closed")
    for state in ("closed", "open", "half_open"):
        count = sum(row["state"] == state and row["name"].startswith("domain:") for row in breakers)
        domains.add_metric([state], count)
    return [by_quota, domains]


def refusal_family(rows: Sequence[Row]) -> Metric:
    """From rate_refusals_v1."""
    family = CounterMetricFamily(
        "piecework_rate_limit_refusals", "Requests turned away for too many of them", labels=["tier", "bucket"]
    )
    for row in rows:
        family.add_metric([row["tier"], row["bucket"]], row["refused"])
    return family


def cache_families(report: Row) -> list[Metric]:
    """Of the process that answers, from Cache.report."""
    asked = CounterMetricFamily("piecework_cache_requests", "What became of questions to the cache", labels=["outcome"])
    for outcome in ("hits", "misses", "joined"):
        asked.add_metric([outcome], report[outcome])
    down = GaugeMetricFamily("piecework_cache_redis_down", "1: the breaker of the shared cache is open")
    down.add_metric([], float(report.get("breaker", {}).get("state") == "open"))
    return [asked, down]
