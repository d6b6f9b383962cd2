"""A page of the catalog: the statement that asks for it, and what its rows are as posters. All of it is pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from functions.catalog.refusals import CatalogFailed
from functions.catalog.settings import CatalogSettings, quoted

Row = Sequence[str | None]
Record = Mapping[str, str | None]
MAX_ID, MAX_URL, MAX_TEXT = 200, 2083, 500
URL = re.compile(r"https?://[^\s\x00-\x1f\x7f]+", re.IGNORECASE)
UNSEEN = re.compile(r"[\x00-\x1f\x7f]+")
NO = frozenset({"false", "f", "0", "no", "n", "inactive"})
EXAMPLES = 5


@dataclass(frozen=True)
class Statement:
    """SQL with named markers, and their values as the API wants them. No value is ever part of the SQL."""

    sql: str
    parameters: Sequence[Mapping[str, str]]


@dataclass(frozen=True)
class Page:
    """What became of some rows. `last`: the content_id behind which the next ones are; None: at the beginning."""

    posters: Sequence[Mapping[str, Any]]
    last: str | None
    rows: int
    problems: Sequence[str]


def page_statement(settings: CatalogSettings, after: str | None) -> Statement:
    """The next rows behind `after`, in the order of their content_id: page 10,000 costs what page 1 does."""
    columns = settings.catalog_columns
    key, url = quoted(columns["content_id"]), quoted(columns["url"])
    named = ", ".join(f"{quoted(column)} AS {quoted(field)}" for field, column in columns.items())
    table = ".".join(quoted(part) for part in settings.catalog_table.split("."))
    parameters = [{"name": "most", "value": str(settings.catalog_page_rows), "type": "INT"}]
    behind = ""
    if after is not None:
        behind = f" AND {key} > :after"
        parameters.append({"name": "after", "value": after, "type": "STRING"})
    # Of several rows with one content_id the first counts, today as tomorrow: those without a url come last.
    order = f"{key}, NULLIF(TRIM({url}), '') NULLS LAST"
    sql = f"SELECT {named} FROM {table} WHERE {key} IS NOT NULL{behind} ORDER BY {order} LIMIT :most"  # noqa: S608 - quoted names alone
    return Statement(sql, parameters)


def read_page(columns: Sequence[str], rows: Sequence[Row], after: str | None = None) -> Page:
    """Rows behind `after` as posters, the first row of each content_id. One that is no poster is counted and told of,
    and the rest goes on. Raises CatalogFailed.
    """
    posters: list[dict[str, Any]] = []
    problems = []
    firsts = first_rows(columns, rows)
    # Of `after`, the first row was in the piece before.
    firsts.pop(after, None)
    for content_id, record in firsts.items():
        if problem := problem_of(record):
            problems.append(f"{str(content_id)[:80]!r}: {problem}")
        else:
            posters.append(poster_of(record))
    # The database keeps no text with a NUL: behind such a content_id, no run could go on.
    last = next((one for one in reversed(firsts) if one is not None and "\0" not in one), after)
    return Page(posters, last, len(rows), problems)


def first_rows(columns: Sequence[str], rows: Sequence[Row]) -> dict[str | None, Record]:
    """By content_id, in their order. Raises CatalogFailed for rows that are none."""
    firsts: dict[str | None, Record] = {}
    try:
        for row in rows:
            record = dict(zip(columns, row, strict=True))
            firsts.setdefault(record["content_id"], record)
    except (ValueError, TypeError, KeyError) as error:
        raise CatalogFailed("bad_answer", "Databricks sent rows that do not fit their columns.") from error
    return firsts


def problem_of(record: Record) -> str:
    """Why there can be no poster of this row, or nothing. One that is inactive needs no url: it takes a poster out."""
    content_id, url = record["content_id"] or "", address(record)
    if not content_id.strip() or len(content_id) > MAX_ID or UNSEEN.search(content_id):
        return f"a content_id has 1 to {MAX_ID} characters, none of them a control character"
    if can_be_fetched(url) or not is_active(record):
        return ""
    return f"{url[:80]!r} is no http or https URL" if url else "no url"


def poster_of(record: Record) -> dict[str, Any]:
    """The poster a row speaks of, as keep_posters_v1 takes it."""
    url = address(record)
    return {
        "content_id": record["content_id"],
        "url": url if can_be_fetched(url) else None,
        "active": is_active(record),
        **{field: plain(record.get(field)) for field in ("title", "language", "kind")},
    }


def address(record: Record) -> str:
    return (record["url"] or "").strip()


def can_be_fetched(url: str) -> bool:
    return len(url) <= MAX_URL and URL.fullmatch(url) is not None


def is_active(record: Record) -> bool:
    active = record.get("active")
    return active is None or active.strip().lower() not in NO


def plain(text: str | None) -> str | None:
    """One line of at most MAX_TEXT characters, or None for an empty one."""
    return UNSEEN.sub(" ", text).strip()[:MAX_TEXT] or None if text else None
