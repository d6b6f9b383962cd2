"""uploads: what hostile bodies of up to 32 MB cost the API: memory beyond the body's sender, and the longest turn.

Each body is read and enlisted in a process of its own, in pieces of 64 KiB, as the platform sends them. A task that
ticks all the while measures for how long nobody else had a turn of the event loop: on the clock, which counts what
other programs do on this machine too, and in processor time. The database takes all at once.
"""

import asyncio
import json
import resource
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from typing import Any
from uuid import uuid4

from bench.record import ROOT, write
from functions.api.bodies import Body, Room
from functions.api.filling import Filling
from functions.api.json_body import read_object
from functions.api.keys import KeyHolder
from functions.api.lines import places_of_lines
from functions.api.problems import Problem
from functions.api.submission import MOST_ITEMS, MOST_LINES, Order, Wanted, read_submission
from functions.api.submitting import check_items, check_total, rule_of
from infra.manifests import load
from shared.manifest import Manifests

SIZE = 32_000_000
PIECE = 65_536
LIMITS = {"megabytes": 100, "longest_turn_cpu_ms": 50}


def repeated(line: bytes) -> bytes:
    return line * (SIZE // len(line))


LINES: dict[str, Callable[[], bytes]] = {
    # Refused as soon as they show.
    "brackets": lambda: b"[" * SIZE,
    "one string": lambda: b'{"a":"' + b"x" * SIZE,
    "escaped quotes": lambda: b'{"a":"' + b'\\"' * (SIZE // 2),
    # Read to their end, and taken.
    "50,000 lines of 638 bytes": lambda: (b'{"a":"' + b"x" * 629 + b'"}\n') * 50_000,
    "2,000 lines of 998 elements": lambda: (b'{"a":[' + b",".join([b'{"b":"long"}'] * 498) + b"]}\n") * 2_000,
    "2,000 lines full of escapes": lambda: repeated(b'{"a":"' + b"\\u00e9" * 2_660 + b'"}\n'),
    # Read to their end, and refused.
    "blank lines": lambda: b"\n" * SIZE,
    "a bad line at the end": lambda: (b'{"a":"' + b"x" * 629 + b'"}\n') * 49_999 + b"nonsense",
    "empty objects": lambda: repeated(b"{}\n"),
}
BODIES: dict[str, Callable[[], bytes]] = {
    "JSON: empty lists": lambda: b'{"function":"article","items":[' + b"[]," * 3_300_000,
    "JSON: 10,000 items of 999 bytes": lambda: (
        b'{"function":"article","items":[' + b",".join([b'{"a":"' + b"x" * 980 + b'"}'] * 10_000) + b"]}"
    ),
    "JSON: items of 999 lists": lambda: (
        b'{"function":"article","items":[' + b",".join([b'{"a":[' + b",".join([b"[]"] * 998) + b"]}"] * 3_000) + b"]}"
    ),
    "JSON: spaces": lambda: b'{"function":"article",' + b" " * 9_000_000 + b'"items":[{}]}',
}


class Taking:
    """The database, which takes all."""

    async def call(self, name: str, **arguments: Any) -> Any:
        # As the client writes it, which is a part of what a chunk costs.
        json.dumps(arguments).encode()
        await asyncio.sleep(0)
        begun = {"verdict": "new", "batch_id": str(uuid4()), "state": "accepting", "items_in": 0, "secret": None}
        return [begun | {"opened": False}] if name in {"begin_batch_v1", "submit_v1"} else "opened"


async def send(body: bytes, *, lines: bool) -> str:
    """How it ended, in a few words."""

    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, len(body), PIECE):
            yield body[start : start + PIECE]

    class Mute:
        async def publish(self, _: Any) -> None:
            pass

    manifest = Manifests.of(load(ROOT)).functions["article"]
    filling = Filling(Taking(), Mute())  # type: ignore[arg-type]
    owner = KeyHolder(uuid4(), "bench", "internal", operator=False)
    try:
        with Body(Room(), b"") as held:
            order = Order(function="article")
            if lines:
                places = await places_of_lines(held, stream(), rule_of(order, manifest), MOST_LINES)
            else:
                members, places = await read_object(held, stream(), manifest.input_bytes, MOST_ITEMS)
                order = read_submission(members, places)
                await check_items(held, places, rule_of(order, manifest))
            check_total(places, rule_of(order, manifest))
            await filling.with_items(owner, manifest, Wanted(order, held, "once"), places)
    except Problem as problem:
        return f"refused: {problem.detail[:60]}"
    return f"taken: {len(places):,} items"


async def watched(body: bytes, *, lines: bool) -> dict[str, Any]:
    longest, over = [0.0, 0.0], False

    async def tick() -> None:
        last = [time.perf_counter(), time.thread_time()]
        while not over:
            await asyncio.sleep(0)
            now = [time.perf_counter(), time.thread_time()]
            longest[:] = [max(most, new - old) for most, new, old in zip(longest, now, last, strict=True)]
            last = now

    await send(b"{}", lines=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    ticking = asyncio.create_task(tick())
    await asyncio.sleep(0)
    began = time.perf_counter()
    ended = await send(body, lines=lines)
    seconds, over = time.perf_counter() - began, True
    await ticking
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "ended": ended,
        "seconds": round(seconds, 2),
        "longest_turn_ms": round(longest[0] * 1000, 1),
        "longest_turn_cpu_ms": round(longest[1] * 1000, 1),
        "megabytes": round((peak - before) * 1024 / 1e6, 1),
    }


def alone(name: str) -> dict[str, Any]:
    """Measured in a process of its own, whose peak is nobody else's."""
    done = subprocess.run([sys.executable, "-m", "bench.uploads", name], capture_output=True, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def main() -> None:
    if len(sys.argv) > 1:
        name = sys.argv[1]
        body = (LINES | BODIES)[name]()
        print(json.dumps(asyncio.run(watched(body, lines=name in LINES))))
        return
    found = {name: alone(name) for name in LINES | BODIES}
    write("uploads", {"bytes": SIZE, "bodies": found})
    over = [name for name, one in found.items() if any(one[key] > most for key, most in LIMITS.items())]
    if over:
        sys.exit(f"over a limit: {', '.join(over)}")


if __name__ == "__main__":
    main()
