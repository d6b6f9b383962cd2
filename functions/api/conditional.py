"""Conditional answers: ETag, Cache-Control, and 304 for whoever has the same already (RFC 9110, 13; RFC 9111)."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from functions.api.caching import Kept, made

# Private: a cache between us and the caller would give it to others.
ASK_AGAIN = {"Cache-Control": "private, no-cache", "Vary": "Authorization, Accept"}


def as_kept(content: Any, *, seconds: float) -> Kept:
    """A JSON answer, as the cache keeps it."""
    body = json.dumps(content, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return made(body.encode(), seconds=seconds)


def conditional(request: Request, kept: Kept, *, lasting: bool = False) -> Response:
    """The answer, or 304. The caller asks each time, for no cache of theirs hears what changed it here.

    `lasting`: nothing will change it, or they may see that late; they may use it for as long as it is kept here.
    """
    seconds = int(kept.seconds_left()) if lasting else 0
    headers = ASK_AGAIN | ({"Cache-Control": f"private, max-age={seconds}"} if seconds else {})
    return unless_known(request, kept.body, headers, "application/json")


def unless_known(request: Request, body: bytes, headers: Mapping[str, str], media_type: str) -> Response:
    """The answer with its ETag, or 304 for whoever has the same already."""
    headers = {**headers, "ETag": etag_of(body)}
    if matches(request.headers.get("if-none-match", ""), headers["ETag"]):
        return Response(status_code=304, headers=headers)
    return Response(body, headers=headers, media_type=media_type)


def etag_of(body: bytes) -> str:
    return f'"{hashlib.sha256(body).hexdigest()[:32]}"'


def matches(if_none_match: str, etag: str) -> bool:
    """Compared weakly, as If-None-Match asks: W/ is not looked at."""
    asked = [one.strip().removeprefix("W/") for one in if_none_match.split(",")]
    return etag in asked or asked == ["*"]
