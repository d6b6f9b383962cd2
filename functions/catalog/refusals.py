"""What can go wrong with the warehouse, in words that say what to do.

Failed
└── CatalogFailed(reason)    unauthorized, forbidden, no_warehouse, warehouse_stopped, no_table, no_column, refused,
                             statement_failed, result_gone, rate_limited, unavailable, unreachable, bad_answer, bad_id,
                             too_slow
OutOfTime                    not an error: the next run goes on
"""

import json
from collections.abc import Mapping
from typing import Any

from functions.catalog.settings import CatalogSettings
from shared.errors import Failed

SAID = 300
MEANINGS = {
    401: ("unauthorized", "Databricks wants another credential ({said}): set DATABRICKS_TOKEN."),
    403: (
        "forbidden",
        "Databricks refused the token ({said}): give it the right to use warehouse {warehouse} and read {table}.",
    ),
    404: ("no_warehouse", "Databricks does not know warehouse {warehouse} ({said}): see DATABRICKS_WAREHOUSE_ID."),
    429: ("rate_limited", "Databricks says: too many requests ({said})."),
}


class CatalogFailed(Failed):
    """The catalog cannot be read now. `detail` is for the one who set it up."""


class OutOfTime(Exception):
    """This run has no time left for that; its place is kept. `problem` is what took the time, if it was one."""

    def __init__(self, problem: CatalogFailed | None = None) -> None:
        super().__init__(str(problem or ""))
        self.problem = problem


def refusal(status: int, body: str, settings: CatalogSettings) -> CatalogFailed:
    """What an answer other than 2xx means."""
    said = message_of(body)
    if status in MEANINGS:
        reason, words = MEANINGS[status]
    elif status >= 500:
        reason, words = "unavailable", "Databricks cannot answer now ({status}: {said})."
    elif "stopped" in said.lower():
        reason, words = (
            "warehouse_stopped",
            "The SQL warehouse is stopped ({said}): start it, or let it start by itself.",
        )
    else:
        reason, words = "refused", "Databricks did not take the statement ({status}: {said})."
    named = {"warehouse": settings.databricks_warehouse_id, "table": settings.catalog_table}
    return CatalogFailed(reason, words.format(status=status, said=said, **named))


def statement_failed(status: Mapping[str, Any]) -> CatalogFailed:
    """What a statement that ended other than SUCCEEDED means."""
    error = status.get("error")
    said = " ".join(str(error.get("message", "")).split())[:SAID] if isinstance(error, Mapping) else ""
    if status.get("sql_state") == "42703" or "UNRESOLVED_COLUMN" in said:
        return CatalogFailed("no_column", f"A column is not there ({said}): see CATALOG_COLUMNS.")
    if status.get("sql_state") == "42P01" or "TABLE_OR_VIEW_NOT_FOUND" in said:
        return CatalogFailed("no_table", f"The table is not there ({said}): see CATALOG_TABLE.")
    if "PERMISSION" in said:
        return CatalogFailed("forbidden", f"The token may not read it ({said}): grant SELECT on the table.")
    return CatalogFailed("statement_failed", f"The statement ended as {status.get('state')} ({said or 'no message'}).")


def too_slow() -> CatalogFailed:
    return CatalogFailed(
        "too_slow", "Not one page came in a whole run: set CATALOG_PAGE_ROWS lower, or take a larger warehouse."
    )


def unusable_ids(after: str | None) -> CatalogFailed:
    """No place behind a whole page can be kept."""
    behind = f" behind {after!r}" if after is not None else ""
    return CatalogFailed(
        "bad_id",
        f"Every content_id of a page{behind} has a NUL in it: mend them there, or set CATALOG_PAGE_ROWS higher.",
    )


def message_of(body: str) -> str:
    """The message of an error's JSON, else its first words."""
    try:
        said = json.loads(body).get("message") or body
    except (ValueError, AttributeError):
        said = body
    return " ".join(str(said).split())[:SAID] or "no message"
