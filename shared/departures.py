"""departures: the last look before a request's bytes leave.

Between "now" in our code and the first byte of a request lie the SDK's work, a place in the connection pool and, on a
new connection, a TLS handshake. httpcore reports each stage to a request's "trace" extension and waits for what that
returns: the look is taken there, when the connection stands and before the headers are written. What is raised there
ends the request with nothing sent.
"""

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any

Leave = Callable[[], Awaitable[None]]


class Departure:
    """One request on its way out. `leave` returns when it may go, or raises; `sent`: the other side may have got it."""

    def __init__(self, leave: Leave) -> None:
        self._leave = leave
        self.sent = False

    async def trace(self, stage: str, _: Mapping[str, Any]) -> None:
        """As httpcore calls it: "http11.send_request_headers.started" and the like."""
        if stage.endswith(".send_request_headers.started"):
            await self._leave()
            self.sent = True


# Of the request that this task is making: clients know requests, not who made them.
DEPARTURE: ContextVar[Departure] = ContextVar("departure")


async def watch(request: Any) -> None:
    """An event hook "request" of httpx, or of its fork: asks the task's departure before the request's bytes leave."""
    request.extensions["trace"] = DEPARTURE.get().trace
