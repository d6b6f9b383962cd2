"""Answers that a reader has to defend itself against, all made while they are sent: they cost no memory."""

import asyncio
import socket
import struct
import zlib
from collections.abc import AsyncIterator, Iterable, Iterator
from itertools import chain, repeat
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from local.site.answers import Answer

OPENING = b"<!DOCTYPE html><html><head><title>Archive</title></head><body><p>"
FILLER = b"and so it went on, page after page, " * 1820
MEGABYTE = b" " * 1_000_000
COMMENT_LENGTH = 65_535  # the most that a JPEG's segment can say of itself


def gzip_bomb(megabytes: int) -> Answer:
    """About one thousandth of its size on the wire."""

    async def answer(_request: Request) -> Response:
        stream = in_turn(bomb(megabytes))
        return StreamingResponse(stream, headers={"Content-Encoding": "gzip"}, media_type="text/html")

    return answer


def bomb(megabytes: int) -> Iterator[bytes]:
    packer = zlib.compressobj(9, wbits=zlib.MAX_WBITS | 16)
    yield packer.compress(OPENING)
    for _ in range(megabytes):
        yield packer.compress(MEGABYTE)
    yield packer.flush()


def endless() -> Answer:
    """Chunked HTML without an end."""

    async def answer(_request: Request) -> Response:
        return StreamingResponse(in_turn(filler(None)), media_type="text/html")

    return answer


def overdeclared(length: int) -> Answer:
    """A Content-Length that no reader should begin with. It is kept, too."""

    async def answer(_request: Request) -> Response:
        stream = in_turn(filler(length))
        return StreamingResponse(stream, headers={"Content-Length": str(length)}, media_type="text/html")

    return answer


def filler(length: int | None) -> Iterator[bytes]:
    """`length` bytes of HTML, or HTML for ever."""
    chunk, left = OPENING, length
    while left is None or left > 0:
        yield chunk if left is None else chunk[:left]
        left = None if left is None else left - len(chunk)
        chunk = FILLER


async def in_turn(chunks: Iterable[bytes]) -> AsyncIterator[bytes]:
    """Let other visitors have the loop between two chunks: a fast reader would keep it otherwise."""
    for chunk in chunks:
        if chunk:
            yield chunk
        await asyncio.sleep(0)


def swollen_jpeg(path: Path, megabytes: int) -> Answer:
    """A sound picture behind that many megabytes of comments. Chunked: its length is known at its end."""
    picture = path.read_bytes()
    comment = b"\xff\xfe" + COMMENT_LENGTH.to_bytes(2, "big") + bytes(COMMENT_LENGTH - 2)
    count = megabytes * 1_000_000 // len(comment)

    async def answer(_request: Request) -> Response:
        chunks = chain([picture[:2]], repeat(comment, count), [picture[2:]])
        return StreamingResponse(in_turn(chunks), media_type="image/jpeg")

    return answer


def drip() -> Answer:
    """One byte a second, for ever: every read succeeds and nothing gets done."""

    async def answer(_request: Request) -> Response:
        return StreamingResponse(drops(), media_type="text/html")

    return answer


async def drops() -> AsyncIterator[bytes]:
    for chunk in filler(None):
        for byte in chunk:
            yield bytes([byte])
            await asyncio.sleep(1)


def reset() -> Answer:
    async def answer(_request: Request) -> Response:
        return Reset()

    return answer


class Reset(Response):
    """No answer: the connection is reset, as by a crashed server or a jealous firewall."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI
        cut(scope["state"]["transport"])
        while (await receive())["type"] != "http.disconnect":
            pass


def cut(transport: asyncio.Transport) -> None:
    """Lingering for zero seconds makes the kernel send RST instead of FIN."""
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()
