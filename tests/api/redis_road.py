"""A Redis behind a road of its own, which can be broken, or blocked so that what is sent never arrives."""

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator

from fakeredis import TcpFakeServer


class Road:
    """A TCP proxy to a Redis. `cut`: connections end, new ones too; `block`: they stay, and nothing gets through."""

    def __init__(self) -> None:
        self._redis = TcpFakeServer(("127.0.0.1", 0), server_type="redis")
        self._thread = threading.Thread(target=self._redis.serve_forever, daemon=True)
        self._writers: set[asyncio.StreamWriter] = set()
        self._open = True
        self._free = asyncio.Event()
        self._free.set()
        self.connections = 0
        self.port = 0

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def cut(self) -> None:
        self._open = False
        for writer in self._writers:
            writer.transport.abort()

    def block(self) -> None:
        self._free.clear()

    def mend(self) -> None:
        self._open = True
        self._free.set()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        try:
            if self._open:
                there, back = await asyncio.open_connection(*self._redis.server_address[:2])
                self._writers.add(back)
                await asyncio.gather(self._pass(reader, back), self._pass(there, writer))
        except OSError:
            return  # cut
        finally:
            writer.transport.abort()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while piece := await reader.read(65536):
                await self._free.wait()
                writer.write(piece)
                await writer.drain()
        writer.transport.abort()


@contextlib.asynccontextmanager
async def road_to_redis() -> AsyncIterator[Road]:
    road = Road()
    road._thread.start()
    server = await asyncio.start_server(road._carry, "127.0.0.1", 0)
    road.port = server.sockets[0].getsockname()[1]
    try:
        yield road
    finally:
        road.mend()
        road.cut()
        server.close()
        await asyncio.to_thread(road._redis.shutdown)
        road._redis.server_close()
