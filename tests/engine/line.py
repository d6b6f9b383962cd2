"""A line to a server: bytes pass until its connections are cut, or forgotten."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

SECONDS = 10.0


class Line:
    """Relays TCP to `target` ("127.0.0.1:8601") from a port of its own."""

    def __init__(self, target: str) -> None:
        self._host, _, port = target.rpartition(":")
        self._port = int(port)
        self._open: list[asyncio.StreamWriter] = []
        self._forgotten: set[asyncio.StreamWriter] = set()
        self.address = ""
        self.connections = 0

    async def serve(self) -> None:
        server = await asyncio.start_server(self._connected, "127.0.0.1", 0)
        self.address = f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def cut(self) -> None:
        """Close every open connection, as a server does with idle ones."""
        for writer in self._open:
            writer.close()
        self._open = []

    def forget(self) -> None:
        """From now on nothing comes out of the open connections: what stood between has lost them."""
        self._forgotten |= set(self._open)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        there, back = await asyncio.open_connection(self._host, self._port)
        self._open += [writer, back]
        await asyncio.gather(self._relay(reader, back), self._relay(there, writer))

    async def _relay(self, source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(65536):
                if target not in self._forgotten:
                    target.write(data)
        target.close()


@contextmanager
def line_to(target: str) -> Iterator[tuple[Line, Callable[[Callable[[], None]], None]]]:
    """A line in a thread of its own, and what calls its methods there."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    line = Line(target)

    def there(do: Callable[[], None]) -> None:
        async def done() -> None:
            do()

        asyncio.run_coroutine_threadsafe(done(), loop).result(SECONDS)

    async def end() -> None:
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    asyncio.run_coroutine_threadsafe(line.serve(), loop).result(SECONDS)
    try:
        yield line, there
    finally:
        asyncio.run_coroutine_threadsafe(end(), loop).result(SECONDS)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(SECONDS)
