"""The hop that Google's emulator pushes to, because it signs nothing itself.

emulator ─POST /SECRET/0─> Hop: + OIDC token, + deliveryAttempt ─POST─> function
                           <────────────── its status ───────────────────┘
"""

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from secrets import token_urlsafe
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.pubsub.plan import Plan
from local.pubsub.policy import ACKNOWLEDGED
from local.pubsub.posting import Endpoint, Poster, Sign, push_client


class Hop:
    """Forwards what arrives at /SECRET/N to the endpoint of push N of the plan.

    The secret keeps others on the machine from having their own words signed.
    """

    def __init__(self, plan: Plan, poster: Poster) -> None:
        self._plan = plan
        self._poster = poster
        self.secret = token_urlsafe()
        self._attempts: Counter[tuple[int, str]] = Counter()

    def app(self) -> Starlette:
        return Starlette(routes=[Route(f"/{self.secret}/{{number:int}}", self._forward, methods=["POST"])])

    async def _forward(self, request: Request) -> Response:
        number = request.path_params["number"]
        if number >= len(self._plan.pushes):
            return Response(status_code=404)
        try:
            body = self._counted(number, await request.json())
        except (ValueError, TypeError, LookupError):
            return Response(status_code=400)
        endpoint = self._plan.pushes[number].endpoint
        answer = await self._poster.post(endpoint, body, self._plan.delivery.ack_deadline_seconds)
        if answer in ACKNOWLEDGED:
            del self._attempts[number, body["message"]["messageId"]]
            return Response(status_code=int(answer))
        print(f"pubsub: {endpoint.url}: {answer}, put back", flush=True)
        return Response(status_code=answer if isinstance(answer, int) else 502)

    def _counted(self, number: int, body: dict[str, Any]) -> dict[str, Any]:
        """Return the body with the delivery attempt, which the emulator counts but does not tell."""
        key = (number, body["message"]["messageId"])
        self._attempts[key] += 1
        buries = self._plan.delivery.max_delivery_attempts > 0
        return {**body, "deliveryAttempt": self._attempts[key]} if buries else body


@asynccontextmanager
async def signing_hop(plan: Plan, sign: Sign | None) -> AsyncIterator[Plan]:
    """Run a hop for the plan and yield the same plan with every push going through it."""
    async with push_client() as client:
        hop = Hop(plan, Poster(client, sign))
        listener = socket.create_server(("127.0.0.1", 0))
        server = _Server(uvicorn.Config(hop.app(), log_level="warning", lifespan="off", access_log=False))
        serving = asyncio.create_task(server.serve(sockets=[listener]))
        try:
            yield _through(plan, f"http://127.0.0.1:{listener.getsockname()[1]}/{hop.secret}")
        finally:
            server.should_exit = server.force_exit = True
            await serving


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to the process, which has more to end than this server."""
        yield


def _through(plan: Plan, hop: str) -> Plan:
    pushes = [replace(push, endpoint=Endpoint(f"{hop}/{number}")) for number, push in enumerate(plan.pushes)]
    return replace(plan, pushes=pushes)
