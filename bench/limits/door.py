"""door: a TCP door before one server or several: takes turns, may answer late, and calls out when a word passes."""

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Literal

Moment = Literal["asked", "answered"]


class Door:
    """Listens on a port of its own; each connection goes to the next of `targets` that takes it."""

    def __init__(self) -> None:
        self.targets: Sequence[int] = ()
        self.late_seconds = 0.0
        self._connections = 0
        self._alarm: tuple[bytes, Moment, Callable[[], None]] | None = None
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._enter, "127.0.0.1", 0)

    @property
    def port(self) -> int:
        if self._server is None:
            raise RuntimeError("the door is not open yet")
        return int(self._server.sockets[0].getsockname()[1])

    def when(self, word: bytes, moment: Moment, act: Callable[[], None]) -> None:
        """Once: act instead of letting the request with this word through, or when its answer comes."""
        self._alarm = (word, moment, act)

    async def close(self) -> None:
        if self._server:
            self._server.close()
        for connection in self._open:
            connection.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _enter(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._connections += 1
        task = asyncio.ensure_future(self._serve(reader, writer, self._connections))
        self._open.add(task)
        task.add_done_callback(self._open.discard)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, turn: int) -> None:
        with contextlib.suppress(OSError):
            far_reader, far_writer = await self._dial(turn)
            passage = Passage(self, far_writer, writer)
            ways = [asyncio.create_task(passage.ask(reader)), asyncio.create_task(passage.answer(far_reader))]
            try:
                await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for way in ways:
                    way.cancel()
                await asyncio.gather(*ways, return_exceptions=True)
                far_writer.close()
        writer.close()

    async def _dial(self, turn: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        refused: OSError = ConnectionRefusedError("nobody is behind this door")
        for place in range(len(self.targets)):
            try:
                return await asyncio.open_connection("127.0.0.1", self.targets[(turn + place) % len(self.targets)])
            except OSError as error:
                refused = error
        raise refused

    def rings_for(self, data: bytes) -> Moment | None:
        """When this request rings, if it does."""
        return self._alarm[1] if self._alarm and self._alarm[0] in data else None

    def ring(self) -> None:
        if self._alarm:
            _, _, act = self._alarm
            self._alarm = None
            act()


class Passage:
    """One connection through a door."""

    def __init__(self, door: Door, far: asyncio.StreamWriter, near: asyncio.StreamWriter) -> None:
        self._door, self._far, self._near = door, far, near
        self._asked = self._rings = False

    async def ask(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(65536):
            self._asked = True
            rings = self._door.rings_for(data)
            if rings == "asked":
                self._door.ring()
                return
            self._rings = self._rings or rings == "answered"
            self._far.write(data)
            await self._far.drain()

    async def answer(self, reader: asyncio.StreamReader) -> None:
        while data := await reader.read(65536):
            if self._asked and self._door.late_seconds:
                await asyncio.sleep(self._door.late_seconds)
            self._asked = False
            if self._rings:
                self._rings = False
                self._door.ring()
            self._near.write(data)
            await self._near.drain()
