"""A pass over the catalog: page by page into the table posters, and at each page the place is kept with it.

    begin    where to go on, and whether there is anything to do
    page     one statement: the next rows by content_id
    keep     its posters and the place behind them, in one transaction
    finish   the pass is over; the next one begins CATALOG_HOURS after it began

Killed at any line, the next run goes on behind the last page that was kept. Two runs at once do no harm: the one that
finds the place moved stops.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from functions.catalog.content import EXAMPLES, Page, Row, page_statement, read_page
from functions.catalog.orders import Order
from functions.catalog.refusals import CatalogFailed, OutOfTime, too_slow, unusable_ids
from functions.catalog.settings import CatalogSettings
from functions.catalog.warehouse import Warehouse
from shared.store import ROWS_PER_CALL, RowRefused, Store
from shared.telemetry import log

Report = dict[str, Any]


class Pass:
    """One run's share of a pass."""

    def __init__(
        self, settings: CatalogSettings, store: Store, warehouse: Warehouse, *, has_time: Callable[[], bool]
    ) -> None:
        self._settings = settings
        self._store = store
        self._warehouse = warehouse
        self._has_time = has_time
        self._report: Report = {"read": 0, "added": 0, "changed": 0, "unusable": 0}

    async def run(self, order: Order) -> Report:
        """What was read and what it changed; `state` is finished, goes_on, taken_over or not_due.

        Raises CatalogFailed, RowRefused, StoreDown; what was kept until then stays.
        """
        place = await self._begin(order)
        if not place["due"]:
            return {**self._report, "state": "not_due"}
        try:
            state = await self._read_on(place["after"])
        except (CatalogFailed, RowRefused) as failed:
            await self._store.update("catalog_cursors", {"problem": str(failed)}, source=self._settings.source)
            raise
        return {**self._report, "state": state}

    async def _begin(self, order: Order) -> Mapping[str, Any]:
        (place,) = await self._store.call(
            "catalog_begin_v1",
            catalog_source=self._settings.source,
            refresh_seconds=self._settings.catalog_hours * 3600,
            fresh=order.fresh,
            inactive_too=self._settings.catalog_include_inactive or order.include_inactive,
        )
        begun: Mapping[str, Any] = place
        return begun

    async def _read_on(self, after: str | None) -> str:
        while self._has_time():
            read, began = 0, after
            try:
                async for columns, rows in self._warehouse.rows(page_statement(self._settings, after)):
                    read += len(rows)
                    after, moved = await self._keep_chunk(after, columns, rows)
                    if not moved:
                        return "taken_over"
            except OutOfTime as late:
                if not self._report["read"]:
                    raise (late.problem or too_slow()) from None
                return "goes_on"
            if not read:
                return "finished" if await self._finish(after) else "taken_over"
            if after == began:
                raise unusable_ids(after)
        return "goes_on"

    async def _keep_chunk(
        self, after: str | None, columns: Sequence[str], rows: Sequence[Row]
    ) -> tuple[str | None, bool]:
        """Keep a chunk in pieces the database takes; (the place behind it, False where another run has moved on)."""
        for start in range(0, len(rows), ROWS_PER_CALL):
            page = read_page(columns, rows[start : start + ROWS_PER_CALL], after)
            if not await self._keep(after, page):
                return after, False
            after = page.last
        return after, True

    async def _keep(self, after: str | None, page: Page) -> bool:
        (kept,) = await self._store.call(
            "catalog_keep_v1",
            catalog_source=self._settings.source,
            from_id=after,
            to_id=page.last,
            read_rows=page.rows,
            unusable_rows=len(page.problems),
            given=page.posters,
        )
        if kept["moved"]:
            self._count(page, kept)
        return bool(kept["moved"])

    def _count(self, page: Page, kept: Mapping[str, Any]) -> None:
        for name, count in (("added", kept["added"]), ("changed", kept["changed"]), ("read", page.rows)):
            self._report[name] += count
        if page.problems:
            self._report["unusable"] += len(page.problems)
            log.warning("catalog_rows_unusable", rows=len(page.problems), examples=list(page.problems[:EXAMPLES]))

    async def _finish(self, after: str | None) -> bool:
        done = await self._store.update(
            "catalog_cursors", {"finished_at": "now", "problem": None}, source=self._settings.source, after=after
        )
        return bool(done)
