"""What probes, Prometheus and the dashboard ask."""

import time
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from functions.api import problems
from functions.api.caching import Cache
from functions.api.conditional import conditional
from functions.api.dashboard import Dashboard
from functions.api.keys import Operator, Owner
from functions.api.monitoring import Monitoring
from functions.api.problems import documented
from functions.api.watching import Watching


def probe_routes(monitoring: Monitoring, watching: Watching, cache: Cache) -> APIRouter:
    routes = APIRouter(tags=["monitoring"])
    add_probes(routes, monitoring)
    add_watching(routes, watching, cache)
    return routes


def add_probes(routes: APIRouter, monitoring: Monitoring) -> None:
    started = time.monotonic()

    @routes.get("/live", summary="Is the process alive?")
    async def live() -> dict[str, Any]:
        return {"status": "live", "seconds": round(time.monotonic() - started, 1)}

    @routes.get("/ready", summary="Can it work?", responses={503: {"description": "Not now, and why"}})
    async def ready() -> JSONResponse:
        problem = await monitoring.problem()
        return problems.answer(503, problem) if problem else JSONResponse({"status": "ready"})

    @routes.get(
        "/health",
        summary="The state of everything it needs",
        responses={503: {"description": "The same, while the database is down"}},
    )
    async def health() -> JSONResponse:
        report = await monitoring.health()
        return JSONResponse(report, 503 if report["status"] == "down" else 200)


def add_watching(routes: APIRouter, watching: Watching, cache: Cache) -> None:
    @routes.get(
        "/metrics",
        summary="Prometheus metrics of everybody together (operators)",
        response_class=PlainTextResponse,
        responses=documented(403, 503),
    )
    async def metrics(_owner: Operator) -> Response:
        return Response(await watching.metrics(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @routes.get(
        "/v3/monitoring/dashboard",
        summary="Everything the dashboard shows: yours, or with an operator's key all of it",
        response_model=Dashboard,
        responses={304: {"description": "As it was"}, **documented()},
    )
    async def dashboard(request: Request, owner: Owner) -> Response:
        return conditional(request, await watching.dashboard(owner))

    @routes.get(
        "/v3/cache/stats", summary="The cache of the process that answers (operators)", responses=documented(403)
    )
    async def stats(_owner: Operator) -> dict[str, Any]:
        return cache.report()
