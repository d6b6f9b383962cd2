"""Dead letters: items that ended as dead. Looked at, replayed, discarded: one by one, or all that are alike."""

import asyncio
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field, Strict, model_validator

from functions.api.batch_routes import MOST_PAGE, PAGE, Cursor
from functions.api.batches import Batches
from functions.api.items import Items, not_there
from functions.api.keys import KeyHolder, Owner
from functions.api.pages import Page, page_of
from functions.api.problems import Problem, documented
from functions.api.progress import STOPPED
from functions.api.shapes import DeadLetterPage, Discarded, ItemDetails, Replayed
from shared.store import Store

Row = dict[str, Any]
MOST_AT_ONCE = 5000
WORD = r"^[^\x00]+$"


class Filter(BaseModel):
    """What dead letters have in common. All that is given holds."""

    model_config = ConfigDict(extra="forbid")

    function: str | None = Field(None, max_length=100, pattern=WORD)
    reason: str | None = Field(None, max_length=200, pattern=WORD)
    domain: str | None = Field(None, max_length=253, pattern=WORD)
    batch: Annotated[UUID, Strict(False)] | None = None
    older_than_seconds: float | None = Field(None, ge=0, le=1e9, description="Dead for at least so long")
    younger_than_seconds: float | None = Field(None, ge=0, le=1e9, description="Dead for at most so long")

    def arguments(self) -> Row:
        """As the SQL functions take them."""
        return {
            "function_name": self.function,
            "reason": self.reason,
            "domain": self.domain,
            "batch_id": str(self.batch) if self.batch else None,
            "older_seconds": self.older_than_seconds,
            "younger_seconds": self.younger_than_seconds,
        }


class Looking(Filter):
    """The query of a list."""

    cursor: Cursor = None
    limit: Annotated[int, Query(ge=1, le=MOST_PAGE)] = PAGE


class Selection(Filter):
    """Which dead letters something is done to."""

    model_config = ConfigDict(
        extra="forbid",
        strict=True,
        json_schema_extra={"examples": [{"function": "article", "reason": "attempts_exhausted", "limit": 100}]},
    )

    all: bool = Field(default=False, description="True: every dead letter of yours, instead of a filter")
    limit: int = Field(1000, ge=1, le=MOST_AT_ONCE, description="So many at most, the newest first")

    @model_validator(mode="after")
    def _says_which(self) -> "Selection":
        filtered = any(value is not None for name, value in self if name not in {"all", "limit"})
        if filtered == self.all:
            raise ValueError('name a function, reason, domain, batch or age, or send "all": true')
        return self


class DeadLetters:
    """Dead letters of one owner at a time; only an operator sees another's."""

    def __init__(self, store: Store, items: Items, batches: Batches) -> None:
        self._store = store
        self._items = items
        self._batches = batches

    async def listed(self, owner: KeyHolder, looking: Looking) -> Page:
        rows: list[Row] = await self._store.call(
            "dead_letters_v1",
            owner=owner.scope,
            before=str(looking.cursor) if looking.cursor else None,
            most=looking.limit,
            **looking.arguments(),
        )
        return page_of(rows)

    async def one(self, owner: KeyHolder, item_id: UUID) -> Row:
        """Raises Problem 404 for an item that is none, too."""
        item = await self._items.one(owner, item_id)
        if item["state"] != "dead" or item["discarded_at"]:
            raise Problem(404, f"Item {item_id} is no dead letter: GET /v3/items/{item_id} tells how it stands.")
        return item

    async def replay(self, owner: KeyHolder, *, most: int = 1, **which: Any) -> Row:
        """Let them wait again, with all their attempts. Once this returns, nothing can lose them any more."""
        (done,) = await self._store.call(
            "replay_dead_v1", actor=str(owner.id), action="replay", owner=owner.scope, most=most, **which
        )
        touched = done["touched"] or []
        await asyncio.gather(*map(self._batches.changed, touched), *map(self._batches.tell, touched))
        return {"replayed": done["affected"], "goes_on": done["goes_on"] and most > 1}

    async def replay_one(self, owner: KeyHolder, item_id: UUID) -> Row:
        """Raises Problem 404, 409 for one whose batch was stopped."""
        item = await self._items.one(owner, item_id)
        done = await self.replay(owner, item_id=str(item_id))
        if not done["replayed"] and item["state"] == "dead" and not item["discarded_at"]:
            batch = await self._batches.one(owner, UUID(item["batch_id"]))
            if batch["state"] in STOPPED:
                raise Problem(409, f"The batch of item {item_id} was stopped: submit the item as a new batch.")
        return done

    async def discard(self, owner: KeyHolder, *, most: int = 1, **which: Any) -> Row:
        """Take them off the list. They stay dead, and their batches as they are."""
        (done,) = await self._store.call("discard_dead_v1", actor=str(owner.id), owner=owner.scope, most=most, **which)
        return {"discarded": done["affected"], "goes_on": done["goes_on"] and most > 1}

    async def discard_one(self, owner: KeyHolder, item_id: UUID) -> Row:
        """Raises Problem 404."""
        if not await self._store.call("item_v1", item_id=str(item_id), owner=owner.scope):
            raise not_there(item_id)
        return await self.discard(owner, item_id=str(item_id))


def dead_letter_routes(letters: DeadLetters) -> APIRouter:
    routes = APIRouter(tags=["dead letters"])
    add_looks(routes, letters)
    add_deeds(routes, letters)
    return routes


def add_looks(routes: APIRouter, letters: DeadLetters) -> None:
    @routes.get(
        "/v3/dead-letters",
        summary="Your dead letters, the newest first",
        response_model=DeadLetterPage,
        responses=documented(),
    )
    async def listed(owner: Owner, query: Annotated[Looking, Query()]) -> Response:
        rows, following = await letters.listed(owner, query)
        return JSONResponse({"dead_letters": rows, "next_cursor": following})

    @routes.get(
        # An id alone, so that the paths of deeds are no items of that name.
        "/v3/dead-letters/{item_id:uuid}",
        summary="One dead letter: what was sent, each attempt, each error",
        response_model=ItemDetails,
        responses=documented(404),
    )
    async def one(owner: Owner, item_id: UUID) -> Response:
        return JSONResponse(await letters.one(owner, item_id))


def add_deeds(routes: APIRouter, letters: DeadLetters) -> None:
    @routes.post(
        "/v3/dead-letters/replay", summary="Replay those that fit", response_model=Replayed, responses=documented(413)
    )
    async def replay(owner: Owner, body: Selection) -> Response:
        """Twice is once: what waits already is no dead letter. Those of stopped batches stay."""
        return JSONResponse(await letters.replay(owner, most=body.limit, **body.arguments()))

    @routes.post(
        "/v3/dead-letters/discard",
        summary="Discard those that fit",
        response_model=Discarded,
        responses=documented(413),
    )
    async def discard(owner: Owner, body: Selection) -> Response:
        """They stay dead, but are not listed any more."""
        return JSONResponse(await letters.discard(owner, most=body.limit, **body.arguments()))

    @routes.post(
        "/v3/dead-letters/{item_id}/replay",
        summary="Replay one",
        response_model=Replayed,
        responses=documented(404, 409),
    )
    async def replay_one(owner: Owner, item_id: UUID) -> Response:
        return JSONResponse(await letters.replay_one(owner, item_id))

    @routes.post(
        "/v3/dead-letters/{item_id}/discard", summary="Discard one", response_model=Discarded, responses=documented(404)
    )
    async def discard_one(owner: Owner, item_id: UUID) -> Response:
        return JSONResponse(await letters.discard_one(owner, item_id))
