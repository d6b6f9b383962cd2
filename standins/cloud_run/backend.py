"""A connection to an instance: one request at a time, its answer handed on as it arrives."""

import asyncio
from typing import Protocol, cast

import httptools

from standins.cloud_run.headers import Headers


class Broken(Exception):
    """The connection ended, or the answer was no HTTP, before the answer was complete."""


class Listener(Protocol):
    """Who waits for the answer."""

    def answer_began(self, status: int, reason: bytes, headers: Headers) -> None: ...

    def answer_body(self, chunk: bytes) -> None: ...

    def answer_flushed(self) -> None: ...

    def answer_ended(self, error: Broken | None) -> None: ...

    def hold_body(self, held: bool) -> None: ...


class Backend(asyncio.Protocol):
    """`begin` sends a request's head, `write` its body; the listener hears the answer."""

    def __init__(self) -> None:
        self.usable = True
        self._listener: Listener | None = None
        self._head_only = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's is none of asyncio's by inheritance.
        self.transport = cast("asyncio.Transport", transport)

    def begin(self, listener: Listener, data: bytes, *, head_only: bool) -> None:
        """Send the start of a request. `head_only`: its answer has no body, whatever its length says."""
        self._listener = listener
        self._head_only = head_only
        self._parser = httptools.HttpResponseParser(self)
        self._start_message()
        self.transport.write(data)

    def write(self, data: bytes) -> None:
        self.transport.write(data)

    def hold(self, held: bool) -> None:
        """Read no more of the answer for now."""
        if held:
            self.transport.pause_reading()
        else:
            self.transport.resume_reading()

    def close(self) -> None:
        """Drop the connection. Its listener hears nothing more."""
        self.usable = False
        self._listener = None
        self.transport.abort()

    def _start_message(self) -> None:
        self._reason = b""
        self._headers: list[tuple[bytes, bytes]] = []
        self._until_close = False

    def data_received(self, data: bytes) -> None:
        if self._listener is None:
            self.close()  # nobody asked
            return
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            if self._listener is not None:
                self._finish(Broken(f"the answer is no HTTP: {error}"))
            return
        if self._listener is not None:
            self._listener.answer_flushed()

    def on_status(self, reason: bytes) -> None:
        self._reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        if self._listener is None or status < 200:
            return
        names = {name for name, _ in self._headers}
        self._until_close = not names & {b"content-length", b"transfer-encoding"} and status not in {204, 304}
        self.usable = self.usable and self._parser.should_keep_alive()
        self._listener.answer_began(status, self._reason, self._headers)
        if self._head_only:
            # The parser would wait for a body that never comes.
            self.usable = False
            self._finish(None)

    def on_body(self, chunk: bytes) -> None:
        if self._listener is not None:
            self._listener.answer_body(chunk)

    def on_message_complete(self) -> None:
        if self._parser.get_status_code() < 200:
            self._start_message()
        elif self._listener is not None:
            self._finish(None)

    def _finish(self, error: Broken | None) -> None:
        listener, self._listener = self._listener, None
        if error is not None:
            self.usable = False
            self.transport.abort()
        assert listener is not None
        listener.answer_ended(error)

    def connection_lost(self, exc: Exception | None) -> None:
        self.usable = False
        if self._listener is not None:
            self._finish(None if self._until_close and exc is None else Broken(f"the connection ended: {exc or 'EOF'}"))

    def pause_writing(self) -> None:
        if self._listener is not None:
            self._listener.hold_body(True)

    def resume_writing(self) -> None:
        if self._listener is not None:
            self._listener.hold_body(False)
