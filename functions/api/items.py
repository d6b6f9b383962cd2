"""Items: one with its attempts, and the search for them."""

from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query
from fastapi.responses import JSONResponse, Response

from functions.api.batch_routes import Cursor
from functions.api.keys import KeyHolder, Owner
from functions.api.pages import Page, page_of
from functions.api.problems import Problem, documented
from functions.api.shapes import ItemDetails, ItemPage
from shared.manifest import Manifests
from shared.store import Store

Row = dict[str, Any]


class Items:
    """Items of one owner at a time; only an operator sees another's."""

    def __init__(self, store: Store, known: Manifests) -> None:
        self._store = store
        self._known = known

    async def one(self, owner: KeyHolder, item_id: UUID) -> Row:
        """With its attempts and its result. Raises Problem 404."""
        item: Row | None = await self._store.call("item_v1", item_id=str(item_id), owner=owner.scope)
        if not item:
            raise not_there(item_id)
        return {**item, "result": await self._result(item["function"], item_id)}

    async def search(self, owner: KeyHolder, words: str, before: UUID | None, limit: int) -> Page:
        """By id, by custom_id, or by a part of either of address and custom_id; the newest first."""
        rows: list[Row] = await self._store.call(
            "search_items_v1", words=words, owner=owner.scope, before=str(before) if before else None, most=limit
        )
        return page_of(rows)

    async def _result(self, function: str, item_id: UUID) -> Row | None:
        manifest = self._known.functions.get(function)
        if manifest is None or manifest.table is None:
            return None
        result: Row | None = await self._store.call(
            "item_result_v1", item_id=str(item_id), result_table=manifest.table, typed=list(manifest.typed)
        )
        return result


def not_there(item_id: UUID) -> Problem:
    return Problem(404, f"You have no item {item_id}.")


def item_routes(items: Items) -> APIRouter:
    routes = APIRouter(tags=["items"])

    @routes.get("/v3/items", summary="Search your items", response_model=ItemPage, responses=documented())
    async def search(
        owner: Owner,
        q: Annotated[
            str,
            Query(
                min_length=1, max_length=2083, pattern=r"^[^\x00]+$", examples=["example.com/story"],
                description="An item's id, its custom_id, or a part of its address (among the newest 20,000 items)",
            ),
        ],
        cursor: Cursor = None,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
    ) -> Response:  # fmt: skip
        rows, following = await items.search(owner, q, cursor, limit)
        return JSONResponse({"items": rows, "next_cursor": following})

    @routes.get(
        "/v3/items/{item_id}",
        summary="One item with its attempts and its result",
        response_model=ItemDetails,
        responses=documented(404),
    )
    async def one(owner: Owner, item_id: UUID) -> Response:
        return JSONResponse(await items.one(owner, item_id))

    return routes
