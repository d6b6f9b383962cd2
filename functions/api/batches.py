"""Batches: submit, watch, read the results."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from functions.api.problems import Problem
from shared.enlisting import entry, estimate
from shared.errors import Failed
from shared.manifest import Manifest, Manifests
from shared.messages import Messages
from shared.store import ROWS_PER_CALL, Store
from shared.telemetry import log

Row = dict[str, Any]
STATES = ("waiting", "running", "done", "skipped", "dead", "cancelled")
COLUMNS = "id,function,source,state,duplicates,created_at,body_hash"


class Batches:
    """Batches of one owner at a time; nobody sees another's."""

    def __init__(self, store: Store, messages: Messages, known: Manifests) -> None:
        self._store = store
        self._messages = messages
        self._known = known

    def function(self, name: str) -> Manifest:
        """Raises Problem 422 for what is no item function."""
        manifest = self._known.functions.get(name)
        if manifest is None or manifest.kind != "item":
            have = ", ".join(one.name for one in self._known.functions.values() if one.kind == "item")
            raise Problem(422, f"There is no function {name!r}; there is: {have}.")
        return manifest

    async def submit(
        self, owner: UUID, manifest: Manifest, items: Sequence[Row], options: Row, *, key: str | None
    ) -> Row:
        """Enlist the items and tell the fan-out. Nothing is lost once this returns, whatever dies after it."""
        batch = await self._open(owner, manifest, "items", key, {"items": items, "options": options})
        if batch["state"] == "accepting":
            entries = [entry(item, manifest, options) for item in items]
            duplicates = await self._enlist(batch["id"], manifest, entries)
            await self._store.update("batches", {"state": "open", "duplicates": duplicates}, id=batch["id"])
            await self._tell({"batch_id": batch["id"]})
        return await self.one(owner, UUID(batch["id"]))

    async def submit_backlog(
        self, owner: UUID, manifest: Manifest, limit: int, options: Row, *, key: str | None
    ) -> Row:
        """A batch that the fan-out fills from the function's backlog. Raises Problem 422 where there is none."""
        check_backlog(manifest)
        order = {"function": manifest.name, "limit": limit, "options": options}
        batch = await self._open(owner, manifest, "backlog", key, order)
        if batch["state"] == "accepting":
            # It stays "accepting" until the fan-out has filled it; the same order twice fills it once.
            await self._messages.publish({**order, "batch_id": batch["id"]})
        return await self.one(owner, UUID(batch["id"]))

    async def dry_run(self, manifest: Manifest, limit: int) -> Row:
        """What a backlog run would do. Writes nothing."""
        check_backlog(manifest)
        found = await self._store.backlog_count(manifest, limit)
        return estimate(manifest, found, self._known.quotas[manifest.quota or ""]["requests_per_minute"])

    async def one(self, owner: UUID, batch_id: UUID) -> Row:
        """One batch with its progress. Raises Problem 404."""
        batches = await self._store.select("batches", COLUMNS, id=str(batch_id), owner=str(owner))
        if not batches:
            raise Problem(404, f"You have no batch {batch_id}.")
        (row,) = await self._with_progress(batches)
        return row

    async def newest(self, owner: UUID, limit: int, before: UUID | None) -> list[Row]:
        """The owner's batches, the newest first, from `before` on."""
        return await self._with_progress(await self._store.newest("batches", COLUMNS, limit, before, owner=str(owner)))

    async def results(
        self, owner: UUID, batch_id: UUID, after: UUID | None, limit: int, states: Sequence[str] | None
    ) -> list[Row]:
        """A page of items with their results, in the order they came."""
        batches = await self._store.select("batches", "function", id=str(batch_id), owner=str(owner))
        if not batches:
            raise Problem(404, f"You have no batch {batch_id}.")
        rows: list[Row] = await self._store.call(
            "batch_results_v1",
            batch_id=str(batch_id),
            result_table=self._known.functions[batches[0]["function"]].table,
            after=str(after) if after else None,
            most=limit,
            states=list(states) if states else None,
        )
        return rows

    async def _open(
        self, owner: UUID, manifest: Manifest, source: str, key: str | None, body: Mapping[str, Any]
    ) -> Row:
        """The batch's row; for a repeated Idempotency-Key the one of then. Raises Problem 422 for another body."""
        digest = hashlib.sha256(json.dumps([manifest.name, body], sort_keys=True).encode()).hexdigest()
        row = {
            "function": manifest.name,
            "source": source,
            "owner": str(owner),
            "idempotency_key": key or f"none-{uuid4()}",
            "body_hash": digest,
        }
        await self._store.insert("batches", [row], on_conflict="owner,idempotency_key")
        named = {"owner": row["owner"], "idempotency_key": row["idempotency_key"]}
        (batch,) = await self._store.select("batches", COLUMNS, **named)
        if batch["body_hash"] != digest:
            raise Problem(422, "This Idempotency-Key came with another body before: use a new key for a new batch.")
        return batch

    async def _enlist(self, batch_id: str, manifest: Manifest, entries: Sequence[Row]) -> int:
        """How many were there already. One chunk after the other, so that items keep the order they came in."""
        duplicates = 0
        for start in range(0, len(entries), ROWS_PER_CALL):
            done = await self._store.enlist(entries[start : start + ROWS_PER_CALL], batch_id, manifest)
            duplicates += done["duplicates"]
        return duplicates

    async def _tell(self, message: Mapping[str, Any]) -> None:
        try:
            await self._messages.publish(message)
        except Failed as error:
            # The items are enlisted: the sweep gives them their tasks.
            log.error("not_told", message=dict(message), error=error.detail)

    async def _with_progress(self, batches: Sequence[Row]) -> list[Row]:
        if not batches:
            return []
        rows = await self._store.call("batch_progress_v1", batch_ids=[batch["id"] for batch in batches])
        progress = {row["batch_id"]: row for row in rows}
        return [describe(batch, progress[batch["id"]]) for batch in batches]


def check_backlog(manifest: Manifest) -> None:
    if manifest.backlog is None:
        raise Problem(422, f"The function {manifest.name} has no backlog; send items.")


def describe(batch: Mapping[str, Any], progress: Mapping[str, Any]) -> Row:
    """A batch as callers see it."""
    counts = {state: progress[state] for state in STATES}
    left = counts["waiting"] + counts["running"]
    rate = per_minute(progress["last_minute"], batch["created_at"])
    over = left == 0 and batch["state"] != "accepting"
    return {
        "id": batch["id"],
        "function": batch["function"],
        "source": batch["source"],
        "state": state_of(batch["state"], counts, over=over),
        "total": progress["total"],
        "counts": counts,
        "cached": progress["cached"],
        "duplicates": batch["duplicates"],
        "tokens_in": progress["tokens_in"],
        "tokens_out": progress["tokens_out"],
        "cost_usd": float(progress["cost_usd"]),
        "created_at": as_iso(batch["created_at"]),
        "finished_at": as_iso(progress["finished_at"] or batch["created_at"]) if over else None,
        "rate_per_minute": rate,
        "eta_seconds": round(left * 60 / rate) if left and rate else None,
        "links": {"self": f"/v3/batches/{batch['id']}", "results": f"/v3/batches/{batch['id']}/results"},
    }


def per_minute(last_minute: int, created_at: str) -> float:
    """Items that ended, per minute: over the last one, or over the batch's life while that is shorter."""
    age = (datetime.now(UTC) - datetime.fromisoformat(created_at)).total_seconds()
    return round(last_minute * 60 / min(60.0, max(1.0, age)), 1)


def state_of(state: str, counts: Mapping[str, int], *, over: bool) -> str:
    if state != "open":
        return state
    if not over:
        return "running"
    return "completed_with_errors" if counts["dead"] else "completed"


def as_iso(moment: str | None) -> str | None:
    """Supabase writes timestamps in more than one way; callers get one."""
    return datetime.fromisoformat(moment).isoformat().replace("+00:00", "Z") if moment else None
