"""Who asks for which host, and what has been asked so far.

GET anything (Host: x.test)    the answer of that host; all are in samples/
GET /                          the index, for a person
GET /as/{host}/{path}          the same answer without DNS, for a browser
GET /control/log               [{"host", "path", "status", "conditional"}], oldest first
POST /control/reset            forget the log and all earlier visits
"""

from collections import Counter, deque
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from local.site.hostile import Reset
from local.site.index import render_index
from local.site.samples import Address, address_of, read_web

LOG_LENGTH = 10_000


def make_app(samples: Path) -> Starlette:
    """Raises OSError, KeyError, ValueError or TypeError when the samples cannot be read."""
    routes = [
        Route("/control/log", show_log),
        Route("/control/reset", forget, methods=["POST"]),
        Route("/as/{host}/{path:path}", visit_as),
        Route("/{path:path}", visit),
    ]
    app = Starlette(routes=routes)
    app.state.samples = samples
    app.state.web = read_web(samples)
    app.state.visits = Counter[Address]()
    app.state.log = deque[dict[str, Any]](maxlen=LOG_LENGTH)
    return app


async def visit(request: Request) -> Response:
    host, path = request.url.hostname or "", request.url.path
    if not host.endswith(".test") and path == "/":
        return HTMLResponse(render_index(request.app.state.samples, set(request.app.state.web)))
    return await answer((host, path), request)


async def visit_as(request: Request) -> Response:
    """Redirects between hosts of this server stay on it, since the browser could not look them up."""
    response = await answer((request.path_params["host"], f"/{request.path_params['path']}"), request)
    host, path = address_of(response.headers.get("location", ""))
    if host.endswith(".test"):
        response.headers["Location"] = f"/as/{host}{path}"
    return response


async def answer(address: Address, request: Request) -> Response:
    """The answer of that address, and a line in the log. A reset connection has the status null."""
    request.state.address = address
    request.app.state.visits[address] += 1
    found = request.app.state.web.get(address)
    response = await found(request) if found else nothing_here(address)
    request.app.state.log.append(log_line(address, request, response))
    return response


def nothing_here(address: Address) -> Response:
    host, path = address
    return HTMLResponse(f'<p>{host} has nothing at {path}. <a href="/">All samples</a></p>', 404)


def log_line(address: Address, request: Request, response: Response) -> dict[str, Any]:
    host, path = address
    status = None if isinstance(response, Reset) else response.status_code
    conditional = bool({"if-none-match", "if-modified-since"} & set(request.headers))
    return {"host": host, "path": path, "status": status, "conditional": conditional}


async def show_log(request: Request) -> Response:
    return JSONResponse(list(request.app.state.log))


async def forget(request: Request) -> Response:
    request.app.state.visits.clear()
    request.app.state.log.clear()
    return Response(status_code=204)
