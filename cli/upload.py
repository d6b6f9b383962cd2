"""An upload: JSON lines from a file, looked through once, then sent as they stand; as often as it takes.

Its key is made of what is sent: the same file with the same order is the same batch, however often it is sent.
"""

import hashlib
import json
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from cli.inputs import unsendable
from cli.problems import BadInput

# A line has at most what any function may allow for an input; the API knows what this one does.
MOST_LINES, MOST_BYTES, MOST_LINE_BYTES = 50_000, 32_000_000, 100_000
PIECE_BYTES = 64_000


@dataclass(frozen=True)
class Upload:
    """Iterating reads the file from its beginning."""

    file: IO[bytes]
    items: int
    digest: str

    def __iter__(self) -> Iterator[bytes]:
        self.file.seek(0)
        while piece := self.file.read(PIECE_BYTES):
            yield piece

    def key(self, order: dict[str, Any]) -> str:
        """Return an Idempotency-Key for these items under this order."""
        told = json.dumps([order, self.digest], sort_keys=True)
        return f"file-{hashlib.sha256(told.encode()).hexdigest()[:40]}"


def open_upload(name: str) -> Upload:
    """Open a file, or standard input for "-". Raises BadInput that names the first bad line."""
    try:
        file = sys.stdin.buffer if name == "-" else Path(name).open("rb")  # noqa: SIM115 - open until it is sent
        return looked_through(file if file.seekable() and name != "-" else spooled(file), name)
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror}; give a file of JSON lines, or - .") from error


def spooled(source: IO[bytes]) -> IO[bytes]:
    """Return what comes through a pipe as a file, for it may have to be read twice."""
    file = tempfile.TemporaryFile()  # noqa: SIM115
    while piece := source.read(PIECE_BYTES):
        file.write(piece)
        if file.tell() > MOST_BYTES:
            break
    file.seek(0)
    return file


def looked_through(file: IO[bytes], name: str) -> Upload:
    digest, items, size = hashlib.sha256(), 0, 0
    for number, line in enumerate(lines_of(file), 1):
        digest.update(line)
        size += len(line)
        if line.strip():
            items += 1
            check(line, number)
        if items > MOST_LINES or size > MOST_BYTES:
            raise BadInput(
                f"{name} holds more than one batch takes ({MOST_LINES:,} items, {MOST_BYTES:,} bytes); "
                "cut it with: split -l 10000"
            )
    if not items:
        raise BadInput(f"{name} holds nothing to send; give one JSON object per line.")
    return Upload(file, items, digest.hexdigest())


def lines_of(file: IO[bytes]) -> Iterator[bytes]:
    """Yield the lines; of one that is longer than an item may be, only so much that it shows."""
    while line := file.readline(MOST_LINE_BYTES + 2):
        yield line


def check(line: bytes, number: int) -> None:
    """Raises BadInput for a line that is no item."""
    if len(line.rstrip(b"\n")) > MOST_LINE_BYTES:
        raise BadInput(f"line {number}: longer than {MOST_LINE_BYTES:,} bytes; nothing was sent.")
    try:
        item = json.loads(line)
    except (ValueError, RecursionError):
        item = None
    if not isinstance(item, dict):
        raise BadInput(f"line {number}: not a JSON object; nothing was sent. For plain URLs there is piecework run.")
    if reason := unsendable(item):
        raise BadInput(f"line {number}: {reason}; nothing was sent.")
