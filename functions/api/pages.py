"""Pages of lists, which have a limit in rows and one in bytes (the database's page_of cuts them)."""

from collections.abc import Sequence
from typing import Any, NamedTuple

Row = dict[str, Any]


class Page(NamedTuple):
    """Some rows of a list. `next_cursor`: the last one's id, if there are more after it."""

    rows: list[Row]
    next_cursor: str | None


def page_of(lines: Sequence[Row]) -> Page:
    """From the lines of page_of in the database; each says whether there are more after it."""
    rows = [{key: value for key, value in line.items() if key != "goes_on"} for line in lines]
    return Page(rows, lines[-1]["item_id"] if lines and lines[-1]["goes_on"] else None)
