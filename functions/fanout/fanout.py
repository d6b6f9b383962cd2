"""The fan-out: every waiting item gets one task. Nothing here is lost when it dies at any line.

    enlist   the database knows the item before its task exists
    enqueue  a task too many is harmless: claim_v1 lets one delivery through
    mark     what is not marked, the sweep finds

Items of a batch of low priority get no more tasks than their quota can do until the next sweep, together with all that
stands in its queue already: batches of normal priority come first, and wait for a few minutes of low ones at most.

Work is done in pages, so memory stays flat; when the time is nearly up, a new message goes on where this one stopped.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import Any
from uuid import UUID

from functions.fanout.orders import FanBacklog, FanBatch, Sweep
from shared.enlisting import checked_entry, estimate, unknown_options
from shared.errors import Failed
from shared.manifest import Manifest, Manifests
from shared.messages import Messages
from shared.queue import Delivery, Queue, QueueDown
from shared.settings import Settings
from shared.store import ROWS_PER_CALL, Store
from shared.telemetry import log
from shared.tracing import current

SWEEP_ROWS = 1000
TENDED_ITEMS = 2000
# States of a batch whose items may still come in, or get their tasks.
TAKING = ("accepting", "open")

Report = dict[str, Any]


class UnknownFunction(ValueError):
    """No such item function, or one without a backlog."""


class UnknownOptions(ValueError):
    """Options that the function's items do not know: they would end every item of its backlog as dead."""


class Fanout:
    """The fan-out's clients, made at the first message."""

    def __init__(self, settings: Settings, known: Manifests, *, seconds: float) -> None:
        self._known = known
        self._seconds = seconds
        self.store = Store.of(settings)
        self.queue = Queue(settings)
        self.messages = Messages(settings)
        self._synced = False

    async def ready(self) -> None:
        """Once per process: the limits of quotas.yaml reach the database."""
        if not self._synced:
            await self.store.sync_quotas(self._known.quotas)
            self._synced = True

    async def backlog(self, order: FanBacklog, run: UUID) -> Report:
        """Enlist what a backlog still holds, up to the limit, and fan it out."""
        manifest = self._item_function(order.function)
        if wrong := unknown_options(order.options, manifest):
            raise UnknownOptions(wrong)
        if order.dry_run:
            return await self._tell(manifest, order.limit)
        batch_id = order.batch_id or run
        state = await self._state_of(batch_id)
        if not await self._has_work(manifest, state):
            return {"enlisted": 0, "queued": 0}
        until = time.monotonic() + self._seconds
        # An earlier delivery of this order has filled an open batch, and may have died before the last task.
        enlisted = 0 if state == "open" else await self._enlist(manifest, batch_id, order, until)
        return {"enlisted": enlisted, **await self.batch(FanBatch(batch_id=batch_id))}

    async def batch(self, order: FanBatch) -> Report:
        """Give the items of a batch their tasks; those of a low one as far as there is room."""
        batches = await self.store.select("batches", "priority,state,source", id=str(order.batch_id))
        if batches and (batches[0]["state"], batches[0]["source"]) == ("accepting", "items"):
            # An upload that is not complete: it may still be refused, or given up.
            return {"batch_id": str(order.batch_id), "queued": 0}
        if batches and batches[0]["priority"] == "low":
            return {"batch_id": str(order.batch_id), "queued": await self._fill_room()}
        return await self._fan(order.batch_id, order.after, time.monotonic() + self._seconds)

    async def sweep(self, _order: Sweep) -> Report:
        """Find what was lost; a queue that is empty has lost all that waits for it."""
        until = time.monotonic() + self._seconds
        await self._tend(until)
        empty = [name for name in self._known.quotas if await self._is_empty(name)]
        found = queued = 0
        while time.monotonic() < until:
            rows = await self.store.call("sweep_v1", most=SWEEP_ROWS, empty_quotas=empty)
            found += len(rows)
            taken = await self._enqueue([(UUID(row["item_id"]), row["function"]) for row in rows])
            queued += taken
            # What was not taken would be found again at once.
            if len(rows) < SWEEP_ROWS or not taken:
                break
        queued += await self._fill_room()
        await self._tell_health()
        return {"found": found, "queued": queued}

    async def _tend(self, until: float) -> None:
        """Deadlines, cancellations that are under way, batches whose end nobody has marked."""
        while time.monotonic() < until:
            (done,) = await self.store.call("tend_batches_v1", most=TENDED_ITEMS)
            if any(done.values()):
                log.info("tended", **done)
            if done["cancelled"] < TENDED_ITEMS:
                break

    async def _fill_room(self) -> int:
        """Tasks for items of low batches, as far as their quotas have room."""
        rows = await self.store.call("low_items_v1")
        return await self._enqueue([(UUID(row["item_id"]), row["function"]) for row in rows])

    def _item_function(self, name: str) -> Manifest:
        manifest = self._known.functions.get(name)
        if manifest is None or manifest.backlog is None:
            have = ", ".join(one.name for one in self._known.functions.values() if one.backlog)
            raise UnknownFunction(f"no function {name!r} with a backlog; there is: {have}")
        return manifest

    async def _state_of(self, batch_id: UUID) -> str | None:
        batches = await self.store.select("batches", "state", id=str(batch_id))
        return batches[0]["state"] if batches else None

    async def _has_work(self, manifest: Manifest, state: str | None) -> bool:
        """Something in the backlog, or a batch that an earlier delivery of this order left half done.

        None for a batch that was cancelled meanwhile, or has ended.
        """
        if state is None:
            return bool(await self.store.backlog_count(manifest, 1))
        return state in TAKING

    async def _tell(self, manifest: Manifest, limit: int) -> Report:
        found = await self.store.backlog_count(manifest, limit)
        return estimate(manifest, found, self._known.quotas[manifest.quota or ""]["requests_per_minute"])

    async def _enlist(self, manifest: Manifest, batch_id: UUID, order: FanBacklog, until: float) -> int:
        batch = {"id": str(batch_id), "function": manifest.name, "source": "backlog"}
        await self.store.insert("batches", [batch], on_conflict="id")
        # What an earlier delivery of this order has enlisted counts: the same order twice fills its batch once.
        (progress,) = await self.store.call("batch_progress_v1", batch_ids=[str(batch_id)])
        left, enlisted = order.limit - progress["total"], 0
        async for rows in self.store.pages(manifest.backlog or "", "source_id,source_key,input", key="source_id"):
            if left <= 0:
                break
            entries = [
                checked_entry(row["input"], manifest, order.options, source_key=row["source_key"])
                for row in rows[:left]
            ]
            if refused := [one["source_key"] for one in entries if "refusal" in one]:
                log.warning("inputs_refused", function=manifest.name, rows=len(refused), such_as=refused[:5])
            done = await self.store.enlist(entries, str(batch_id), manifest)
            left, enlisted = left - len(entries), enlisted + done["enlisted"]
            if time.monotonic() > until:
                await self._go_on(order.model_copy(update={"batch_id": batch_id}))
                return enlisted
        await self.store.call("open_batch_v1", batch_id=str(batch_id))
        return enlisted

    async def _fan(self, batch_id: UUID, after: UUID | None, until: float) -> Report:
        queued = 0
        pages = self.store.pages(
            "items", "id,function", key="id", after=str(after) if after else None,
            batch_id=str(batch_id), state="waiting", queued_at=None,
        )  # fmt: skip
        async for rows in pages:
            queued += await self._enqueue([(UUID(row["id"]), row["function"]) for row in rows])
            last = UUID(rows[-1]["id"])
            if time.monotonic() > until:
                await self._go_on(FanBatch(batch_id=batch_id, after=last))
                return {"batch_id": str(batch_id), "queued": queued, "goes_on_after": str(last)}
        return {"batch_id": str(batch_id), "queued": queued}

    async def _enqueue(self, items: Sequence[tuple[UUID, str]]) -> int:
        """Tasks first, then the mark. Raises QueueDown when the queue takes none."""
        gone = {function for _, function in items} - set(self._known.functions)
        if gone:
            log.error("function_gone", functions=sorted(gone), hint="cancel their batches, or deploy them again")
        deliveries = [
            Delivery(item_id, self._known.functions[function], traceparent=current())
            for item_id, function in items
            if function not in gone
        ]
        taken = await self.queue.put_all(deliveries)
        marks = [taken[start : start + ROWS_PER_CALL] for start in range(0, len(taken), ROWS_PER_CALL)]
        await asyncio.gather(
            *(self.store.call("mark_queued_v1", item_ids=[str(one) for one in mark]) for mark in marks)
        )
        if len(taken) < len(deliveries):
            log.warning("not_queued", items=len(deliveries) - len(taken), hint="the sweep will find them")
        return len(taken)

    async def _tell_health(self) -> None:
        """A line per quota and per breaker that has failures: the alerts on them are made of these."""
        quotas, breakers = await asyncio.gather(self.store.call("health_v1"), self.store.call("breakers_v1"))
        for row in quotas:
            log.info("quota", **row)
        for row in breakers:
            log.info("breaker", **row)

    async def _go_on(self, order: FanBatch | FanBacklog) -> None:
        await self.messages.publish(order.model_dump(mode="json", exclude_none=True))

    async def _is_empty(self, quota: str) -> bool:
        try:
            return await self.queue.is_empty(quota)
        except (QueueDown, Failed):
            return False
