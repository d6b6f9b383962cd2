"""Inputs: how large, deep and many-membered one may be, found by scanning its JSON, so before it is built in memory.

`{"url": "..."}` has 1 level and 1 element; each member of an object or a list, at any level, is an element.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# A string, closed or not: it always matches from a quote on, so no input makes the search begin again within one.
STRING = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?'
_STRINGS = re.compile(STRING, re.DOTALL)
_SPACE = b" \t\r\n"
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))


class InputTooLarge(ValueError):
    """An input beyond its function's limits. The message names the limit."""


@dataclass(frozen=True)
class InputLimits:
    """What one input of a function may have; see input_bytes and its like in functions/defaults.yaml."""

    size: int
    depth: int
    elements: int

    def check(self, written: bytes) -> None:
        """Raises InputTooLarge for what is beyond one of them. Whether it is JSON at all, a parser says."""
        self.check_bytes(len(written))
        bare = _STRINGS.sub(b'"', written).translate(None, _SPACE)
        elements = count_elements(bare)
        if elements > self.elements:
            raise InputTooLarge(f"too many elements ({elements:,}); an input has at most {self.elements:,} in all")
        if depth_of(bare) > self.depth:
            raise InputTooLarge(f"nested too deeply; an input has at most {self.depth} levels")

    def check_bytes(self, size: int) -> None:
        """Raises InputTooLarge."""
        if size > self.size:
            raise InputTooLarge(f"too large ({size:,} bytes); an input has at most {self.size:,} bytes")

    def check_value(self, value: Mapping[str, Any]) -> None:
        """The same for an input that is built already. Raises InputTooLarge."""
        try:
            written = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        except RecursionError as error:
            raise InputTooLarge(f"nested too deeply; an input has at most {self.depth} levels") from error
        self.check(written.encode("utf-8", "surrogatepass"))


def count_elements(bare: bytes) -> int:
    """Of JSON without its spaces, each string a quote: a comma stands between two, and none stands in an empty pair."""
    opened = bare.count(b"{") + bare.count(b"[")
    return bare.count(b",") + opened - bare.count(b"{}") - bare.count(b"[]")


def depth_of(bare: bytes) -> int:
    """Of JSON whose strings hold no bracket."""
    depth = deepest = 0
    for bracket in bare.translate(None, _NOT_BRACKETS):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest
