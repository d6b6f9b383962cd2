"""Pages of lists, which have a limit in rows and one in bytes."""

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

Row = dict[str, Any]
# As page_of in the database has it. With what the API adds a page stays below a megabyte.
MOST_PAGE_BYTES = 900_000


class Page(NamedTuple):
    """Some rows of a list. `next_cursor`: the last one's id, if there are more after it."""

    rows: list[Row]
    next_cursor: str | None


def page_of(lines: Sequence[Row]) -> Page:
    """From the lines of page_of in the database; each says whether there are more after it."""
    rows = [{key: value for key, value in line.items() if key != "goes_on"} for line in lines]
    return Page(rows, lines[-1]["item_id"] if lines and lines[-1]["goes_on"] else None)


def within_bytes(rows: Sequence[Row], most: int = MOST_PAGE_BYTES) -> list[Row]:
    """The first rows, as far as they have room in one page together, but one at least."""
    size = 0
    for number, row in enumerate(rows):
        size += len(json.dumps(row, ensure_ascii=False).encode())
        if size > most and number:
            return list(rows[:number])
    return list(rows)
