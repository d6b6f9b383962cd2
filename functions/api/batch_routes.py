"""What is asked of batches over HTTP."""

from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from starlette.requests import ClientDisconnect

from functions.api.batches import Batches, Table
from functions.api.bodies import BrokeOff
from functions.api.conditional import conditional
from functions.api.keys import Owner
from functions.api.limits import MOST_CUSTOM_ID, media_type
from functions.api.moments import Moment
from functions.api.problems import Problem, documented
from functions.api.remembered import Remembered
from functions.api.results import as_csv, as_lines
from functions.api.shapes import Batch, BatchPage, BatchState, Estimate, ItemPage, ItemState, ResultPage, Retried
from functions.api.submission import (
    MOST_LINES,
    Upload,
)
from functions.api.submitting import Submitting
from shared.store import Store

PAGE, MOST_PAGE = 100, 500
JSON, LINES, CSV = "application/json", "application/x-ndjson", "text/csv"
Cursor = Annotated[UUID | None, Query(description="next_cursor of the page before")]
PageLimit = Annotated[int, Query(ge=1, le=MOST_PAGE)]
States = Annotated[list[ItemState] | None, Query(description="Only items in these states; repeatable")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        max_length=200,
        min_length=1,
        description="The same key and body again is the same batch; other bodies are refused",
    ),
]
BODY = {
    "requestBody": {
        "required": True,
        "content": {
            JSON: {
                "schema": {"$ref": "#/components/schemas/Submission"},
                "examples": {
                    "items": {
                        "summary": "Items",
                        "value": {
                            "function": "article",
                            "items": [{"url": "https://example.com/story", "custom_id": "story-1"}],
                        },
                    },
                    "backlog": {
                        "summary": "What a run over the backlog would do",
                        "value": {"function": "article", "source": "backlog", "limit": 100, "dry_run": True},
                    },
                },
            },
            LINES: {
                "schema": {
                    "type": "string",
                    "description": f"One item a line, {MOST_LINES:,} at most; "
                    f"a custom_id has {MOST_CUSTOM_ID} characters at most",
                },
                "examples": {
                    "lines": {
                        "summary": "Two items",
                        "value": '{"url": "https://example.com/a"}\n{"url": "https://example.com/b"}\n',
                    }
                },
            },
        },
    }
}


def batch_routes(batches: Batches, remembered: Remembered, store: Store) -> APIRouter:
    routes = APIRouter(tags=["batches"])
    add_submit(routes, Submitting(batches))
    add_looks(routes, batches, remembered)
    add_contents(routes, batches, remembered, store)
    add_deeds(routes, batches)
    return routes


def add_submit(routes: APIRouter, submitting: Submitting) -> None:
    @routes.post(
        "/v3/batches",
        status_code=202,
        summary="Submit a batch",
        response_model=Batch,
        responses={200: {"model": Estimate, "description": "A dry run"}, **documented(403, 409, 413, 415)},
        openapi_extra=BODY,
    )
    async def submit(
        request: Request, owner: Owner, query: Annotated[Upload, Query()], idempotency_key: IdempotencyKey = None
    ) -> Response:
        """Once this is answered nothing is lost, whatever dies after it.

        As JSON lines the batch's order stands in the query. A body that breaks off has enlisted nothing; send it again,
        with the same Idempotency-Key.
        """
        kind = media_type(request.headers, JSON)
        if request.headers.get("content-encoding", "identity") != "identity":
            raise Problem(415, "A compressed body is not read: send it without Content-Encoding.")
        if kind == LINES:
            return accepted(await submitting.lines(owner, query, idempotency_key, whole(request)))
        if kind != JSON:
            raise Problem(415, f"Send {JSON}, or one item a line as {LINES}.")
        if request.query_params:
            raise Problem(422, f"query: with {JSON} all of the order stands in the body.")
        answer = await submitting.json(owner, idempotency_key, whole(request))
        return JSONResponse(answer) if "dry_run" in answer else accepted(answer)


def accepted(batch: dict[str, Any]) -> Response:
    return JSONResponse(batch, 202, {"Location": batch["links"]["self"]})


async def whole(request: Request) -> AsyncIterator[bytes]:
    """The body as it comes. Raises BrokeOff."""
    try:
        async for piece in request.stream():
            yield piece
    except ClientDisconnect as error:
        raise BrokeOff from error


def add_looks(routes: APIRouter, batches: Batches, remembered: Remembered) -> None:
    @routes.get(
        "/v3/batches", summary="Your batches, the newest first", response_model=BatchPage, responses=documented()
    )
    async def newest(  # noqa: PLR0913 - its filters
        owner: Owner,
        limit: Annotated[int, Query(ge=1, le=100)] = 20,
        cursor: Cursor = None,
        function: Annotated[str | None, Query(max_length=100, pattern=r"^[^\x00]*$")] = None,
        state: Annotated[list[BatchState] | None, Query()] = None,
        since: Annotated[Moment | None, Query(description="Submitted then or later")] = None,
    ) -> Response:
        rows = await batches.newest(owner, limit, cursor, function, state, since)
        return JSONResponse({"batches": rows, "next_cursor": rows[-1]["id"] if len(rows) == limit else None})

    @routes.get(
        "/v3/batches/{batch_id}",
        summary="One batch and its progress",
        response_model=Batch,
        responses={304: {"description": "As it was"}, **documented(404)},
    )
    async def one(
        request: Request,
        owner: Owner,
        batch_id: UUID,
        _if_none_match: Annotated[
            str | None, Header(alias="If-None-Match", description="The ETag of last time")
        ] = None,
    ) -> Response:
        return conditional(request, await remembered.status(owner, batch_id), lasting=True)


def add_contents(routes: APIRouter, batches: Batches, remembered: Remembered, store: Store) -> None:
    @routes.get(
        "/v3/batches/{batch_id}/items",
        summary="Its items, without their results",
        response_model=ItemPage,
        responses=documented(404),
    )
    async def items(
        owner: Owner, batch_id: UUID, cursor: Cursor = None, limit: PageLimit = PAGE, state: States = None
    ) -> Response:
        await batches.table(owner, batch_id)
        rows, following = await batches.items(batch_id, cursor, limit, state)
        return JSONResponse({"items": rows, "next_cursor": following})

    @routes.get(
        "/v3/batches/{batch_id}/results",
        summary="Its items with their results, as far as there are any",
        response_model=ResultPage,
        responses={200: {"content": {LINES: {}, CSV: {}}}, 304: {"description": "As it was"}, **documented(404)},
    )
    async def results(  # noqa: PLR0913
        request: Request,
        owner: Owner,
        batch_id: UUID,
        cursor: Cursor = None,
        limit: PageLimit = PAGE,
        state: States = None,
        format: Annotated[  # noqa: A002 - the query's word
            Literal["json", "jsonl", "csv"] | None,
            Query(description="jsonl and csv: all to the end; else as Accept says"),
        ] = None,
        ended: Annotated[
            Moment | None,
            Query(description="finished_at of the batch, as its link has it: while it is so, a page may be kept"),
        ] = None,
    ) -> Response:
        kind = format or asked_for(request)
        if kind == "json":
            page, lasting = await remembered.results(owner, batch_id, cursor, limit, state, ended)
            return conditional(request, page, lasting=lasting)
        return await in_whole(kind, batches, store, await batches.table(owner, batch_id), batch_id, cursor, state)


async def in_whole(  # noqa: PLR0913
    kind: str, batches: Batches, store: Store, table: Table, batch_id: UUID, after: UUID | None, state: States
) -> Response:
    """All results from `after` on, sent as they are read. The first page is read before anything is answered."""

    async def following(last: UUID | None) -> list[dict[str, Any]]:
        return (await batches.results(table, batch_id, last, MOST_PAGE, state, whole=True)).rows

    rows = await following(after)
    if kind == "jsonl":
        return StreamingResponse(as_lines(rows, following), media_type=LINES)
    columns = await store.call("table_columns_v1", table_name=table.name)
    return StreamingResponse(as_csv(rows, following, columns), media_type=f"{CSV}; charset=utf-8")


def asked_for(request: Request) -> str:
    accept = request.headers.get("accept", "")
    return "jsonl" if LINES in accept else "csv" if CSV in accept else "json"


def add_deeds(routes: APIRouter, batches: Batches) -> None:
    @routes.post(
        "/v3/batches/{batch_id}/cancel",
        status_code=202,
        summary="Cancel what waits; what runs ends by itself",
        response_model=Batch,
        responses=documented(404, 409),
    )
    async def cancel(owner: Owner, batch_id: UUID) -> Response:
        """Twice is once. What was done stays, and so do its results."""
        return JSONResponse(await batches.cancel(owner, batch_id), 202)

    @routes.post(
        "/v3/batches/{batch_id}/retry-failed",
        status_code=202,
        summary="Try its dead items again",
        response_model=Retried,
        responses=documented(404, 409),
    )
    async def retry_failed(owner: Owner, batch_id: UUID) -> Response:
        """They wait again, with all their attempts. When they have ended, the batch ends once more."""
        return JSONResponse(await batches.retry_failed(owner, batch_id), 202)
