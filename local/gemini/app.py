"""The HTTP surface: Google's paths under /v1 and /v1beta, and /control for tests and drills."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from local.gemini.problems import (
    Problem,
    bad_request,
    internal,
    invalid_key,
    no_key,
    short_deadline,
    unknown_model,
)
from local.gemini.replies import Reply
from local.gemini.service import Dropped, Hung, Options, Service

VERSIONS = ("v1", "v1beta", "v1alpha")
REFUSED_KEY = "invalid"  # the one key that is not accepted, to see what happens then
Handler = Callable[["Server", Request, str], Awaitable[Response]]


def build_app(options: Options) -> Starlette:
    server = Server(Service(options))
    app = Starlette(routes=server.routes(), exception_handlers={Problem: _refused}, lifespan=server.lifespan)
    app.state.service = server.service
    return app


class Server:
    def __init__(self, service: Service) -> None:
        self.service = service

    def routes(self) -> list[Route]:
        return [
            Route("/{version}/models", self.list_models),
            Route("/{version}/models/{model}", self.get_model),
            Route("/{version}/models/{target}", self.call, methods=["POST"]),
            Route("/control/faults", self.faults, methods=["GET", "POST", "DELETE"]),
            Route("/control/stats", self.stats),
            Route("/control/reset", self.reset, methods=["POST"]),
            Route("/live", self.live),
        ]

    @asynccontextmanager
    async def lifespan(self, _app: Starlette) -> AsyncIterator[None]:
        yield
        await self.service.close()

    async def list_models(self, request: Request) -> Response:
        _admitted(request)
        return JSONResponse({"models": [model.listed() for model in self.service.models.all()]})

    async def get_model(self, request: Request) -> Response:
        version = _admitted(request)
        model = self.service.models.find(request.path_params["model"], "get", version)
        return JSONResponse(model.listed())

    async def call(self, request: Request) -> Response:
        """POST models/NAME:method."""
        version = _admitted(request)
        name, _, method = request.path_params["target"].partition(":")
        if method not in _METHODS:
            raise unknown_model(name, method or "this method", version)
        with self.service.stats.running(name, method):
            try:
                self.service.models.find(name, method, version)
                _check_deadline(request, self.service.least_deadline)
                response = await _METHODS[method](self, request, name)
            except Problem as problem:
                response = await _refused(request, problem)
            except (Dropped, Hung) as end:
                return await self._unanswered(request, name, end)
            self.service.stats.answered(name, str(response.status_code))
            return response

    async def generate(self, request: Request, model: str) -> Response:
        return JSONResponse((await self.service.generate(model, await _json(request))).body())

    async def stream(self, request: Request, model: str) -> Response:
        reply = await self.service.generate(model, await _json(request))
        if request.query_params.get("alt") == "sse":
            return StreamingResponse(_events(reply), media_type="text/event-stream")
        return JSONResponse(list(reply.chunks()))

    async def embed(self, request: Request, model: str) -> Response:
        vectors = await self.service.embed(model, [await _json(request)])
        return JSONResponse({"embedding": {"values": vectors[0]}})

    async def batch_embed(self, request: Request, model: str) -> Response:
        body = await _json(request)
        requests = body.get("requests")
        if not isinstance(requests, list) or not requests or not all(isinstance(each, dict) for each in requests):
            raise bad_request("* BatchEmbedContentsRequest.requests: at least one request is required\n")
        vectors = await self.service.embed(model, requests)
        return JSONResponse({"embeddings": [{"values": vector} for vector in vectors]})

    async def count(self, request: Request, model: str) -> Response:
        return JSONResponse(await self.service.count_tokens(model, await _json(request)))

    async def faults(self, request: Request) -> Response:
        if request.method == "DELETE":
            self.service.faults.clear()
        elif request.method == "POST":
            self.service.faults.add(await _any_json(request))
        return JSONResponse({"rules": self.service.faults.counts()})

    async def stats(self, request: Request) -> Response:
        return JSONResponse(self.service.stats.report(log=request.query_params.get("log") == "1"))

    async def reset(self, _request: Request) -> Response:
        self.service.faults.clear()
        self.service.limiter.clear()
        self.service.stats.clear()
        return JSONResponse({"reset": True})

    async def live(self, _request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def _unanswered(self, request: Request, model: str, end: Exception) -> Response:
        self.service.stats.answered(model, "drop" if isinstance(end, Dropped) else "hang")
        while isinstance(end, Hung) and (await request.receive())["type"] != "http.disconnect":
            pass
        # ASGI has no word for cutting a connection; uvicorn's `receive` belongs to what holds the transport.
        request.receive.__self__.transport.abort()  # type: ignore[attr-defined]
        return Response(status_code=500)


_METHODS: dict[str, Handler] = {
    "generateContent": Server.generate,
    "streamGenerateContent": Server.stream,
    "embedContent": Server.embed,
    "batchEmbedContents": Server.batch_embed,
    "countTokens": Server.count,
}


def _admitted(request: Request) -> str:
    """The API version. Raises Problem for a wrong path (404), a missing key (403) or a bad one (400)."""
    version = str(request.path_params["version"])
    if version not in VERSIONS:
        raise Problem(404, "NOT_FOUND", f"There is no API version {version}.")
    key = request.headers.get("x-goog-api-key", request.query_params.get("key"))
    if key is None:
        raise no_key()
    if key.strip() in {"", REFUSED_KEY}:
        raise invalid_key()
    return version


def _check_deadline(request: Request, least: float) -> None:
    """Raises Problem (400) where the client gives less time than the API takes. Its header holds whole seconds."""
    given = request.headers.get("x-server-timeout", "")
    if given.isdecimal() and int(given) < least:
        raise short_deadline(int(given), least)


async def _json(request: Request) -> dict[str, Any]:
    body = await _any_json(request)
    if not isinstance(body, dict):
        raise bad_request("Invalid JSON payload received. Root element must be a message.")
    return body


async def _any_json(request: Request) -> Any:
    try:
        return json.loads(await request.body())
    except (ValueError, RecursionError) as error:
        raise bad_request(f"Invalid JSON payload received. {error}") from error
    except ClientDisconnect as error:
        raise internal() from error


async def _events(reply: Reply) -> AsyncIterator[str]:
    for chunk in reply.chunks():
        yield f"data: {json.dumps(chunk, ensure_ascii=False)}\r\n\r\n"


async def _refused(_request: Request, problem: Exception) -> Response:
    if not isinstance(problem, Problem):
        raise problem
    return JSONResponse(problem.body(), problem.code)
