"""Posters: what is known of them, and how they come in."""

import json
import re
from collections.abc import Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from functions.api.keys import KeyHolder
from functions.api.limits import storable
from functions.api.pages import within_bytes
from functions.api.problems import Problem
from shared.errors import Rejected
from shared.manifest import Manifests
from shared.store import ROWS_PER_CALL, Store
from shared.urls import parse

MOST_POSTERS = ROWS_PER_CALL
ID_PATTERN = r"^[^\x00-\x1f\x7f]{1,200}$"
CURSOR = re.compile(r"([0-9](?:\.[0-9]+)?(?:e-[0-9]+)?)~([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})")

Row = dict[str, Any]


class PosterIn(BaseModel):
    """A poster to keep. What is left out or null leaves what is there."""

    model_config = ConfigDict(extra="forbid")

    content_id: str = Field(pattern=ID_PATTERN)
    url: str = Field(min_length=1, max_length=2083, description="http or https address of the image")
    title: str | None = Field(None, max_length=500)
    active: bool | None = None
    language: str | None = Field(None, max_length=100)
    kind: str | None = Field(None, max_length=100)

    @field_validator("content_id")
    @classmethod
    def _can_be_asked_for(cls, content_id: str) -> str:
        """It stands in the paths of the API, where clients take away what is empty or dots."""
        if not content_id.strip() or set(content_id.split("/")) & {"", ".", ".."}:
            raise ValueError("it is no empty word, and no path with empty parts or dots")
        return content_id

    @field_validator("url")
    @classmethod
    def _can_be_fetched(cls, url: str) -> str:
        try:
            parse(url.strip())
        except Rejected as refused:
            raise ValueError(refused.detail) from refused
        return url.strip()


class Posters:
    """The posters of the database, as one caller at a time sees them."""

    def __init__(self, store: Store, known: Manifests) -> None:
        self._store = store
        # A deployment may be without the function.
        self._typed = list(known.functions["poster"].typed) if "poster" in known.functions else []

    async def keep(self, given: Sequence[Any]) -> Row:
        """Keep the good ones; tell of the bad ones."""
        good, bad = sorted_out(given)
        counts: Row = {"added": 0, "changed": 0, "unchanged": 0}
        if good:
            (counts,) = await self._store.call("keep_posters_v1", given=good, from_source="import")
        return {**counts, "bad": bad}

    async def one(self, owner: KeyHolder, content_id: str) -> Row:
        """How it stands, and its newest analysis. Raises Problem 404."""
        rows = await self._store.call("poster_v1", wanted=content_id, caller=owner.scope, typed=self._typed)
        if not rows:
            raise Problem(404, f"You have no poster {content_id!r}: submit it to the function poster first.")
        known: Row = rows[0]
        return known

    async def drawable(self, owner: KeyHolder, content_id: str) -> Row:
        """One with an analysis. Raises Problem 404, or 409 with how it stands instead."""
        known = await self.one(owner, content_id)
        if not known["analysis"]:
            raise not_analysed(known)
        return known

    async def analysed(self, owner: KeyHolder, sort: str, limit: int, cursor: str | None) -> Row:
        """A page of analysed posters."""
        score, item = read_cursor(cursor)
        rows = await self._store.call(
            "posters_v1",
            caller=owner.scope,
            sort=sort,
            most=limit,
            after_score=score,
            after_id=item,
            typed=self._typed,
        )
        shown = within_bytes(rows)
        last = f"{shown[-1]['score']!r}~{shown[-1]['analysis']['item_id']}" if goes_on(rows, shown, limit) else None
        return {"posters": shown, "next_cursor": last}

    async def listed(self, limit: int, cursor: str | None, *, inactive: bool, unseen: bool) -> Row:
        """A page of the table posters, in the order they came."""
        if cursor is not None and not (cursor.isascii() and cursor.isdecimal() and len(cursor) < 19):
            raise foreign(cursor)
        rows = await self._store.call(
            "posters_listed_v1", after=int(cursor or 0), most=limit, with_inactive=inactive, unseen=unseen
        )
        shown = within_bytes(rows)
        return {"posters": shown, "next_cursor": str(shown[-1]["id"]) if goes_on(rows, shown, limit) else None}


def goes_on(rows: Sequence[Row], shown: Sequence[Row], limit: int) -> bool:
    """May there be more after what is shown?"""
    return len(rows) == limit or len(shown) < len(rows)


def read_posters(body: bytes, *, lines: bool) -> list[Any]:
    """What was sent, as JSON or as JSON lines. Raises Problem 422."""
    try:
        given = (
            [json.loads(line) for line in body.splitlines() if line.strip()] if lines else json.loads(body)["posters"]
        )
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Problem(422, 'Send {"posters": [...]} as JSON, or one poster a line as application/x-ndjson.') from error
    if not isinstance(given, list) or not 1 <= len(given) <= MOST_POSTERS:
        raise Problem(422, f"Send 1 to {MOST_POSTERS} posters at once.")
    return given


def sorted_out(given: Sequence[Any]) -> tuple[list[Row], list[Row]]:
    """(posters to keep, what is wrong with the others)."""
    good: list[Row] = []
    bad: list[Row] = []
    for index, raw in enumerate(given):
        try:
            good.append(PosterIn.model_validate(storable(raw)).model_dump())
        except ValidationError as error:
            problem = error.errors(include_url=False, include_input=False)[0]
            where = ".".join(map(str, problem["loc"])) or "poster"
            bad.append({"index": index, "reason": f"{where}: {problem['msg'].removeprefix('Value error, ')}"})
        except ValueError as error:
            bad.append({"index": index, "reason": str(error)})
    return good, bad


def read_cursor(cursor: str | None) -> tuple[float | None, str | None]:
    """(score, item) of the last row of the page before. Raises Problem 422."""
    if cursor is None:
        return None, None
    parts = CURSOR.fullmatch(cursor)
    if parts is None:
        raise foreign(cursor)
    return float(parts[1]), parts[2]


def foreign(cursor: str) -> Problem:
    return Problem(422, f"cursor: {cursor[:50]!r} is none of ours; take next_cursor of the page before.")


def not_analysed(known: Row) -> Problem:
    """Why there is nothing to draw."""
    state, reason = known["state"], known["reason"]
    why = {
        None: "it was never submitted to the function poster",
        "waiting": "it still waits for its turn",
        "running": "it is being analysed right now",
    }.get(state, f"it ended as {state} ({reason or 'no reason'})")
    detail = f"There is no overlay of {known['content_id']!r}: {why}. {known['error'] or ''}".strip()
    return Problem(409, detail, state=state, reason=reason)
