"""A body read within bounds: so many bytes on the wire, so many after decompression, never more in memory.

raw chunk -> BoundedBody.feed -> ... -> BoundedBody.finish -> bytes
"""

import zlib
from typing import Protocol

from shared.errors import DomainFailed, Rejected

ACCEPT_ENCODING = "gzip, deflate"


class _Inflater(Protocol):
    """What zlib.decompressobj gives."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    @property
    def unconsumed_tail(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int = ...) -> bytes: ...


class BoundedBody:
    """Collects and decodes one body. Raises Rejected("too_large") at the first byte over `max_bytes`.

    A chunk of 64 KB may inflate to 64 MB: zlib is told how much to give at most, and keeps the rest packed.
    """

    def __init__(self, encoding: str, max_bytes: int, host: str) -> None:
        """`encoding` is the Content-Encoding header. Raises Rejected("bad_encoding") for an unknown one."""
        encoding = encoding.strip().lower()
        if encoding not in ("", "identity", "gzip", "x-gzip", "deflate"):
            raise Rejected("bad_encoding", f"{host} sent its page encoded as {encoding}, which was not asked for.")
        self._packed = encoding not in ("", "identity")
        self._inflater: _Inflater | None = None
        self._max_bytes = max_bytes
        self._host = host
        self._wire = 0
        self._body = bytearray()

    def feed(self, chunk: bytes) -> None:
        """Take the next bytes off the wire. Raises also DomainFailed("bad_response") for broken packing."""
        if not self._packed:
            self._add(chunk)
            return
        self._wire += len(chunk)
        self._check(self._wire)
        try:
            self._inflate(chunk)
        except zlib.error as error:
            raise DomainFailed("bad_response", f"{self._host} sent a page that does not unpack.") from error

    def finish(self) -> bytes:
        """The whole body. Raises DomainFailed("bad_response") when it ended in the middle of its packing."""
        if self._inflater is not None and not self._inflater.eof:
            raise DomainFailed("bad_response", f"{self._host} stopped in the middle of its page.")
        return bytes(self._body)

    def _inflate(self, packed: bytes) -> None:
        while packed:
            if self._inflater is None:
                self._inflater = _inflater(packed)
            if self._inflater.eof:
                packed = self._next_member(packed)
                continue
            self._add(self._inflater.decompress(packed, self._room() + 1))
            packed = self._inflater.unused_data if self._inflater.eof else self._inflater.unconsumed_tail

    def _next_member(self, packed: bytes) -> bytes:
        """gzip members may follow one another; what follows and is none is padding, as gunzip has it."""
        if packed[:2] != b"\x1f\x8b":
            return b""
        self._inflater = _inflater(packed)
        return packed

    def head(self) -> bytes:
        """What there is of the body so far, also after too_large was raised."""
        return bytes(self._body)

    def _add(self, piece: bytes) -> None:
        size = len(self._body) + len(piece)
        self._body += piece[: self._room()]
        self._check(size)

    def _room(self) -> int:
        return self._max_bytes - len(self._body)

    def _check(self, size: int) -> None:
        if size > self._max_bytes:
            raise Rejected("too_large", f"{self._host} sent more than {self._max_bytes} bytes, the most that is read.")


def _inflater(start: bytes) -> _Inflater:
    """gzip and zlib tell by their first bytes; "deflate" from old servers comes without any header at all."""
    gzip = start[:1] == b"\x1f"
    # RFC 1950: the low four bits say "deflate", and the first two bytes are a multiple of 31.
    headed = start[0] & 0x0F == 8 and (len(start) < 2 or int.from_bytes(start[:2], "big") % 31 == 0)
    return zlib.decompressobj(zlib.MAX_WBITS | 32 if gzip or headed else -zlib.MAX_WBITS)
