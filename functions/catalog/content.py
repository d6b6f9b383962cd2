"""A page of the catalog: the statement that asks for it, and what its rows are as posters. All of it is pure."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from functions.catalog.settings import CatalogSettings, quoted

Row = Sequence[str | None]
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
    """What became of some rows. `last`: the content_id behind which the next ones are."""

    posters: Sequence[Mapping[str, Any]]
    last: str
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
    # Of several rows with one content_id the first by url counts, today as tomorrow.
    sql = f"SELECT {named} FROM {table} WHERE {key} IS NOT NULL{behind} ORDER BY {key}, {url} LIMIT :most"  # noqa: S608 - quoted names alone
    return Statement(sql, parameters)


def read_page(columns: Sequence[str], rows: Sequence[Row]) -> Page:
    """Rows as posters. One that is no poster is counted and told of, and the rest goes on."""
    records = [dict(zip(columns, row, strict=True)) for row in rows]
    posters: list[dict[str, Any]] = []
    problems = []
    for record in records:
        if problem := problem_of(record):
            problems.append(f"{str(record['content_id'])[:80]!r}: {problem}")
        else:
            posters.append(poster_of(record))
    return Page(posters, str(records[-1]["content_id"]), len(records), problems)


def problem_of(record: Mapping[str, str | None]) -> str:
    """Why there can be no poster of this row, or nothing."""
    content_id, url = record["content_id"] or "", (record["url"] or "").strip()
    if not content_id.strip() or len(content_id) > MAX_ID or UNSEEN.search(content_id):
        return f"a content_id has 1 to {MAX_ID} characters, none of them a control character"
    if not url:
        return "no url"
    if len(url) > MAX_URL or not URL.fullmatch(url):
        return f"{url[:80]!r} is no http or https URL"
    return ""


def poster_of(record: Mapping[str, str | None]) -> dict[str, Any]:
    """The poster a row speaks of, as keep_posters_v1 takes it."""
    active = record.get("active")
    return {
        "content_id": record["content_id"],
        "url": str(record["url"]).strip(),
        "active": active is None or active.strip().lower() not in NO,
        **{field: plain(record.get(field)) for field in ("title", "language", "kind")},
    }


def plain(text: str | None) -> str | None:
    """One line of at most MAX_TEXT characters, or None for an empty one."""
    return UNSEEN.sub(" ", text).strip()[:MAX_TEXT] or None if text else None
