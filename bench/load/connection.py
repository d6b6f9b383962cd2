"""connection: HTTP/1.1 over one kept-alive connection, with as little of our own time as asyncio allows."""

import asyncio
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Answer:
    """`seconds` from the first byte sent to the last one read."""

    status: int
    body: bytes
    seconds: float


class Connection:
    """Answers have to tell their length, as all JSON answers of the API do."""

    def __init__(self, url: str, headers: Mapping[str, str]) -> None:
        parts = urlsplit(url)
        self._address = (parts.hostname, parts.port)
        self._lines = "".join(f"{name}: {value}\r\n" for name, value in {"Host": parts.netloc, **headers}.items())
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, method: str, path: str, body: bytes = b"") -> Answer:
        """Opening the connection is not measured. Raises OSError, asyncio.IncompleteReadError when it breaks."""
        if self._streams is None or self._streams[0].at_eof():
            # A server closes what was idle for a while; every client has to open it again then.
            self._streams = await asyncio.open_connection(*self._address)
        reader, writer = self._streams
        head = f"{method} {path} HTTP/1.1\r\n{self._lines}Content-Length: {len(body)}\r\n\r\n"
        began = time.perf_counter()
        writer.write(head.encode() + body)
        told = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = int(told.partition("content-length:")[2].split("\r\n")[0] or 0)
        answer = await reader.readexactly(length)
        return Answer(int(told.split(" ", 2)[1]), answer, time.perf_counter() - began)

    def close(self) -> None:
        if self._streams:
            self._streams[1].close()
            self._streams = None
