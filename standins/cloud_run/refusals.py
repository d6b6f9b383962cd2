"""What Cloud Run itself answers: its statuses and the texts its users know."""

from collections.abc import Sequence

REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    413: "Request Entity Too Large",
    429: "Too Many Requests",
    431: "Request Header Fields Too Large",
    503: "Service Unavailable",
    504: "Gateway Timeout",
}
# In the log of the service; the caller reads less.
NO_INSTANCE = "The request was aborted because there was no available instance."
NOT_STARTED = "The request failed because the instance could not start successfully."
BROKEN = "The request failed because either the HTTP response was malformed or connection to the instance had an error."
TIMED_OUT = "The request has been terminated because it has reached the maximum request timeout."

PAGE = """<html><head>
<meta http-equiv="content-type" content="text/html;charset=utf-8">
<title>{status} {reason}</title>
</head>
<body text=#000000 bgcolor=#ffffff>
<h1>Error: {reason}</h1>
<h2>{text}</h2>
<h2></h2>
</body></html>
"""


class Refused(Exception):
    """The request gets no answer from an instance. `logged` is the line for the service's log."""

    def __init__(
        self, status: int, text: str, *, logged: str = "", headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        super().__init__(logged or text)
        self.status = status
        self.text = text
        self.logged = logged
        self.headers = headers

    def answer(self, *, keep_alive: bool, bodiless: bool = False) -> bytes:
        """The whole answer; without its body where the request was a HEAD."""
        html = self.status in {401, 403, 413}
        reason = REASONS[self.status]
        body = (PAGE.format(status=self.status, reason=reason, text=self.text) if html else self.text).encode()
        lines = [
            f"HTTP/1.1 {self.status} {reason}".encode(),
            b"content-type: " + (b"text/html; charset=UTF-8" if html else b"text/plain"),
            b"content-length: %d" % len(body),
            b"server: Google Frontend",
            *(name + b": " + value for name, value in self.headers),
        ]
        if not keep_alive:
            lines.append(b"connection: close")
        return b"\r\n".join([*lines, b"", b"" if bodiless else body])


def no_token(path: str) -> Refused:
    return Refused(403, f"Your client does not have permission to get URL <code>{path}</code> from this server.")


def bad_token(path: str, why: str) -> Refused:
    described = f'Bearer error="invalid_token" error_description="The access token could not be verified: {why}"'
    return Refused(
        401,
        f"Your client does not have permission to the requested URL <code>{path}</code>.",
        logged=f"The request was not authenticated: {why}",
        headers=[(b"www-authenticate", described.encode("latin-1", "replace"))],
    )


def no_invoker(path: str, email: str) -> Refused:
    return Refused(
        403,
        f"Your client does not have permission to get URL <code>{path}</code> from this server.",
        logged=f"The request was not authorized: {email} is no invoker of this service.",
    )


def too_large() -> Refused:
    return Refused(413, "Your client issued a request that was too large.")


def no_instance() -> Refused:
    return Refused(429, "Rate exceeded.", logged=NO_INSTANCE)


def not_started() -> Refused:
    return Refused(503, "Service Unavailable", logged=NOT_STARTED)


def broken() -> Refused:
    return Refused(
        503,
        "upstream connect error or disconnect/reset before headers. reset reason: connection termination",
        logged=BROKEN,
    )


def timed_out() -> Refused:
    return Refused(504, "upstream request timeout", logged=TIMED_OUT)
