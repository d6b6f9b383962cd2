"""Admission: every request below /v3, and for metrics, is let in, or told why not, before a byte of its body is read.

request -> Authorization -> Keys.admit -> request.state.owner -> the application -> RateLimit headers on its answer
"""

import ipaddress
import re

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from functions.api import problems
from functions.api.keys import Admitted, Endpoint, Keys
from functions.api.problems import Problem
from shared.errors import Failed

BATCH = re.compile(r"/v3/batches/[^/]+")
RESULTS = re.compile(r"/v3/batches/[^/]+/results")


class Admission:
    """The door, as middleware. `hops`: how many proxies of our own stand before us, see client_address."""

    def __init__(self, app: ASGIApp, *, keys: Keys, hops: int) -> None:
        self._app = app
        self._keys = keys
        self._hops = hops

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not is_guarded(scope["path"]):
            await self._app(scope, receive, send)
            return
        try:
            admitted = await self._admit(scope)
        except Problem as problem:
            await problems.of(problem)(scope, receive, send)
            return
        except Failed as error:
            await problems.down(error)(scope, receive, send)
            return
        scope.setdefault("state", {})["owner"] = admitted.owner
        await self._app(scope, receive, with_headers(send, admitted))

    async def _admit(self, scope: Scope) -> Admitted:
        scheme, _, key = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not key.strip():
            raise Problem(401, "Send your API key: Authorization: Bearer pw_...")
        address = client_address(Request(scope), self._hops)
        return await self._keys.admit(key.strip(), endpoint_of(scope["method"], scope["path"]), address)


def is_guarded(path: str) -> bool:
    return path in {"/v3", "/metrics"} or path.startswith("/v3/")


def endpoint_of(method: str, path: str) -> Endpoint:
    """Which bucket a request takes from; see the table tier_limits."""
    if method == "POST" and path == "/v3/batches":
        return "submit"
    if method == "GET" and BATCH.fullmatch(path):
        return "status"
    if method == "GET" and RESULTS.fullmatch(path):
        return "results"
    return "other"


def client_address(request: Request, hops: int) -> str | None:
    """Who called: the entry of X-Forwarded-For that our own outermost proxy has written.

    Each proxy appends the address it was called from, so what a client has sent itself stands to the left. Cloud Run's
    front end is one hop; a load balancer before it is another. 0 hops, or fewer entries: the connection's own.
    An IPv6 address stands for its /64, which is one customer. None for what is no address.
    """
    given = ",".join(request.headers.getlist("x-forwarded-for"))
    entries = [one.strip() for one in given.split(",") if one.strip()]
    peer = request.client.host if request.client else ""
    return one_customer(entries[-hops] if 0 < hops <= len(entries) else peer)


def one_customer(address: str) -> str | None:
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return None
    # An IPv4 address as an IPv6 socket has it: all of them are in one /64.
    known = getattr(known, "ipv4_mapped", None) or known
    return str(known) if known.version == 4 else str(ipaddress.ip_network((known, 64), strict=False))


def with_headers(send: Send, admitted: Admitted) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in admitted.headers().items():
                headers.setdefault(name, value)
        await send(message)

    return sending
