"""The head of a request as the instance receives it, and the head of its answer as the caller does.

https://docs.cloud.google.com/functions/docs/reference/headers says what is removed and added.
"""

import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

Headers = Sequence[tuple[bytes, bytes]]

HOP_BY_HOP = {b"connection", b"keep-alive", b"proxy-connection", b"transfer-encoding", b"te", b"trailer", b"upgrade"}
REMOVED = HOP_BY_HOP | {b"proxy-authorization", b"expect", b"x-forwarded-for", b"x-forwarded-proto", b"forwarded"}
REMOVED |= {b"traceparent", b"x-cloud-trace-context"}
SIGNATURE_REMOVED = b"SIGNATURE_REMOVED_BY_GOOGLE"
TRACEPARENT = re.compile(rb"00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})")
CLOUD_TRACE = re.compile(rb"([0-9a-f]{32})(?:/\d+)?(?:;o=([01]))?")


@dataclass(slots=True)
class Request:
    """The head of a request: header names in small letters, in the caller's order."""

    method: bytes
    target: bytes
    headers: Headers
    http_1_0: bool = False

    def get(self, name: bytes) -> bytes | None:
        """The header's last value."""
        for each, value in reversed(self.headers):
            if each == name:
                return value
        return None

    @property
    def path(self) -> str:
        """Fit for a page of HTML."""
        return escape(self.target.partition(b"?")[0].decode("latin-1"))

    @property
    def chunked(self) -> bool:
        return self.get(b"transfer-encoding") is not None


def forwarded_head(request: Request, caller: str, *, sampled: bool, signed: bytes | None) -> bytes:
    """The request's head for the instance. `signed`: the header whose token loses its signature."""
    address = caller.encode()
    before = [value for name, value in request.headers if name == b"x-forwarded-for"]
    trace, span, flags = trace_of(request, sampled=sampled)
    lines = [request.method + b" " + request.target + b" HTTP/1.1"]
    for name, value in request.headers:
        if name == signed:
            lines.append(name + b": " + without_signature(value))
        elif name not in REMOVED and not name.startswith(b"x-google-"):
            lines.append(name + b": " + value)
    host = b'"[%b]"' % address if b":" in address else b'"%b"' % address
    lines += [
        b"x-forwarded-for: " + b",".join([*before, address]),
        b"x-forwarded-proto: http",
        b"forwarded: for=" + host + b";proto=http",
        b"traceparent: 00-%b-%016x-%b" % (trace, span, flags),
        b"x-cloud-trace-context: %b/%d;o=%d" % (trace, span, int(flags, 16) & 1),
    ]
    if request.chunked:
        lines.append(b"transfer-encoding: chunked")
    return b"\r\n".join([*lines, b"", b""])


def trace_of(request: Request, *, sampled: bool) -> tuple[bytes, int, bytes]:
    """Trace id, a new span id and flags: the caller's trace goes on, else a new one begins."""
    span = secrets.randbits(63) or 1
    if found := TRACEPARENT.fullmatch(request.get(b"traceparent") or b""):
        return found[1], span, found[2]
    if found := CLOUD_TRACE.fullmatch(request.get(b"x-cloud-trace-context") or b""):
        return found[1], span, b"01" if found[2] == b"1" else b"00"
    return secrets.token_hex(16).encode(), span, b"01" if sampled else b"00"


def without_signature(authorization: bytes) -> bytes:
    return authorization.rpartition(b".")[0] + b"." + SIGNATURE_REMOVED


def answer_head(status: int, reason: bytes, headers: Headers, *, chunked: bool, keep_alive: bool) -> bytes:
    """The answer's head for the caller, framed for its own connection."""
    lines = [b"HTTP/1.1 %d %b" % (status, reason)]
    lines += [name + b": " + value for name, value in headers if name not in HOP_BY_HOP and name != b"server"]
    lines.append(b"server: Google Frontend")
    if chunked:
        lines.append(b"transfer-encoding: chunked")
    if not keep_alive:
        lines.append(b"connection: close")
    return b"\r\n".join([*lines, b"", b""])
