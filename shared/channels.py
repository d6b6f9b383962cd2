"""gRPC clients of Google for an endpoint: https with the machine's credentials, http without either.

An instance may be frozen between two requests for as long as it likes; its connections die meanwhile, and may do so
without a word. gRPC keeps them, so the first call would wait for its time-out: after some idle time a client gets a
connection of its own anew, as HTTP pools do.
"""

import time
from collections.abc import Callable
from functools import cache
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit

Client = TypeVar("Client", bound=Any)

# Longer than any call lasts (20 s), for an old connection is closed with whatever is on it; shorter than load
# balancers and address translators keep an idle connection.
IDLE_SECONDS = 30.0
# Channels to one address share a connection otherwise, the dead one too.
OWN_CONNECTION = ("grpc.use_local_subchannel_pool", 1)
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)


class Reopening(Generic[Client]):
    """A client that is made at its first use, and again when it was idle for `IDLE_SECONDS`."""

    def __init__(self, make: Callable[[], Client], now: Callable[[], float] = time.monotonic) -> None:
        self._make = make
        self._now = now
        self._client: Client | None = None
        self._used = 0.0

    async def get(self) -> Client:
        """The client, for one call that begins now."""
        now = self._now()
        before, idle, self._used = self._client, now - self._used, now
        if before is not None and idle <= IDLE_SECONDS:
            return before
        self._client = client = self._make()
        if before is not None:
            await before.transport.close()
        return client


def channel(endpoint: str, transport: type[Any]) -> Any:
    """A transport of class `transport` to `endpoint`, e.g. https://cloudtasks.googleapis.com."""
    parts = urlsplit(endpoint)
    if parts.scheme == "http":
        import grpc.aio  # noqa: PLC0415 - heavy, and rarely needed

        return transport(channel=grpc.aio.insecure_channel(parts.netloc, options=[OWN_CONNECTION]))

    def open_channel(*args: Any, options: list[tuple[str, Any]], **more: Any) -> Any:
        return transport.create_channel(*args, options=[*options, OWN_CONNECTION], **more)

    return transport(host=parts.netloc, credentials=credentials(), channel=open_channel)


@cache
def credentials() -> Any:
    """The machine's credentials: asked for once, for they keep their token."""
    import google.auth  # noqa: PLC0415 - heavy, and not needed without TLS

    found, _ = google.auth.default(scopes=SCOPES)
    return found
