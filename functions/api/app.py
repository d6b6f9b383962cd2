"""The application: routes, and what they take and give."""

import json
import time
from collections.abc import AsyncIterator
from typing import Annotated, Any, Literal
from uuid import UUID

from fastapi import FastAPI, Header, Query, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from functions.api import problems
from functions.api.batches import Batches
from functions.api.keys import Keys, Owner
from functions.api.limits import AtMost, storable
from functions.api.monitoring import Monitoring
from shared.manifest import manifests
from shared.messages import Messages
from shared.queue import Queue
from shared.settings import settings
from shared.store import Store

MOST_ITEMS = 10_000
MOST_BYTES = 10_000_000
PAGE = 100
MOST_PAGE = 500
ItemState = Literal["waiting", "running", "done", "skipped", "dead", "cancelled"]


class Submission(BaseModel):
    """Items, or a function's backlog."""

    model_config = ConfigDict(extra="forbid")

    function: str = Field(examples=["article"])
    items: list[dict[str, Any]] | None = Field(None, min_length=1, max_length=MOST_ITEMS)
    source: Literal["backlog"] | None = None
    limit: int = Field(500, ge=1, le=1_000_000)
    dry_run: bool = False
    options: dict[str, Any] = Field(
        default_factory=dict,
        description='"fresh": true works anew where a result is still young; all else goes into every item',
        examples=[{"fresh": True, "url_context": True}],
    )

    @field_validator("items", "options")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        return storable(value)

    @model_validator(mode="after")
    def _one_source(self) -> "Submission":
        if (self.items is None) == (self.source is None):
            raise ValueError('send either "items" or "source": "backlog"')
        if self.dry_run and self.items is not None:
            raise ValueError("dry_run is for a backlog")
        return self


def make_app() -> FastAPI:
    """The API with its clients. Made at the first request."""
    app = FastAPI(
        title="Piecework",
        version="3.0",
        description="Batches of items, worked off as fast as the APIs allow.",
    )
    store, messages = Store.of(settings()), Messages(settings())
    app.state.keys = Keys(store)
    app.state.batches = Batches(store, messages, manifests())
    app.state.monitoring = Monitoring(store, Queue(settings()), manifests())
    app.add_middleware(AtMost, most=MOST_BYTES)
    problems.install(app)
    add_batches(app, app.state.batches)
    add_monitoring(app, app.state.monitoring)
    return app


def add_batches(app: FastAPI, batches: Batches) -> None:
    @app.post("/v3/batches", status_code=202, summary="Submit a batch")
    async def submit(
        body: Submission,
        owner: Owner,
        idempotency_key: Annotated[str | None, Header(max_length=200)] = None,
    ) -> JSONResponse:
        manifest = batches.function(body.function)
        if body.dry_run:
            return JSONResponse(await batches.dry_run(manifest, body.limit))
        if body.items is None:
            batch = await batches.submit_backlog(owner, manifest, body.limit, body.options, key=idempotency_key)
        else:
            batch = await batches.submit(owner, manifest, body.items, body.options, key=idempotency_key)
        return JSONResponse(batch, 202, {"Location": batch["links"]["self"]})

    @app.get("/v3/batches", summary="Your batches, the newest first")
    async def newest(
        owner: Owner, limit: Annotated[int, Query(ge=1, le=100)] = 20, cursor: UUID | None = None
    ) -> dict[str, Any]:
        rows = await batches.newest(owner, limit, cursor)
        return {"batches": rows, "next_cursor": rows[-1]["id"] if len(rows) == limit else None}

    @app.get("/v3/batches/{batch_id}", summary="One batch and its progress")
    async def one(owner: Owner, batch_id: UUID) -> dict[str, Any]:
        return await batches.one(owner, batch_id)

    @app.get("/v3/batches/{batch_id}/results", summary="Its items with their results", response_model=None)
    async def results(  # noqa: PLR0913
        request: Request,
        owner: Owner,
        batch_id: UUID,
        cursor: UUID | None = None,
        limit: Annotated[int, Query(ge=1, le=MOST_PAGE)] = PAGE,
        state: Annotated[list[ItemState] | None, Query()] = None,
        format: Literal["json", "jsonl"] | None = None,  # noqa: A002 - the query's word
    ) -> dict[str, Any] | Response:
        wants_lines = "application/x-ndjson" in request.headers.get("accept", "")
        rows = await batches.results(owner, batch_id, cursor, limit, state)
        if format == "jsonl" or (format is None and wants_lines):
            return StreamingResponse(lines(batches, owner, batch_id, rows, state), media_type="application/x-ndjson")
        return {"results": rows, "next_cursor": rows[-1]["item_id"] if len(rows) == limit else None}


async def lines(
    batches: Batches, owner: UUID, batch_id: UUID, rows: list[dict[str, Any]], states: list[ItemState] | None
) -> AsyncIterator[str]:
    """All results from here to the end, one JSON object a line, page by page."""
    while rows:
        for row in rows:
            yield json.dumps(row, ensure_ascii=False) + "\n"
        rows = await batches.results(owner, batch_id, UUID(rows[-1]["item_id"]), MOST_PAGE, states)


def add_monitoring(app: FastAPI, monitoring: Monitoring) -> None:
    started = time.monotonic()

    @app.get("/live", summary="Is the process alive?")
    async def live() -> dict[str, Any]:
        return {"status": "live", "seconds": round(time.monotonic() - started, 1)}

    @app.get("/ready", summary="Can it work?")
    async def ready() -> JSONResponse:
        problem = await monitoring.problem()
        if problem:
            return problems.answer(503, problem)
        return JSONResponse({"status": "ready"})

    @app.get("/health", summary="The state of everything it needs")
    async def health() -> JSONResponse:
        report = await monitoring.health()
        return JSONResponse(report, 503 if report["status"] == "down" else 200)

    @app.get("/metrics", summary="Prometheus metrics", response_class=PlainTextResponse)
    async def metrics() -> PlainTextResponse:
        return PlainTextResponse(await monitoring.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")
