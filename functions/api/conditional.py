"""Conditional answers: ETag, Cache-Control, and 304 for whoever has the same already (RFC 9110, 13; RFC 9111)."""

import hashlib
import json
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from functions.api.caching import Kept, made


def as_kept(content: Any, *, seconds: float) -> Kept:
    """A JSON answer, as the cache keeps it."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return made(body.encode(), seconds=seconds)


def conditional(request: Request, kept: Kept, *, status: int = 200, media_type: str = "application/json") -> Response:
    """The answer, or 304. It may be used for as long as it is kept here; else it is to be asked for each time."""
    etag = etag_of(kept.body)
    seconds = int(kept.seconds_left())
    headers = {
        "ETag": etag,
        # Private: a cache between us and the caller would give it to others.
        "Cache-Control": f"private, max-age={seconds}" if seconds else "private, no-cache",
        "Vary": "Authorization, Accept",
    }
    if status == 200 and matches(request.headers.get("if-none-match", ""), etag):
        return Response(status_code=304, headers=headers)
    return Response(kept.body, status, headers, media_type)


def etag_of(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def matches(if_none_match: str, etag: str) -> bool:
    """Compared weakly, as If-None-Match asks: W/ is not looked at."""
    asked = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return etag in asked or asked == ["*"]
