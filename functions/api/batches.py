"""Batches: submit, watch, cancel, try again, read the results."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from functions.api.bodies import Body, Places
from functions.api.caching import Cache
from functions.api.filling import Filled, Filling
from functions.api.keys import KeyHolder
from functions.api.pages import Page, page_of
from functions.api.problems import Problem
from functions.api.progress import STOPPED, describe, in_the_database
from functions.api.submission import Order, Wanted
from shared.enlisting import estimate, unknown_options
from shared.inputs import InputTooLarge
from shared.manifest import Manifest, Manifests
from shared.messages import Messages
from shared.store import Store

Row = dict[str, Any]
# So long a request goes on cancelling or trying again by itself; the sweep does the rest, or the caller asks once more.
WORK_SECONDS = 20.0


@dataclass(frozen=True)
class Table:
    """Where a function keeps its rows, and which columns come from the input; see row_for_owner."""

    name: str
    typed: Sequence[str]


class Batches:
    """Batches of one owner at a time; only an operator sees another's."""

    def __init__(self, store: Store, messages: Messages, known: Manifests, cache: Cache) -> None:
        self._store = store
        self._known = known
        self._cache = cache
        self._filling = Filling(store, messages)
        self.tell = self._filling.tell

    def function(self, name: str) -> Manifest:
        """Raises Problem 422 for what is no function that takes items of callers."""
        manifest = self._known.functions.get(name)
        if manifest is None or not takes_items(manifest):
            raise Problem(422, f"There is no function {name!r}; there is: {', '.join(self.functions())}.")
        return manifest

    def functions(self) -> list[str]:
        """The names of those that do."""
        return [one.name for one in self._known.functions.values() if takes_items(one)]

    def ordered(self, order: Order) -> Manifest:
        """The function of an order. Raises Problem 422: there is none, or its items cannot have these options."""
        manifest = self.function(order.function)
        try:
            manifest.input_limits.check_value(order.options)
        except InputTooLarge as error:
            raise Problem(422, f"options: {error}") from error
        if wrong := unknown_options(order.options, manifest):
            raise Problem(422, f"options: {wrong}.")
        return manifest

    def most_input_bytes(self) -> int:
        """What an input may have where that is most."""
        return max((self._known.functions[name].input_bytes for name in self.functions()), default=0)

    async def submit(self, owner: KeyHolder, wanted: Wanted, items: Places) -> Row:
        """Enlist the items of an order that `ordered` has found good, and tell the fan-out.

        Nothing is lost once this returns, whatever dies after it.
        """
        manifest = self.function(wanted.order.function)
        return await self._told(owner, await self._filling.with_items(owner, manifest, wanted, items))

    async def note_part(self, owner: KeyHolder, key: str, body: Body) -> None:
        """A body broke off: for a day its key takes only one that begins like it."""
        await self._store.call(
            "note_part_v1", owner=str(owner.id), idempotency_key=key, bytes=len(body.text), digest=body.digest()
        )

    async def submit_backlog(self, owner: KeyHolder, wanted: Wanted, limit: int) -> Row:
        """A batch that the fan-out fills from the function's backlog. Raises Problem 422 where there is none, 403."""
        check_operator(owner)
        check_backlog(self.ordered(wanted.order))
        return await self._told(owner, await self._filling.from_backlog(owner, wanted, limit))

    async def dry_run(self, owner: KeyHolder, order: Order, limit: int) -> Row:
        """What a backlog run would do. Writes nothing. Raises Problem 422, 403."""
        check_operator(owner)
        manifest = self.ordered(order)
        check_backlog(manifest)
        found = await self._store.backlog_count(manifest, limit)
        return estimate(manifest, found, self._known.quotas[manifest.quota or ""]["requests_per_minute"])

    async def one(self, owner: KeyHolder, batch_id: UUID) -> Row:
        """One batch with its progress. Raises Problem 404."""
        rows = await self._store.call("batches_v1", owner=owner.scope, batch_id=str(batch_id))
        if not rows:
            raise not_there(batch_id)
        return describe(rows[0])

    async def newest(  # noqa: PLR0913 - its filters
        self,
        owner: KeyHolder,
        limit: int,
        before: UUID | None,
        function: str | None = None,
        states: Sequence[str] | None = None,
        since: datetime | None = None,
    ) -> list[Row]:
        """The owner's batches, the newest first, from `before` on."""
        rows = await self._store.call(
            "batches_v1",
            owner=owner.scope,
            function_name=function,
            states=in_the_database(states),
            since=since.isoformat() if since else None,
            before=str(before) if before else None,
            most=limit,
        )
        return [describe(row) for row in rows]

    async def table(self, owner: KeyHolder, batch_id: UUID) -> Table:
        """Where the rows of its function are. Raises Problem 404: this is what every look into a batch asks first."""
        mine = {} if owner.scope is None else {"owner": owner.scope}
        batches = await self._store.select("batches", "function", id=str(batch_id), **mine)
        if not batches:
            raise not_there(batch_id)
        return self.table_of(batches[0]["function"])

    def table_of(self, function: str) -> Table:
        """Where a batch's function keeps its rows. Raises Problem 404 for a function that was taken away."""
        manifest = self._known.functions.get(function)
        if manifest is None or manifest.table is None:
            raise Problem(404, f"The function {function!r} of this batch is not there any more.")
        return Table(manifest.table, list(manifest.typed))

    async def results(  # noqa: PLR0913
        self,
        table: Table,
        batch_id: UUID,
        after: UUID | None,
        limit: int,
        states: Sequence[str] | None,
        *,
        whole: bool = False,
    ) -> Page:
        """A page of items with their results, in the order they came. `whole`: with their inputs uncut."""
        rows: list[Row] = await self._store.call(
            "batch_results_v1",
            batch_id=str(batch_id),
            result_table=table.name,
            typed=table.typed,
            after=str(after) if after else None,
            most=limit,
            states=list(states) if states else None,
            whole=whole,
        )
        return page_of(rows)

    async def items(self, batch_id: UUID, after: UUID | None, limit: int, states: Sequence[str] | None) -> Page:
        """A page of items, in the order they came."""
        rows: list[Row] = await self._store.call(
            "batch_items_v1",
            batch_id=str(batch_id),
            after=str(after) if after else None,
            most=limit,
            states=list(states) if states else None,
        )
        return page_of(rows)

    async def cancel(self, owner: KeyHolder, batch_id: UUID) -> Row:
        """What waits is cancelled, what runs ends by itself. Raises Problem 404, 409 for one that has ended."""
        until = time.monotonic() + WORK_SECONDS
        while True:
            rows = await self._store.call(
                "cancel_batch_v1", batch_id=str(batch_id), owner=owner.scope, actor=str(owner.id)
            )
            if not rows:
                raise not_there(batch_id)
            if not rows[0]["goes_on"] or time.monotonic() > until:
                break
        await self.changed(batch_id)
        if rows[0]["state"].startswith("completed"):
            raise Problem(409, f"Batch {batch_id} has ended already: there is nothing to cancel.")
        return await self.one(owner, batch_id)

    async def retry_failed(self, owner: KeyHolder, batch_id: UUID) -> Row:
        """Its dead items wait again, with all their attempts. Raises Problem 404, 409 for one that was stopped."""
        if (await self.one(owner, batch_id))["state"] in STOPPED:
            raise Problem(409, f"Batch {batch_id} was stopped: submit its failed items as a new batch.")
        retried, until = 0, time.monotonic() + WORK_SECONDS
        while True:
            (done,) = await self._store.call(
                "replay_dead_v1", actor=str(owner.id), action="retry_failed", owner=owner.scope, batch_id=str(batch_id)
            )
            retried += done["affected"]
            if not done["goes_on"] or time.monotonic() > until:
                break
        if retried:
            await self.changed(batch_id)
            await self.tell(batch_id)
        return {**await self.one(owner, batch_id), "retried": retried}

    async def changed(self, batch_id: UUID | str) -> None:
        """Nobody is given what was known of it before."""
        await self._cache.forget(str(batch_id))

    async def _told(self, owner: KeyHolder, filled: Filled) -> Row:
        batch = await self.one(owner, filled.batch_id)
        if filled.secret is not None:
            batch["webhook"] = {**batch["webhook"], "secret": filled.secret}
        return batch


def takes_items(manifest: Manifest) -> bool:
    return manifest.kind == "item" and manifest.submittable


def check_operator(owner: KeyHolder) -> None:
    """Raises Problem 403 for anybody else: a backlog's rows, and how many there are, are the operator's."""
    if not owner.operator:
        raise Problem(
            403, "Backlogs are run by operators: send items of your own, or ask whoever runs Piecework for a key with "
            "--operator.",
        )  # fmt: skip


def check_backlog(manifest: Manifest) -> None:
    if manifest.backlog is None:
        raise Problem(422, f"The function {manifest.name} has no backlog; send items.")


def not_there(batch_id: UUID) -> Problem:
    return Problem(404, f"You have no batch {batch_id}.")
