"""A lean HTTP/1.1 client: one request at a time per connection, kept alive; bodies of answers are skipped.

A queue sends a thousand small requests a second and wants only the status, so this reads nothing else.
"""

import asyncio
import ssl
import time
from collections import deque
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote, urlsplit

from local.cloud_tasks.http_answer import Answer, AnswerReader, BadAnswer

# Servers close idle connections after 2 s and more. To send on one that is just closing would look like
# a worker that died with the task, so none is used again after half that.
IDLE_SECONDS = 1.0
_URL_CHARACTERS = "!#$%&'()*+,/:;=?@[]~"


class Unreachable(Exception):
    """No answer: nobody listens, the name is unknown, or the connection broke."""


class Origin(NamedTuple):
    secure: bool
    host: str
    port: int


class HttpClient:
    """Sends requests; `tls` is the context for https targets, by default one that checks certificates."""

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self._tls = tls
        self._idle: dict[Origin, deque[_Connection]] = {}

    async def send(self, method: str, url: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> Answer:
        """Return the answer once its body is through. Raises Unreachable; cancelling drops the connection."""
        try:
            origin, host, target = split_url(url)
            connection = self._reuse(origin) or await self._connect(origin)
            try:
                answer = await connection.exchange(request_bytes(method, host, target, headers, body), method)
            except BaseException:
                connection.abort()
                raise
        except (OSError, ValueError, BadAnswer) as error:
            raise Unreachable(f"{url}: {error}") from error
        self._keep(origin, connection)
        return answer

    def close(self) -> None:
        """Close the connections that wait for another request."""
        for connections in self._idle.values():
            for connection in connections:
                connection.abort()
        self._idle.clear()

    def _reuse(self, origin: Origin) -> "_Connection | None":
        """Return the connection used last; the others may grow old."""
        idle = self._idle.get(origin)
        while idle:
            connection = idle.pop()
            if connection.fresh():
                return connection
            connection.abort()
        return None

    def _keep(self, origin: Origin, connection: "_Connection") -> None:
        if not connection.usable:
            connection.abort()
            return
        connection.idle_since = time.monotonic()
        idle = self._idle.setdefault(origin, deque())
        idle.append(connection)
        while not idle[0].fresh():
            idle.popleft().abort()

    async def _connect(self, origin: Origin) -> "_Connection":
        if origin.secure and self._tls is None:
            self._tls = ssl.create_default_context()
        _, connection = await asyncio.get_running_loop().create_connection(
            _Connection, origin.host, origin.port, ssl=self._tls if origin.secure else None
        )
        return connection


class _Connection(asyncio.Protocol):
    """One connection: `exchange` sends a request and waits for its answer."""

    def __init__(self) -> None:
        self.idle_since = 0.0
        self.usable = True
        self._reader: AnswerReader | None = None
        self._answer: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None

    async def exchange(self, request: bytes, method: str) -> Answer:
        if self._transport is None or self._transport.is_closing():
            raise ConnectionError("the connection is closed")
        self._reader = AnswerReader(bodiless=method == "HEAD")
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def fresh(self) -> bool:
        return self.usable and time.monotonic() - self.idle_since < IDLE_SECONDS

    def abort(self) -> None:
        self.usable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        if self._reader is None or self._answer is None or self._answer.done():
            self.abort()  # nobody asked
            return
        try:
            answer = self._reader.feed(data)
        except BadAnswer as error:
            self._answer.set_exception(error)
            return
        if answer is not None:
            self._finish(answer)

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        if self._answer is None or self._answer.done() or self._reader is None:
            return
        answer = self._reader.end()
        if answer is not None:
            self._answer.set_result(answer)
        else:
            self._answer.set_exception(ConnectionError(f"the connection closed without an answer: {exc or 'end'}"))

    def _finish(self, answer: Answer) -> None:
        assert self._reader is not None
        assert self._answer is not None
        # An answer that came before the whole request was sent leaves the connection in the middle of it.
        unsent = self._transport is not None and self._transport.get_write_buffer_size() > 0
        self.usable = self.usable and self._reader.reusable and not unsent
        self._reader = None
        self._answer.set_result(answer)


@lru_cache(maxsize=4096)
def split_url(url: str) -> tuple[Origin, str, str]:
    """Return where to connect to, the Host header and the request target. Raises ValueError."""
    parts = urlsplit(url)
    secure = parts.scheme.lower() == "https"
    hostname = parts.hostname or ""
    port = parts.port if parts.port is not None else (443 if secure else 80)
    host = f"[{hostname}]" if ":" in hostname else hostname.encode("idna").decode()
    if parts.port is not None:
        host = f"{host}:{parts.port}"
    # What is encoded already stays as it is, a broken escape too; the rest is made fit for a request line.
    path = quote(parts.path or "/", safe=_URL_CHARACTERS)
    query = f"?{quote(parts.query, safe=_URL_CHARACTERS)}" if parts.query else ""
    return Origin(secure, hostname, port), host, path + query


def request_bytes(method: str, host: str, target: str, headers: Iterable[tuple[str, str]], body: bytes) -> bytes:
    lines = [f"{method} {target} HTTP/1.1", f"Host: {host}"]
    lines += [f"{name}: {value}" for name, value in headers]
    if body or method in {"POST", "PUT", "PATCH"}:
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode() + body
