"""An HTTP server that remembers each request and answers as told."""

import asyncio
import ssl
from collections import defaultdict
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes

    def task_header(self, name: str) -> str | None:
        """Return X-CloudTasks-`name`."""
        return self.headers.get(f"X-CloudTasks-{name}")


class Sink:
    """`answers[path]` are statuses or whole answers as bytes, used up in order; the last one stays. Default 200.

    A path in `held` is answered once `release` is set.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.requests: list[Request] = []
        self.answers: dict[str, list[int | bytes]] = {}
        self.held: set[str] = set()
        self.release = asyncio.Event()
        self.now: defaultdict[str, int] = defaultdict(int)
        self.most: defaultdict[str, int] = defaultdict(int)
        self.connections = 0
        self._tls = tls
        self._changed = asyncio.Condition()
        self._streams: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, ssl=self._tls)
        self.port = self._server.sockets[0].getsockname()[1]
        self.url = f"{'https' if self._tls else 'http'}://127.0.0.1:{self.port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self.release.set()
        self._server.close()
        for stream in self._streams:
            stream.close()

    async def received(self, count: int) -> list[Request]:
        """Return the requests once there are `count`."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: len(self.requests) >= count)
        return self.requests

    async def busy(self, path: str, count: int) -> None:
        """Return once `count` requests of the path wait for their answer."""
        async with asyncio.timeout(10), self._changed:
            await self._changed.wait_for(lambda: self.now[path] >= count)

    def seen(self, name: str) -> list[str | None]:
        """Return X-CloudTasks-`name` of each request."""
        return [request.task_header(name) for request in self.requests]

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._streams.add(writer)
        try:
            while await self._serve(reader, writer):
                pass
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            self._streams.discard(writer)
            writer.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        first, *lines = head.split("\r\n")[:-2]
        method, target, _ = first.split(" ")
        headers = dict(line.split(": ", 1) for line in lines)
        body = await reader.readexactly(int(headers.get("Content-Length", "0")))
        path = target.partition("?")[0]
        await self._came(path, Request(method, target, headers, body))
        if path in self.held:
            await self.release.wait()
        self.now[path] -= 1
        answer = self._next(path)
        writer.write(answer if isinstance(answer, bytes) else _answer(answer))
        return isinstance(answer, int) or b"Content-Length" in answer

    async def _came(self, path: str, request: Request) -> None:
        async with self._changed:
            self.requests.append(request)
            self.now[path] += 1
            self.most[path] = max(self.most[path], self.now[path])
            self._changed.notify_all()

    def _next(self, path: str) -> int | bytes:
        answers = self.answers.get(path, [200])
        return answers.pop(0) if len(answers) > 1 else answers[0]


def _answer(status: int) -> bytes:
    return f"HTTP/1.1 {status} Status\r\nContent-Length: 2\r\n\r\nok".encode()
