"""A caller's connection: its requests, one after the other, and their answers in the same order."""

import asyncio
from collections import deque
from typing import cast

import httptools

from standins.cloud_run.exchange import Exchange
from standins.cloud_run.headers import Request
from standins.cloud_run.pool import Pool
from standins.cloud_run.refusals import Refused
from standins.cloud_run.tokens import Tokens

# https://docs.cloud.google.com/load-balancing/docs/quotas: all headers of a request.
MAX_HEAD_BYTES = 64 * 2**10
# How long the rest of a refused request is read, so that its caller can read the answer.
LINGER_SECONDS = 5.0


class CallerConnection(asyncio.Protocol):
    """HTTP/1.1 with keep-alive. A request that is sent before the answer to the last waits for its turn."""

    def __init__(self, pool: Pool, tokens: Tokens, open_connections: "set[CallerConnection]") -> None:
        self.address = ""
        self._pool = pool
        self._tokens = tokens
        self._open = open_connections
        self._exchanges: deque[Exchange] = deque()
        self._arriving: Exchange | None = None
        self._head_bytes: int | None = 0
        self._closing = False
        self._held = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none of asyncio's by inheritance.
        self._transport = cast("asyncio.Transport", transport)
        self.address = str(self._transport.get_extra_info("peername")[0])
        self._open.add(self)
        self._parser = httptools.HttpRequestParser(self)

    def connection_lost(self, exc: Exception | None) -> None:
        del exc
        self._open.discard(self)
        self._closing = True
        if self._exchanges:
            self._exchanges[0].cancel()

    def data_received(self, data: bytes) -> None:
        if self._closing and self._arriving is None:
            return
        if self._head_bytes is not None:
            self._head_bytes += len(data)
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            # Neither WebSockets nor HTTP/2: the request is served as it is, and is the last one here.
            self._last_request()
        except httptools.HttpParserError:
            self._refuse(Refused(400, "Bad Request"))
        else:
            if self._head_bytes is not None and self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(Refused(431, "Request Header Fields Too Large"))

    def on_message_begin(self) -> None:
        self._target = b""
        self._headers: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        self._head_bytes = None
        request = Request(
            self._parser.get_method(), self._target, self._headers, http_1_0=self._parser.get_http_version() == "1.0"
        )
        self._arriving = Exchange(self, self._pool, self._tokens, request, keep_alive=self._parser.should_keep_alive())
        if self._closing:
            return
        self._pool.requests += 1
        self._exchanges.append(self._arriving)
        if len(self._exchanges) == 1:
            self._arriving.start()
        else:
            self.hold(True)

    def on_body(self, chunk: bytes) -> None:
        if self._arriving is not None and self._arriving in self._exchanges:
            self._arriving.add_body(chunk)

    def on_message_complete(self) -> None:
        self._head_bytes = 0
        arrived, self._arriving = self._arriving, None
        if arrived is None:
            return
        if arrived in self._exchanges:
            arrived.end_body()
        elif self._closing:
            self._transport.close()

    def ended(self, exchange: Exchange) -> None:
        """The first exchange has its answer: on with the next, or close."""
        self._exchanges.popleft()
        if self._transport.is_closing():
            return
        if not exchange.keep_alive or self._closing:
            self._close(still_arriving=self._arriving is exchange)
        elif self._exchanges:
            self._exchanges[0].start()
        self.hold(len(self._exchanges) > 1)

    def _close(self, *, still_arriving: bool) -> None:
        self._closing = True
        self._exchanges.clear()
        if still_arriving:
            # To close now would reset the connection, and the answer with it.
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self._transport.close)
        else:
            self._transport.close()

    def close_when_idle(self) -> None:
        """Take no further request."""
        self._closing = True
        if not self._exchanges:
            self._transport.close()

    def _last_request(self) -> None:
        for exchange in self._exchanges:
            exchange.keep_alive = False

    def _refuse(self, refused: Refused) -> None:
        """What cannot be read as a request. What was read before it is not answered any more."""
        if self._exchanges:
            self._transport.abort()
            return
        self._closing = True
        self._pool.counts[refused.status] += 1
        self._transport.write(refused.answer(keep_alive=False))
        self._transport.close()

    def write(self, data: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(data)

    def abort(self) -> None:
        self._transport.abort()

    def hold(self, held: bool) -> None:
        """Read no more from the caller for now."""
        if held == self._held or self._transport.is_closing():
            return
        self._held = held
        if held:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def pause_writing(self) -> None:
        if self._exchanges:
            self._exchanges[0].hold_answer(True)

    def resume_writing(self) -> None:
        if self._exchanges:
            self._exchanges[0].hold_answer(False)
