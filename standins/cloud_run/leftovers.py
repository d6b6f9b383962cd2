"""Instances that outlive their front door: one that was killed leaves its process groups behind, also frozen ones."""

import json
import os
import signal
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import psutil


class Leftovers:
    """A file with the instances that run, for the next front door with the same services. None: no file."""

    def __init__(self, file: Path | None) -> None:
        self._file = file

    def write(self, pids: Iterable[int]) -> None:
        """To be called when an instance starts or ends."""
        if self._file is not None:
            self._file.write_text(json.dumps({str(pid): started_at(pid) for pid in pids}))

    def end(self) -> list[int]:
        """Kill what an earlier front door left; a foreign process that has got its number since is left alone."""
        if self._file is None or not self._file.exists():
            return []
        written = json.loads(self._file.read_text() or "{}")
        left = [int(pid) for pid, started in written.items() if started and started == started_at(int(pid))]
        for pid in left:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)
        self._file.unlink()
        return left


def started_at(pid: int) -> float:
    """0 where there is no such process."""
    try:
        return float(psutil.Process(pid).create_time())
    except psutil.NoSuchProcess:
        return 0.0
