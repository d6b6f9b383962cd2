"""Limits: how much a caller may send, and what no database can hold."""

import json
import re
from typing import Any

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# A NUL as JSON writes it, and not a backslash that stands before the letters u0000.
NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


class AtMost:
    """Refuses a body of more than `most` bytes: before it is read where its length is told, else as it comes."""

    def __init__(self, app: ASGIApp, *, most: int) -> None:
        self._app = app
        self._most = most

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        told = dict(scope.get("headers", [])).get(b"content-length", b"")
        length, read = int(told) if told.isdigit() else 0, 0

        async def counted() -> Message:
            nonlocal read
            self._check(length)
            message = await receive()
            read += len(message.get("body", b""))
            self._check(read)
            return message

        await self._app(scope, counted, send)

    def _check(self, read: int) -> None:
        if read > self._most:
            raise HTTPException(413, f"Send at most {self._most:,} bytes at once.")


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
