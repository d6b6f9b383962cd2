"""A JSON body: read member by member, and its items one by one, each no further than it may be long.

{"function", ..., "items": [...]} -> {"function", ..., "items": []}, built, and where its items stand
"""

import json
import re
from collections.abc import AsyncIterator
from typing import Any

from functions.api.bodies import Body, Places, Turns
from functions.api.limits import MOST_LEVELS
from functions.api.lines import BYTE_ORDER_MARK
from functions.api.problems import Problem
from shared.inputs import STRING

# Far more than an order has.
MOST_MEMBERS = 32
_STRING = re.compile(STRING, re.DOTALL)
_STRING_OR_BRACKET = re.compile(STRING + rb"|[\[\]{}]", re.DOTALL)
_SCALAR = re.compile(rb"[^\s,:\[\]{}\"]++")
# Nobody indents by more, and a search through megabytes would hold up everybody else.
_SPACE = re.compile(rb"[ \t\r\n]{0,100000}+")


async def read_object(body: Body, stream: AsyncIterator[bytes], most_bytes: int, most: int) -> tuple[Any, Places]:
    """The body's members, with a list of "items" left empty, and where those stand. No member or item has more than
    `most_bytes`. Raises Problem 422: what is wrong, and where; and what `stream` raises.
    """
    async for _ in body.pieces(stream):
        pass
    return await ObjectReader(body.text, most_bytes, most).read()


class ObjectReader:
    """Reads one JSON object from its beginning to its end."""

    def __init__(self, text: bytearray, most_bytes: int, most: int) -> None:
        self._text, self._most_bytes, self._most = text, most_bytes, most
        self._turns = Turns()
        self._at = len(BYTE_ORDER_MARK) if text.startswith(BYTE_ORDER_MARK) else 0
        self._members: list[bytes] = []
        self._places: Places | None = None

    async def read(self) -> tuple[Any, Places]:
        if self._next() != b"{":
            self._value("body")
            raise Problem(422, 'body: send a JSON object, such as {"function": "article", "items": [...]}')
        self._take(b"{")
        while not self._take(b"}"):
            if self._members:
                self._expect(b",")
            if len(self._members) == MOST_MEMBERS:
                raise Problem(422, f"body: it has more than {MOST_MEMBERS} keys; /openapi.json lists those there are")
            await self._member()
        if self._next():
            raise self._not_json("nothing more")
        return built(b"{" + b",".join(self._members) + b"}"), self._places or Places()

    async def _member(self) -> None:
        if self._next() != b'"':
            raise self._not_json("a key")
        key = built(self._value("body"))
        self._expect(b":")
        if key != "items" or self._next() != b"[":
            self._members.append(json.dumps(key).encode() + b":" + self._value(key[:100]))
        elif self._places is None:
            self._places = await self._items()
            self._members.append(b'"items":[]')
        else:
            raise Problem(422, "items: this key stands in the body twice; send all items in one list")

    async def _items(self) -> Places:
        places = Places()
        self._expect(b"[")
        while not self._take(b"]"):
            if places:
                self._expect(b",")
            if len(places) == self._most:
                raise Problem(422, f"items: List should have at most {self._most} items")
            self._next()
            start = self._at
            value = self._value(f"items.{len(places)}")
            places.add(start, start + len(value))
            await self._turns.after(len(value))
        return places

    def _value(self, name: str) -> bytes:
        """The JSON of the value that begins here; whether it is right within, who builds it will see."""
        first = self._next()
        start, stop = self._at, self._at + self._most_bytes + 1
        if first in (b"{", b"["):
            end = self._end_of_brackets(name, stop)
        else:
            found = (_STRING if first == b'"' else _SCALAR).match(self._text, start, stop)
            if not found:
                raise self._not_json("a value")
            end = found.end()
        if end >= stop:
            raise Problem(422, f"{name}: too large; it has at most {self._most_bytes:,} bytes")
        self._at = end
        return bytes(self._text[start:end])

    def _end_of_brackets(self, name: str, stop: int) -> int:
        depth = 0
        for found in _STRING_OR_BRACKET.finditer(self._text, self._at, stop):
            token = found.group()
            if token in (b"{", b"["):
                depth += 1
                if depth > MOST_LEVELS:
                    raise Problem(422, f"{name}: nested too deeply, {MOST_LEVELS} levels at most")
            elif token in (b"}", b"]"):
                depth -= 1
                if not depth:
                    return found.end()
        if stop <= len(self._text):
            return stop
        self._at = len(self._text)
        raise self._not_json("the end of a list or an object")

    def _next(self) -> bytes:
        """The first byte behind the spaces; empty at the end."""
        # It matches nothing, too.
        self._at = _SPACE.match(self._text, self._at).end()  # type: ignore[union-attr]
        return bytes(self._text[self._at : self._at + 1])

    def _take(self, byte: bytes) -> bool:
        if self._next() != byte:
            return False
        self._at += 1
        return True

    def _expect(self, byte: bytes) -> None:
        if not self._take(byte):
            raise self._not_json(repr(byte.decode()))

    def _not_json(self, wanted: str) -> Problem:
        return Problem(422, f"body: this is not JSON (there should be {wanted} at byte {self._at + 1})")


def built(written: bytes) -> Any:
    """Raises Problem 422."""
    try:
        return json.loads(written.decode())
    except UnicodeDecodeError as error:
        raise Problem(422, "body: this is not UTF-8") from error
    except ValueError as error:
        raise Problem(422, f"body: this is not JSON ({error})") from error
