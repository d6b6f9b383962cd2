"""Chunks: the items of a body, built so many at a time, as enlist_v1 takes them."""

import json
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

from functions.api.bodies import Places, Turns
from shared.enlisting import entry
from shared.manifest import Manifest
from shared.store import ROWS_PER_CALL

# A call is written in one turn of the event loop; this much takes a few milliseconds.
CHUNK_BYTES = 100_000


@dataclass(frozen=True)
class Chunk:
    """Some items of a body. `start`: the number of the first; a body's first is 0."""

    start: int
    inputs: list[dict[str, Any]]


async def chunks(
    text: bytearray, places: Places, manifest: Manifest, options: Mapping[str, Any], start: int = 0
) -> AsyncIterator[Chunk]:
    """The items from number `start` on. They have been checked."""
    turns, inputs, size = Turns(), list[dict[str, Any]](), 0
    for number in range(start, len(places)):
        written = places.item(number, text)
        inputs.append(entry(json.loads(written), manifest, options))
        size += len(written)
        await turns.after(len(written))
        if len(inputs) == ROWS_PER_CALL or size >= CHUNK_BYTES:
            yield Chunk(number + 1 - len(inputs), inputs)
            inputs, size = [], 0
    if inputs:
        yield Chunk(len(places) - len(inputs), inputs)
