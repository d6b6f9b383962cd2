"""Limits: how much a caller may send, and what no database can hold."""

import json
import re
from collections.abc import Mapping
from itertools import chain
from typing import Any

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# Of a batch, whose items are found without building the body: as JSON, and as JSON lines. Cloud Run takes no more than
# 32 MiB.
BATCHES = "/v3/batches"
MOST_BYTES = 10_000_000
MOST_STREAMED_BYTES = 32_000_000
STREAMED = "application/x-ndjson"
# Of all else, which is built in one go: what 500 posters may have.
MOST_BUILT_BYTES = 1_500_000
# An index holds it, and an entry of one has at most 2,704 bytes.
MOST_CUSTOM_ID = 200
# JSON within JSON. Whoever reads it after us, in whatever language, goes as deep.
MOST_LEVELS = 100
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
        most = most_of(scope["path"], media_type(headers))
        length, read = int(told) if told.isdecimal() else 0, 0

        async def counted() -> Message:
            nonlocal read
            check(length, most)
            message = await receive()
            read += len(message.get("body", b""))
            check(read, most)
            return message

        await self._app(scope, counted, send)


def most_of(path: str, kind: str) -> int:
    if path != BATCHES:
        return MOST_BUILT_BYTES
    return MOST_STREAMED_BYTES if kind == STREAMED else MOST_BYTES


def media_type(headers: Mapping[str, str], otherwise: str = "") -> str:
    """What the body is said to be, without its parameters."""
    return headers.get("content-type", otherwise).partition(";")[0].strip().lower()


def check(read: int, most: int) -> None:
    """Raises HTTPException 413."""
    if read > most:
        raise HTTPException(413, f"Send at most {most:,} bytes at once.")


def storable(value: Any) -> Any:
    """The value, if JSON and Postgres can hold it. Raises ValueError."""
    check_levels(value)
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


def enlistable(given: dict[str, Any]) -> dict[str, Any]:
    """An input that can be enlisted, or options that go into each. Raises ValueError."""
    if len(str(storable(given).get("custom_id"))) > MOST_CUSTOM_ID:
        raise ValueError(f"custom_id has at most {MOST_CUSTOM_ID} characters")
    return given


def check_levels(value: Any) -> None:
    """Raises ValueError for what is nested too deeply. Level by level: how deep our own stack is does not matter."""
    level: list[Any] = [[value]]
    for _ in range(MOST_LEVELS + 1):
        inner = chain.from_iterable(one.values() if isinstance(one, dict) else one for one in level)
        level = [one for one in inner if isinstance(one, dict | list)]
        if not level:
            return
    raise ValueError(f"nested too deeply, {MOST_LEVELS} levels at most")
