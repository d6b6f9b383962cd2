"""Found: the failures of a run, one file for each kind, with the smallest input that shows it."""

import hashlib
import resource
import time
import traceback
from collections.abc import Callable
from pathlib import Path

Target = Callable[[bytes], None]
SLOW_SECONDS = 3.0
MOST_MEGABYTES = 300


class Found:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sizes: dict[str, int] = {}

    def watched(self, target: Target) -> Target:
        """The target, whose failures are kept instead of raised."""

        def watch(data: bytes) -> None:
            before, started = peak_megabytes(), time.monotonic()
            try:
                target(data)
            except Exception as error:  # noqa: BLE001 - that is what is looked for
                self._keep(data, "".join(traceback.format_exception(error)), kind_of(error))
            if (took := time.monotonic() - started) > SLOW_SECONDS:
                self._keep(data, f"took {took:.1f} s", "slow")
            if (grown := peak_megabytes() - before) > MOST_MEGABYTES:
                self._keep(data, f"{grown:.0f} MB more", "memory")

        return watch

    def _keep(self, data: bytes, told: str, kind: str) -> None:
        if len(data) >= self._sizes.get(kind, len(data) + 1):
            return
        self._sizes[kind] = len(data)
        self._folder.mkdir(parents=True, exist_ok=True)
        file = self._folder / hashlib.sha256(kind.encode()).hexdigest()[:8]
        file.write_bytes(data)
        file.with_suffix(".txt").write_text(f"{kind}\n{told}\n", errors="backslashreplace")
        print(f"found {kind} ({len(data)} bytes): {file}", flush=True)


def kind_of(error: BaseException) -> str:
    """By what was raised, and by the innermost line of the project that it came through."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [one for one in frames if "/functions/" in one.filename or "/shared/" in one.filename]
    at = (ours or frames)[-1]
    return f"{type(error).__name__} at {Path(at.filename).name}:{at.lineno}"


def peak_megabytes() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
