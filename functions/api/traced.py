"""Traced: a span for every request below /v3, the first of the trace that its items belong to."""

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared import tracing
from shared.settings import Settings


class Traced:
    """Middleware. The end of an answer waits until its spans have left: with it the instance's CPU may stop."""

    def __init__(self, app: ASGIApp, *, settings: Settings) -> None:
        self._app = app
        self._settings = settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/v3/"):
            await self._app(scope, receive, send)
            return
        end: Message | None = None

        async def hold_end(message: Message) -> None:
            nonlocal end
            if message["type"] == "http.response.start":
                tracing.annotate(http__response__status_code=message["status"])
            if message["type"] == "http.response.body" and not message.get("more_body", False):
                end = message
            else:
                await send(message)

        method, parent = scope["method"], Headers(scope=scope).get("traceparent")
        asked = {"http__request__method": method, "url__path": scope["path"]}
        async with tracing.request(method, self._settings, "api", parent=parent, **asked) as span:
            await self._app(scope, receive, hold_end)
            if route := scope.get("route"):
                span.rename(f"{method} {route.path}")
                span.set(http__route=route.path)
        if end is not None:
            await send(end)
