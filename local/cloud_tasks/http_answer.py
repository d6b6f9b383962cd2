"""Reads one HTTP/1.1 answer from bytes as they come: keeps status and headers, skips the body. No I/O."""

from collections.abc import Mapping
from typing import NamedTuple

_MAX_HEAD = 64 * 1024
_MAX_LINE = 8 * 1024


class BadAnswer(Exception):
    """What came is not HTTP/1.1."""


class Answer(NamedTuple):
    """`headers` has lower-case names."""

    status: int
    headers: Mapping[str, str]


class AnswerReader:
    """`feed` returns the answer once it is complete; `end` when the connection closed."""

    def __init__(self, *, bodiless: bool) -> None:
        """`bodiless` for answers to HEAD."""
        self.reusable = False
        self._bodiless = bodiless
        self._buffer = bytearray()
        self._answer: Answer | None = None
        self._left = 0
        self._chunked = False
        self._until_close = False
        self._trailers = False

    def feed(self, data: bytes) -> Answer | None:
        """Take more bytes. Raises BadAnswer."""
        self._buffer += data
        while self._answer is None:
            if not self._read_head():
                return None
        if not (self._skip_chunks() if self._chunked else self._skip_body()):
            return None
        # Bytes beyond the answer belong to no request.
        self.reusable = self.reusable and not self._buffer
        return self._answer

    def end(self) -> Answer | None:
        """Return the answer if the end of the connection completes it."""
        return self._answer if self._until_close else None

    def _read_head(self) -> bool:
        end = self._buffer.find(b"\r\n\r\n")
        if end < 0:
            if len(self._buffer) > _MAX_HEAD:
                raise BadAnswer("the answer's head does not end")
            return False
        head = self._buffer[:end].decode("latin-1")
        del self._buffer[: end + 4]
        status, headers = _parse_head(head)
        if 100 <= status < 200 and status != 101:
            return True  # an interim answer: the real one follows
        self._answer = Answer(status, headers)
        self._frame(head, status, headers)
        return True

    def _frame(self, head: str, status: int, headers: Mapping[str, str]) -> None:
        self.reusable = head.startswith("HTTP/1.1") and "close" not in headers.get("connection", "").lower()
        if self._bodiless or status in {204, 304}:
            return
        self._chunked = headers.get("transfer-encoding", "").lower().endswith("chunked")
        if self._chunked:
            return
        length = headers.get("content-length")
        self._until_close = length is None
        self.reusable = self.reusable and length is not None
        self._left = _number(length, 10) if length is not None else 0

    def _skip_body(self) -> bool:
        if self._until_close:
            self._buffer.clear()
            return False
        skipped = min(self._left, len(self._buffer))
        del self._buffer[:skipped]
        self._left -= skipped
        return self._left == 0

    def _skip_chunks(self) -> bool:
        while self._skip_body():
            line = self._read_line()
            if line is None:
                return False
            if self._trailers and not line:
                return True
            if line and not self._trailers:
                self._left = _number(line.partition(";")[0].strip(), 16)
                self._trailers = self._left == 0
        return False

    def _read_line(self) -> str | None:
        end = self._buffer.find(b"\r\n")
        if end < 0:
            if len(self._buffer) > _MAX_LINE:
                raise BadAnswer("a chunk's size does not end")
            return None
        line = self._buffer[:end].decode("latin-1")
        del self._buffer[: end + 2]
        return line


def _parse_head(head: str) -> tuple[int, dict[str, str]]:
    first, *lines = head.split("\r\n")
    version, _, rest = first.partition(" ")
    if not version.startswith("HTTP/1.") or not rest[:3].isdecimal() or len(rest) < 3:
        raise BadAnswer(f"no HTTP/1.1 status line: {first[:80]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        name, _, value = line.partition(":")
        headers[name.strip().lower()] = value.strip()
    return int(rest[:3]), headers


def _number(text: str, radix: int) -> int:
    try:
        number = int(text, radix)
    except ValueError as error:
        raise BadAnswer(f"no length: {text[:80]!r}") from error
    if number < 0:
        raise BadAnswer(f"no length: {text[:80]!r}")
    return number
