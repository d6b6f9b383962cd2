"""Filling: an order becomes a batch with its items, durable before it is answered.

few items    submit_v1 -> the fan-out is told
many         begin_batch_v1 -> take_chunk_v1 for every 500, in their order -> open_batch_v1 -> the fan-out is told

What broke off goes on where it was when it comes again with its Idempotency-Key: each chunk's digest is over all items
up to there, so other items under the same key are found out. Without a key nobody can go on, and it is cancelled.
"""

import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from functions.api.keys import KeyHolder
from functions.api.problems import Problem
from functions.api.submission import Chunk, Order, Wanted
from shared.enlisting import entry
from shared.errors import Failed
from shared.manifest import Manifest
from shared.messages import Messages
from shared.store import RowRefused, Store
from shared.telemetry import log


@dataclass(frozen=True)
class Begun:
    """A batch that is to be filled, or was filled before by the same order."""

    batch_id: UUID
    state: str
    chunks: int
    chunks_hash: str | None
    secret: str | None
    is_new: bool

    @property
    def is_open(self) -> bool:
        """Does it still take items?"""
        return self.state == "accepting"


@dataclass(frozen=True)
class Filled:
    """A batch whose items are in. `secret`: what its webhook's messages are signed with."""

    batch_id: UUID
    secret: str | None


class Filling:
    def __init__(self, store: Store, messages: Messages) -> None:
        self._store = store
        self._messages = messages

    async def with_items(
        self, owner: KeyHolder, manifest: Manifest, wanted: Wanted, chunks: AsyncIterator[Chunk]
    ) -> Filled:
        """Raises Problem 422, 409; and what `chunks` raises."""
        first, second = await anext(chunks), await anext(chunks, None)
        if second is None:
            return await self._at_once(owner, manifest, wanted, first)
        return await self._by_chunks(owner, manifest, wanted, chained(first, second, chunks))

    async def _at_once(self, owner: KeyHolder, manifest: Manifest, wanted: Wanted, chunk: Chunk) -> Filled:
        """Most batches have few items: one call for all of it."""
        (row,) = await self._store.call(
            "submit_v1",
            **order_of(owner, wanted),
            quota_name=manifest.quota,
            digest=chunk.digest,
            inputs=[entry(item, manifest, wanted.order.options) for item in chunk.items],
        )
        check(row["verdict"])
        if row["opened"]:
            await self.tell(row["batch_id"])
        return Filled(UUID(row["batch_id"]), row["secret"])

    async def _by_chunks(
        self, owner: KeyHolder, manifest: Manifest, wanted: Wanted, chunks: AsyncIterator[Chunk]
    ) -> Filled:
        begun = await self._begin(owner, "items", wanted)
        if not begun.is_open:
            check_same(begun, [chunk async for chunk in chunks][-1])
            return Filled(begun.batch_id, begun.secret)
        try:
            async for chunk in chunks:
                await self._take(begun, manifest, wanted.order, chunk)
        except Exception as error:
            if wanted.key is None or (begun.is_new and is_refusal(error)):
                await self._give_up(begun)
            raise
        await self._store.call("open_batch_v1", batch_id=str(begun.batch_id))
        await self.tell(begun.batch_id)
        return Filled(begun.batch_id, begun.secret)

    async def from_backlog(self, owner: KeyHolder, wanted: Wanted, limit: int) -> Filled:
        """It takes items until the fan-out has filled it; the same order twice fills it once. Raises TopicDown."""
        begun, order = await self._begin(owner, "backlog", wanted), wanted.order
        if begun.is_open:
            told = {"function": order.function, "limit": limit, "options": order.options}
            try:
                await self._messages.publish({**told, "batch_id": str(begun.batch_id)})
            except Failed:
                if wanted.key is None:
                    await self._give_up(begun)
                raise
        return Filled(begun.batch_id, begun.secret)

    async def tell(self, batch_id: UUID | str) -> None:
        """Let the fan-out give the batch's items their tasks; if it cannot be told, the sweep will."""
        try:
            await self._messages.publish({"batch_id": str(batch_id)})
        except Failed as error:
            log.error("not_told", batch_id=str(batch_id), error=error.detail)

    async def _begin(self, owner: KeyHolder, source: str, wanted: Wanted) -> Begun:
        """Raises Problem 422 for a key that came with another order, and for a deadline that has passed."""
        (row,) = await self._store.call("begin_batch_v1", **order_of(owner, wanted), source=source)
        check(row["verdict"])
        is_new = row["verdict"] == "new"
        return Begun(UUID(row["batch_id"]), row["state"], row["chunks"], row["chunks_hash"], row["secret"], is_new)

    async def _take(self, begun: Begun, manifest: Manifest, order: Order, chunk: Chunk) -> None:
        verdict = await self._store.call(
            "take_chunk_v1",
            batch_id=str(begun.batch_id),
            place=chunk.place,
            digest=chunk.digest,
            inputs=[entry(item, manifest, order.options) for item in chunk.items],
            function_name=manifest.name,
            quota_name=manifest.quota,
        )
        check(verdict)

    async def _give_up(self, begun: Begun) -> None:
        try:
            await self._store.call("void_batch_v1", batch_id=str(begun.batch_id))
        except Failed as error:
            # In an hour the sweep takes it for complete as it is.
            log.error("not_voided", batch_id=str(begun.batch_id), error=error.detail)


def order_of(owner: KeyHolder, wanted: Wanted) -> dict[str, Any]:
    """As begin_batch_v1 takes it."""
    order = wanted.order
    return {
        "owner": str(owner.id),
        "asked_by": str(uuid4()),
        "function_name": order.function,
        "idempotency_key": wanted.key or f"none-{uuid4()}",
        "body_hash": wanted.digest,
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
    if verdict == "other":
        raise another_body()
    if verdict == "closed":
        raise Problem(409, "Another call with this Idempotency-Key has ended this batch: look at it first.")
    if verdict == "late":
        raise Problem(422, "deadline: it has passed already; send a later one, or none.")


async def chained(first: Chunk, second: Chunk, rest: AsyncIterator[Chunk]) -> AsyncIterator[Chunk]:
    yield first
    yield second
    async for chunk in rest:
        yield chunk


def is_refusal(error: Exception) -> bool:
    """The items themselves are wrong: to send them again would not help."""
    return isinstance(error, RowRefused) or (isinstance(error, Problem) and error.status == 422)


def check_same(begun: Begun, last: Chunk) -> None:
    if (begun.chunks, begun.chunks_hash) != (last.place, last.digest):
        raise another_body()


def another_body() -> Problem:
    return Problem(422, "This Idempotency-Key came with another body before: use a new key for a new batch.")
