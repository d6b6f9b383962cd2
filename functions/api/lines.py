"""JSON lines: the items of an upload are found and checked line by line, as they come.

What an item may have is checked on its bytes, so that none is built in memory that is too large to be enlisted.
"""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass

from functions.api.bodies import Body, Places, Turns
from functions.api.limits import enlistable
from functions.api.problems import Problem
from shared.inputs import InputLimits, InputTooLarge

BYTE_ORDER_MARK = b"\xef\xbb\xbf"
# A line with something in it, ended or not: it always matches from there on, so each byte is looked at once.
_LINE = re.compile(rb"\S[^\n]*+\n?")


@dataclass(frozen=True)
class Rule:
    """What each item of a batch has to keep to. `options`, as JSON, go into each."""

    limits: InputLimits
    options: bytes = b"{}"

    def check(self, written: bytes) -> None:
        """Raises ValueError: what is wrong with an item, as it was sent."""
        self.limits.check(written)
        try:
            given = json.loads(written.decode())
        except UnicodeDecodeError as error:
            raise ValueError(f"this is not UTF-8 ({error.reason} at byte {error.start + 1})") from error
        except json.JSONDecodeError as error:
            raise ValueError(f"this is not JSON ({error})") from error
        except ValueError as error:
            raise ValueError("a number has more digits than can be read; send it as text") from error
        if not isinstance(given, dict):
            raise ValueError(  # noqa: TRY004 - the caller's mistake
                'each item is a JSON object, such as {"url": "https://example.com/story"}'
            )
        enlistable(given)
        if self.options != b"{}":
            self._check_with_options(written)

    def _check_with_options(self, written: bytes) -> None:
        """As one object with the members of both, which is at least as large as what is stored."""
        members = written[1:-1].strip()
        both = self.options[:-1] + (b"," if members else b"") + members + b"}"
        try:
            self.limits.check(both)
        except InputTooLarge as error:
            raise ValueError(f"with the batch's options it is {error}") from error


async def places_of_lines(body: Body, stream: AsyncIterator[bytes], rule: Rule, most: int) -> Places:
    """Raises Problem 422 that names the first line that is no item; and what `stream` raises."""
    reader = LineReader(body, rule, most)
    async for _ in body.pieces(stream):
        await reader.read_on(is_whole=False)
    await reader.read_on(is_whole=True)
    if not reader.places:
        raise Problem(422, "There is no item in it: send one JSON object a line.")
    return reader.places


class LineReader:
    """Reads on in a body that grows."""

    def __init__(self, body: Body, rule: Rule, most: int) -> None:
        self._text, self._rule, self._most = body.text, rule, most
        self._turns = Turns()
        self._at, self._number = 0, 1
        self.places = Places()

    async def read_on(self, *, is_whole: bool) -> None:
        """Read the lines that have ended; with all of the body there, the last one has too."""
        while found := _LINE.search(self._text, self._at):
            self._go_to(found.start())
            line = found.group()
            if not is_whole and not line.endswith(b"\n"):
                self._check_size(line)
                return
            self._take(line)
            self._go_to(found.end())
            await self._turns.after(len(line))
        self._go_to(len(self._text))

    def _go_to(self, place: int) -> None:
        self._number += self._text.count(b"\n", self._at, place)
        self._at = place

    def _take(self, line: bytes) -> None:
        start = self._at + len(BYTE_ORDER_MARK) * (self._at == 0 and line.startswith(BYTE_ORDER_MARK))
        written = bytes(self._text[start : self._at + len(line)]).rstrip()
        if not written:
            return
        if len(self.places) == self._most:
            raise Problem(422, f"Send at most {self._most:,} items in one batch.")
        try:
            self._rule.check(written)
        except ValueError as error:
            raise Problem(422, f"line {self._number}: {error}") from error
        self.places.add(start, start + len(written))

    def _check_size(self, begun: bytes) -> None:
        """A line that is too large already is not waited for."""
        try:
            self._rule.limits.check_bytes(len(begun.rstrip()))
        except InputTooLarge as error:
            raise Problem(422, f"line {self._number}: {error}") from error
