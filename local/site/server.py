"""uvicorn, able to cut a connection and to stop while an endless answer is being sent."""

import asyncio
import socket

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol


class OpenProtocol(H11Protocol):
    """HTTP/1.1 that hands its transport to the application, as state["transport"]."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.app_state = {**self.app_state, "transport": transport}


class SiteServer(uvicorn.Server):
    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Endless answers would be waited for: cut every connection first."""
        for connection in list(self.server_state.connections):
            connection.transport.abort()
        await super().shutdown(sockets)


def make_server(app: Starlette) -> SiteServer:
    return SiteServer(uvicorn.Config(app, http=OpenProtocol, lifespan="off", log_level="warning"))


def listen(port: int) -> socket.socket:
    """A listening socket on the loopback; 0 takes a free port. Raises OSError when the port is taken."""
    return socket.create_server(("127.0.0.1", port))
