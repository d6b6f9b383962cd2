"""The dashboard: what dashboard_v1 tells, in the shape the page draws. No I/O."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from functions.api.shapes import Batch

Row = Mapping[str, Any]
MINUTES, DAYS = 60, 14
MOST_REASONS = 20
STATES = ("waiting", "running", "done", "skipped", "dead", "cancelled")
# What an attempt took is of interest where it ended its item.
ENDED = ("done", "skipped", "dead")


class Shape(BaseModel):
    model_config = ConfigDict(extra="forbid")


class States(Shape):
    """Items by state."""

    waiting: int
    running: int
    done: int
    skipped: int
    dead: int
    cancelled: int


class Reason(Shape):
    function: str
    state: Literal["skipped", "dead"]
    reason: str
    items: int


class Items(Shape):
    """All there ever were."""

    total: int
    states: States
    by_function: dict[str, States]
    reasons: list[Reason] = Field(description=f"Why items were skipped or died, the {MOST_REASONS} most frequent")


class Minute(Shape):
    """Attempts that ended in this minute."""

    minute: datetime
    outcomes: dict[str, int] = Field(description="done, skipped, dead, failed, deferred, overloaded, cached")
    p50_seconds: float | None = Field(description="Of those that ended their item; within a sixth of the true value")
    p95_seconds: float | None


class Quota(Shape):
    """A limit, and what is used of it. For ordinary keys: used, waiting and running are their own."""

    name: str
    requests_per_minute: float
    requests_used: int = Field(description="By the attempts that ended in the last minute")
    tokens_per_minute: float | None
    tokens_used: int
    waiting: int
    running: int
    oldest_seconds: float | None = Field(description="Age of the oldest waiting task; operators only")
    rests_seconds: float
    rest_reason: str | None


class Breaker(Shape):
    """An upstream that failed lately. Ordinary keys see quotas, operators web domains too."""

    name: str
    state: Literal["closed", "open", "half_open"]
    failures: int
    rests_seconds: float
    reason: str | None


class DeadLetter(Shape):
    item_id: str
    batch_id: str
    function: str
    custom_id: str | None
    domain: str | None
    reason: str | None
    error: str | None
    attempts: int
    finished_at: datetime


class DeadLetters(Shape):
    """Those that nobody has discarded."""

    total: int
    reasons: list[Reason]
    newest: list[DeadLetter]


class Day(Shape):
    """What a day (UTC) cost so far."""

    day: date
    cost_usd: float
    estimated_usd: float = Field(description="Of cost_usd: what was reserved for calls that were never answered")
    tokens_in: int
    tokens_out: int
    model_calls: int


class Instance(Shape):
    """The process that answered."""

    id: str
    uptime_seconds: float
    cache: dict[str, Any] | None = Field(description="For operators")


class Dashboard(Shape):
    """Everything the dashboard shows, as of one moment."""

    at: datetime
    scope: Literal["own", "all"]
    batches: list[Batch] = Field(description="The 20 newest")
    items: Items
    minutes: list[Minute] = Field(description=f"The last {MINUTES}, the oldest first; the last one is not over yet")
    quotas: list[Quota]
    breakers: list[Breaker]
    dead_letters: DeadLetters
    costs: list[Day] = Field(description=f"The last {DAYS}, the oldest first")
    instance: Instance


def page_of(row: Row, batches: Sequence[Row], instance: Row, *, operator: bool) -> dict[str, Any]:
    """Dashboard, as JSON."""
    now = datetime.fromisoformat(row["at"]).astimezone(UTC)
    return {
        "at": iso(now),
        "scope": "all" if operator else "own",
        "batches": list(batches),
        "items": items_of(row["items"]),
        "minutes": minutes_of(row["attempts"], row["bounds"], now),
        "quotas": [quota_of(one, row["items"], operator=operator) for one in row["quotas"]],
        "breakers": [one for one in row["breakers"] if operator or one["name"].startswith("quota:")],
        "dead_letters": dead_letters_of(row["items"], row["dead"]),
        "costs": costs_of(row["costs"], now.date()),
        "instance": dict(instance),
    }


def items_of(rows: Sequence[Row]) -> dict[str, Any]:
    functions = sorted({row["function"] for row in rows})
    return {
        "total": sum(row["items"] for row in rows),
        "states": states_of(rows),
        "by_function": {name: states_of([row for row in rows if row["function"] == name]) for name in functions},
        "reasons": reasons_of([row for row in rows if row["state"] in ("skipped", "dead")]),
    }


def states_of(rows: Sequence[Row]) -> dict[str, int]:
    return {state: sum(row["items"] for row in rows if row["state"] == state) for state in STATES}


def reasons_of(rows: Sequence[Row]) -> list[dict[str, Any]]:
    counted: Counter[tuple[str, str, str]] = Counter()
    for row in rows:
        counted[row["function"], row["state"], row["reason"]] += row["items"]
    return [
        {"function": function, "state": state, "reason": reason, "items": items}
        for (function, state, reason), items in counted.most_common(MOST_REASONS)
    ]


def dead_letters_of(rows: Sequence[Row], newest: Sequence[Row]) -> dict[str, Any]:
    left = [{**row, "items": row["items"] - row["discarded"]} for row in rows if row["state"] == "dead"]
    left = [row for row in left if row["items"] > 0]
    return {
        "total": sum(row["items"] for row in left),
        "reasons": reasons_of(left),
        "newest": [{**one, "finished_at": iso(datetime.fromisoformat(one["finished_at"]))} for one in newest],
    }


def minutes_of(rows: Sequence[Row], bounds: Sequence[float], now: datetime) -> list[dict[str, Any]]:
    """One entry for each minute, also for those in which nothing ended."""
    by_minute: dict[datetime, list[Row]] = {}
    for row in rows:
        by_minute.setdefault(datetime.fromisoformat(row["minute"]), []).append(row)
    last = now.replace(second=0, microsecond=0)
    minutes = [last - timedelta(minutes=ago) for ago in reversed(range(MINUTES))]
    return [minute_of(minute, by_minute.get(minute, []), bounds) for minute in minutes]


def minute_of(minute: datetime, rows: Sequence[Row], bounds: Sequence[float]) -> dict[str, Any]:
    outcomes: Counter[str] = Counter()
    buckets: Counter[int] = Counter()
    for row in rows:
        outcomes[row["outcome"]] += row["attempts"]
        if row["outcome"] in ENDED and row["bucket"] > 0:
            buckets[row["bucket"]] += row["attempts"]
    return {
        "minute": iso(minute),
        "outcomes": dict(outcomes),
        "p50_seconds": quantile(0.5, buckets, bounds),
        "p95_seconds": quantile(0.95, buckets, bounds),
    }


def quantile(share: float, buckets: Mapping[int, int], bounds: Sequence[float]) -> float | None:
    """The value below which `share` of the durations are; None for none.

    Bucket n holds what is from bounds[n - 1] up to bounds[n]; within it they are taken to be spread evenly. Beyond the
    last bound nothing is known but that.
    """
    rank = share * sum(buckets.values())
    for bucket in sorted(buckets):
        low = bounds[bucket - 1]
        high = bounds[bucket] if bucket < len(bounds) else low
        if rank <= buckets[bucket]:
            return round(low + (high - low) * rank / buckets[bucket], 3)
        rank -= buckets[bucket]
    return None


def quota_of(row: Row, items: Sequence[Row], *, operator: bool) -> dict[str, Any]:
    own = states_of([one for one in items if one["quota"] == row["quota"]])
    return {
        "name": row["quota"],
        **{name: row[name] for name in ("requests_per_minute", "requests_used", "tokens_per_minute", "tokens_used")},
        "waiting": own["waiting"],
        "running": own["running"],
        "oldest_seconds": row["oldest_seconds"] if operator else None,
        "rests_seconds": row["rests_seconds"],
        "rest_reason": row["rest_reason"],
    }


def costs_of(rows: Sequence[Row], today: date) -> list[dict[str, Any]]:
    known = {date.fromisoformat(row["day"]): row for row in rows}
    days = [today - timedelta(days=ago) for ago in reversed(range(DAYS))]
    return [cost_of(day, known.get(day, {})) for day in days]


def cost_of(day: date, row: Row) -> dict[str, Any]:
    counted = {name: row.get(name, 0) for name in ("tokens_in", "tokens_out", "model_calls")}
    paid = {name: float(row.get(name, 0)) for name in ("cost_usd", "estimated_usd")}
    return {"day": day.isoformat(), **paid, **counted}


def iso(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
