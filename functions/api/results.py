"""Results as JSON lines or CSV: all of them from here to the end, page by page, so that memory stays flat."""

import csv
import io
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any
from uuid import UUID

Row = dict[str, Any]
# The page that follows an item.
NextPage = Callable[[UUID], Awaitable[list[Row]]]
ITEM_COLUMNS = (
    "item_id", "custom_id", "state", "reason", "error", "attempts", "cached", "tokens_in", "tokens_out", "cost_usd",
    "finished_at",
)  # fmt: skip
# A spreadsheet would run a cell that begins so, and these words come from web pages.
RISKY = ("=", "+", "-", "@", "\t", "\r")


async def pages(first: list[Row], following: NextPage) -> AsyncIterator[list[Row]]:
    rows = first
    while rows:
        yield rows
        rows = await following(UUID(rows[-1]["item_id"]))


async def as_lines(first: list[Row], following: NextPage) -> AsyncIterator[str]:
    """One JSON object a line."""
    async for rows in pages(first, following):
        yield "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


async def as_csv(first: list[Row], following: NextPage, columns: Sequence[str]) -> AsyncIterator[str]:
    """A header, then a line for each item: its columns, its input as JSON, then the columns of its function's table."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow([*ITEM_COLUMNS, "input", *(named(column) for column in columns)])
    async for rows in pages(first, following):
        writer.writerows(cells(row, columns) for row in rows)
        yield out.getvalue()
        out.seek(0)
        out.truncate()
    # Of a batch without items there is the header alone.
    if not first:
        yield out.getvalue()


def named(column: str) -> str:
    return f"result_{column}" if column in ITEM_COLUMNS or column == "input" else column


def cells(row: Mapping[str, Any], columns: Sequence[str]) -> list[Any]:
    result = row["result"] or {}
    return [cell(row[name]) for name in (*ITEM_COLUMNS, "input")] + [cell(result.get(name)) for name in columns]


def cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    return f"'{value}" if isinstance(value, str) and value.startswith(RISKY) else value
