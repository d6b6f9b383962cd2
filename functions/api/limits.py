"""Limits: how much a caller may send, and what no database can hold."""

import json
import re
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST_BYTES = 10_000_000
# JSON lines are read as they come. Cloud Run itself takes no more than 32 MiB.
MOST_STREAMED_BYTES = 32_000_000
STREAMED = "application/x-ndjson"
# A NUL as JSON writes it, and not a backslash that stands before the letters u0000.
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class AtMost:
    """Refuses a body that is too large: before it is read where its length is told, else as it comes."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        told = headers.get("content-length", "")
        most = MOST_STREAMED_BYTES if STREAMED in headers.get("content-type", "") else MOST_BYTES
        length, read = int(told) if told.isdecimal() else 0, 0

        async def counted() -> Message:
            nonlocal read
            check(length, most)
            message = await receive()
            read += len(message.get("body", b""))
            check(read, most)
            return message

        await self._app(scope, counted, send)


def check(read: int, most: int) -> None:
    """Raises HTTPException 413."""
    if read > most:
        raise HTTPException(413, f"Send at most {most:,} bytes at once.")


def storable(value: Any) -> Any:
    """The value, if JSON and Postgres can hold it. Raises ValueError."""
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False)
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"half of a character pair ({error.object[error.start]!r}) cannot be stored") from error
    except ValueError as error:
        raise ValueError("NaN and Infinity are no JSON and cannot be stored") from error
    if NUL.search(text):
        raise ValueError("the character NUL (\\u0000) cannot be stored")
    return value
