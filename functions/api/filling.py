"""Filling: an order becomes a batch with its items, durable before it is answered.

few items    submit_v1 -> the fan-out is told
many         begin_batch_v1 -> take_chunk_v1, chunk by chunk in their order -> open_batch_v1 -> the fan-out is told

Each call carries the digest over the whole body: another body under the same key is found out at the first of them,
also when two come at once. No item gets a task before all are in. An instance that dies between two of these calls
leaves a batch that the same body with the same key goes on with for a day; without a key the sweep cancels it.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from functions.api.bodies import Places
from functions.api.chunks import Chunk, chunks
from functions.api.keys import KeyHolder
from functions.api.problems import Problem
from functions.api.submission import Order, Wanted
from shared.errors import Failed
from shared.manifest import Manifest
from shared.messages import Messages
from shared.store import RowRefused, Store
from shared.telemetry import log

Row = dict[str, Any]


@dataclass(frozen=True)
class Filled:
    """A batch whose items are in. `secret`: what its webhook's messages are signed with."""

    batch_id: UUID
    secret: str | None


class Filling:
    def __init__(self, store: Store, messages: Messages) -> None:
        self._store = store
        self._messages = messages

    async def with_items(self, owner: KeyHolder, manifest: Manifest, wanted: Wanted, items: Places) -> Filled:
        """Raises Problem 422, 409."""
        first = await anext(chunks(wanted.body.text, items, manifest, wanted.order.options))
        if len(first.inputs) == len(items):
            return await self._at_once(owner, manifest, wanted, first)
        return await self._by_chunks(owner, manifest, wanted, items)

    async def _at_once(self, owner: KeyHolder, manifest: Manifest, wanted: Wanted, chunk: Chunk) -> Filled:
        """Most batches have few items: one call for all of it."""
        row = await self._begin("submit_v1", owner, wanted, quota_name=manifest.quota, inputs=chunk.inputs)
        if row["opened"]:
            await self.tell(row["batch_id"])
        return Filled(UUID(row["batch_id"]), row["secret"])

    async def _by_chunks(self, owner: KeyHolder, manifest: Manifest, wanted: Wanted, items: Places) -> Filled:
        begun = await self._begin("begin_batch_v1", owner, wanted, source="items")
        filled = Filled(UUID(begun["batch_id"]), begun["secret"])
        if begun["state"] != "accepting":
            return filled
        upload = {"batch_id": begun["batch_id"], "body_hash": wanted.body.digest()}
        try:
            async for chunk in chunks(wanted.body.text, items, manifest, wanted.order.options, begun["items_in"]):
                await self._take(upload, manifest, chunk)
            check(await self._store.call("open_batch_v1", **upload, items=len(items)))
        except Exception as error:
            if wanted.key is None or isinstance(error, RowRefused):
                await self._drop(begun["batch_id"])
            raise
        await self.tell(filled.batch_id)
        return filled

    async def from_backlog(self, owner: KeyHolder, wanted: Wanted, limit: int) -> Filled:
        """It takes items until the fan-out has filled it; the same order twice fills it once. Raises TopicDown."""
        begun, order = await self._begin("begin_batch_v1", owner, wanted, source="backlog"), wanted.order
        if begun["state"] == "accepting":
            told = {"function": order.function, "limit": limit, "options": order.options}
            try:
                await self._messages.publish({**told, "batch_id": begun["batch_id"]})
            except Failed:
                if wanted.key is None:
                    await self._drop(begun["batch_id"])
                raise
        return Filled(UUID(begun["batch_id"]), begun["secret"])

    async def tell(self, batch_id: UUID | str) -> None:
        """Let the fan-out give the batch's items their tasks; if it cannot be told, the sweep will."""
        try:
            await self._messages.publish({"batch_id": str(batch_id)})
        except Failed as error:
            log.error("not_told", batch_id=str(batch_id), error=error.detail)

    async def _begin(self, function: str, owner: KeyHolder, wanted: Wanted, **more: Any) -> Row:
        """Raises Problem 422 for a key that came with another body or order, and for a deadline that has passed."""
        asked = {**order_of(owner, wanted), **more}
        (row,) = await self._store.call(function, **asked)
        if row["verdict"] == "part":
            part = await wanted.body.digest_of(row["part_bytes"])
            if part is None:
                raise another_body()
            (row,) = await self._store.call(function, **asked, part_hash=part)
        check(row["verdict"])
        return row  # type: ignore[no-any-return]

    async def _take(self, upload: Mapping[str, str], manifest: Manifest, chunk: Chunk) -> None:
        verdict = await self._store.call(
            "take_chunk_v1",
            **upload,
            start=chunk.start,
            inputs=chunk.inputs,
            function_name=manifest.name,
            quota_name=manifest.quota,
        )
        check(verdict)

    async def _drop(self, batch_id: str) -> None:
        """Leave nothing of it: no batch, no item, no webhook."""
        try:
            while await self._store.call("drop_upload_v1", batch_id=batch_id):
                pass
        except Failed as error:
            # The sweep will cancel what is left of it.
            log.error("not_dropped", batch_id=batch_id, error=error.detail)


def order_of(owner: KeyHolder, wanted: Wanted) -> dict[str, Any]:
    """As begin_batch_v1 takes it."""
    order, asked_by = wanted.order, str(uuid4())
    return {
        "owner": str(owner.id),
        "asked_by": asked_by,
        "function_name": order.function,
        "idempotency_key": f"none-{asked_by}" if wanted.key is None else wanted.key,
        "body_hash": wanted.body.digest(),
        "priority": order.priority,
        "deadline": order.deadline.isoformat() if order.deadline else None,
        "webhook_url": order.webhook_url,
        "webhook_secret": secret_of(order),
    }


def secret_of(order: Order) -> str | None:
    if order.webhook_url is None:
        return None
    return order.webhook_secret or f"whsec_{secrets.token_urlsafe(32)}"


def check(verdict: str) -> None:
    """Raises Problem 422, 409 for what is no batch of this order."""
    if verdict in {"other", "part"}:
        raise another_body()
    if verdict == "closed":
        raise Problem(409, "Another call with this Idempotency-Key has ended this batch: look at it first.")
    if verdict == "unfinished":
        raise Problem(503, "Items of this upload are missing: send it again with the same Idempotency-Key.")
    if verdict == "late":
        raise Problem(422, "deadline: it has passed already; send a later one, or none.")


def another_body() -> Problem:
    return Problem(422, "This Idempotency-Key came with another body before: use a new key for a new batch.")
