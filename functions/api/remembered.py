"""Remembered: batches and their results as HTTP gives them. What has ended is kept; what is at work is read each time.

Results are kept under the moment their batch ended, which comes with its status: once a batch is tried again, no
instance finds the old ones any more as soon as it reads the status anew (after STATUS_SECONDS at most).
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from functions.api.batches import Batches
from functions.api.caching import Cache, Kept, Key
from functions.api.conditional import as_kept
from functions.api.keys import KeyHolder

Row = dict[str, Any]
STATUS_SECONDS, RESULTS_SECONDS = 30.0, 3600.0


class Remembered:
    def __init__(self, batches: Batches, cache: Cache) -> None:
        self._batches = batches
        self._cache = cache

    async def status(self, owner: KeyHolder, batch_id: UUID) -> Kept:
        """One batch and its progress. Raises Problem 404, which nobody keeps."""

        async def read() -> Kept:
            batch = await self._batches.one(owner, batch_id)
            return as_kept(batch, seconds=STATUS_SECONDS if is_over(batch) else 0)

        return await self._cache.get(Key(str(batch_id), str(owner.id), "status"), read)

    async def results(  # noqa: PLR0913
        self,
        owner: KeyHolder,
        batch_id: UUID,
        after: UUID | None,
        limit: int,
        states: Sequence[str] | None,
        ended: datetime | None,
    ) -> tuple[Kept, bool]:
        """A page of its results, and whether it is of the end that `ended` names. Raises Problem 404."""
        batch = json.loads((await self.status(owner, batch_id)).body)

        async def read() -> Kept:
            table = self._batches.table_of(batch["function"])
            rows, cursor = await self._batches.results(table, batch_id, after, limit, states)
            return as_kept({"results": rows, "next_cursor": cursor}, seconds=RESULTS_SECONDS if is_over(batch) else 0)

        page = f"results:{batch['finished_at']}:{after}:{limit}:{','.join(sorted(states or []))}"
        return await self._cache.get(Key(str(batch_id), str(owner.id), page), read), ended_then(batch, ended)


def ended_then(batch: Row, ended: datetime | None) -> bool:
    finished_at = batch["finished_at"]
    return finished_at is not None and datetime.fromisoformat(finished_at) == ended


def is_over(batch: Row) -> bool:
    """Has it ended, and does whoever was to be told know it? Nothing of it changes by itself then."""
    told = batch["webhook"] is None or batch["webhook"]["state"] not in {"waiting", "running"}
    return batch["finished_at"] is not None and told
