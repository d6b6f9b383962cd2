"""Bodies: what a request sends, held until all of it is there, with a digest that grows as it comes.

Nothing is enlisted before the last byte: what breaks off, or turns out to be wrong at its end, leaves nothing behind.
"""

import asyncio
import hashlib
from array import array
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Self

from functions.api.problems import Problem

# What an instance holds of all bodies at once: a quarter of its memory. The platform may send it 80 requests.
HELD_BYTES = 128_000_000
# So much work is done in one turn of the event loop: a few milliseconds of parsing.
BYTES_A_TURN = 10_000
# What an item costs beside its bytes, in bytes that take as long.
ITEM_OVERHEAD = 400


class BrokeOff(Exception):
    """The sender went away before the last byte."""


class Room:
    """How many bytes of bodies may still be held."""

    def __init__(self, free: int = HELD_BYTES) -> None:
        self.free = free

    def take(self, size: int) -> None:
        """Raises Problem 503."""
        if size > self.free:
            raise Problem(503, "Too many large bodies come in at once: send yours again in a few seconds.")
        self.free -= size


class Body(AbstractContextManager["Body"]):
    """One body. `order`: what was asked for outside of it; two bodies are one only if that is the same too."""

    def __init__(self, room: Room, order: bytes) -> None:
        self._room = room
        self._order = order
        self._running = hashlib.sha256(order)
        self.text = bytearray()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._room.free += len(self.text)

    async def pieces(self, stream: AsyncIterator[bytes]) -> AsyncIterator[Self]:
        """Itself, each time that a piece more of it has come. Raises Problem 503, and what `stream` raises."""
        turns = Turns()
        async for piece in stream:
            self.add(piece)
            yield self
            # Pieces that have come already are handed out without a turn for anybody else.
            await turns.after(len(piece))

    def add(self, piece: bytes) -> None:
        """Raises Problem 503."""
        self._room.take(len(piece))
        self.text += piece
        self._running.update(piece)

    def digest(self) -> str:
        """Over the order and all that has come."""
        return self._running.hexdigest()

    async def digest_of(self, size: int) -> str | None:
        """Over the order and the first `size` bytes; None for a body that has fewer."""
        if size > len(self.text):
            return None
        return await asyncio.to_thread(self._digest_of, size)

    def _digest_of(self, size: int) -> str:
        found = hashlib.sha256(self._order)
        with memoryview(self.text) as text:
            found.update(text[:size])
        return found.hexdigest()


class Places:
    """Where in a body its items stand."""

    def __init__(self) -> None:
        self._starts, self._ends = array("Q"), array("Q")

    def add(self, start: int, end: int) -> None:
        self._starts.append(start)
        self._ends.append(end)

    def __len__(self) -> int:
        return len(self._starts)

    def size(self) -> int:
        """Of all items together."""
        return sum(self._ends) - sum(self._starts)

    def item(self, number: int, text: bytearray) -> bytes:
        return bytes(text[self._starts[number] : self._ends[number]])


class Turns:
    """Lets other requests have theirs: a body of many megabytes is read in many turns of the event loop."""

    def __init__(self) -> None:
        self._done = 0

    async def after(self, size: int) -> None:
        """Call after each piece of work, of `size` bytes."""
        self._done += size + ITEM_OVERHEAD
        if self._done >= BYTES_A_TURN:
            self._done = 0
            await asyncio.sleep(0)
