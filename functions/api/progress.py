"""Progress: a batch as callers see it, from a row of batches_v1."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

Row = dict[str, Any]
COUNTED = ("waiting", "running", "done", "skipped", "dead", "cancelled")
# As the database calls them, and as callers see them.
STATES = {"accepting": "accepted", "open": "running", "expiring": "cancelling"}
STOPPED = ("cancelling", "cancelled", "expired")
ROOMS = ("results", "items", "cancel", "retry-failed")


def describe(row: Mapping[str, Any]) -> Row:
    counts = {state: row[state] for state in COUNTED}
    left = counts["waiting"] + counts["running"]
    rate = per_minute(row["last_minute"], row["age_seconds"])
    path = f"/v3/batches/{row['id']}"
    return {
        "id": row["id"],
        "function": row["function"],
        "source": row["source"],
        "state": STATES.get(row["state"], row["state"]),
        "priority": row["priority"],
        "total": row["total"],
        "counts": counts,
        "cached": row["cached"],
        "duplicates": row["duplicates"],
        "tokens_in": row["tokens_in"],
        "tokens_out": row["tokens_out"],
        "cost_usd": float(row["cost_usd"]),
        "created_at": as_iso(row["created_at"]),
        "deadline": as_iso(row["deadline"]),
        "finished_at": as_iso(row["finished_at"]),
        "rate_per_minute": rate,
        "eta_seconds": round(left * 60 / rate) if left and rate else None,
        "webhook": row["webhook"],
        "links": links(path, as_iso(row["finished_at"])),
    }


def links(path: str, finished_at: str | None) -> dict[str, str]:
    """Where to go from a batch. Each end has a link of its own to its results, which nothing changes any more."""
    found = {"self": path, **{room: f"{path}/{room}" for room in ROOMS}}
    return found if finished_at is None else {**found, "results": f"{found['results']}?ended={finished_at}"}


def in_the_database(states: Sequence[str] | None) -> list[str] | None:
    """The database's words for the states callers ask for."""
    if not states:
        return None
    return [*states, *(kept for kept, seen in STATES.items() if seen in states)]


def per_minute(last_minute: int, age_seconds: float) -> float:
    """Items that ended, per minute: over the last one, or over the batch's life while that is shorter."""
    return round(last_minute * 60 / min(60.0, max(1.0, age_seconds)), 1)


def as_iso(moment: str | None) -> str | None:
    """Supabase writes timestamps in more than one way; callers get one."""
    return datetime.fromisoformat(moment).isoformat().replace("+00:00", "Z") if moment else None
