"""processes: starts programs, brings back those that die, stops them all.

Each runs in a session of its own, so Ctrl-C reaches only us and we stop them in our order.
"""

import asyncio
import os
import signal
import socket
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

READY_SECONDS = 60.0
STOP_SECONDS = 10.0
LOOK_SECONDS = 0.05
RESTART_SECONDS = 0.5
STUCK_SECONDS = 20.0


class NotStarted(RuntimeError):
    """A program did not come up. One line that says which, and where its log is."""


@dataclass(frozen=True)
class Program:
    """What to run, and how to see that it is ready: its port answers, or its file is there."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    folder: Path = Path()
    port: int | None = None
    ready_file: Path | None = None
    stop_seconds: float = STOP_SECONDS


def check_free(programs: Sequence[Program]) -> None:
    """Raises NotStarted for the first port that is taken."""
    for program in programs:
        if program.port is not None and is_open(program.port):
            raise NotStarted(
                f"port {program.port} (for {program.name}) is taken: is the stack running already? `make down` "
                "stops it; PIECEWORK_PORT=9600 moves it"
            )


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Processes:
    """The running programs of one stack; their logs are LOGS/NAME.log."""

    def __init__(self, logs: Path) -> None:
        self._logs = logs
        self._running: dict[str, tuple[Program, asyncio.subprocess.Process]] = {}
        self._watching: asyncio.Task[None] | None = None
        self._came_back: dict[str, float] = {}
        logs.mkdir(parents=True, exist_ok=True)

    async def start(self, *programs: Program) -> None:
        """Start them side by side; return once all are ready. Raises NotStarted."""
        await asyncio.gather(*(self._start(program) for program in programs))

    def watch(self) -> None:
        """From now on, start anew whatever dies."""
        self._watching = asyncio.create_task(self._watch())

    def pids(self) -> dict[str, int]:
        return {name: process.pid for name, (_, process) in self._running.items()}

    async def stop(self) -> None:
        """Stop all, the last started first."""
        if self._watching:
            self._watching.cancel()
        for name in reversed(list(self._running)):
            program, process = self._running.pop(name)
            await end(process, program.stop_seconds)

    async def _start(self, program: Program) -> None:
        if program.ready_file:
            program.ready_file.unlink(missing_ok=True)
        process = await self._spawn(program)
        self._running[program.name] = (program, process)
        try:
            async with asyncio.timeout(READY_SECONDS):
                while not is_ready(program):
                    if process.returncode is not None:
                        raise NotStarted(f"{program.name} ended at its start: {self._last_words(program)}")
                    await asyncio.sleep(LOOK_SECONDS)
        except TimeoutError:
            raise NotStarted(
                f"{program.name} was not ready after {READY_SECONDS:.0f} s: see {self._log(program)}"
            ) from None

    async def _spawn(self, program: Program) -> asyncio.subprocess.Process:
        with self._log(program).open("ab") as log:
            return await asyncio.create_subprocess_exec(
                *program.command,
                cwd=program.folder,
                env={**os.environ, **program.environment},
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(RESTART_SECONDS)
            for name, (program, process) in list(self._running.items()):
                if process.returncode is not None:
                    print(f"{name} ended ({process.returncode}); starting it anew", file=sys.stderr, flush=True)
                elif self._is_stuck(program):
                    print(f"{name} came back but does not answer; starting it anew", file=sys.stderr, flush=True)
                    signal_group(process.pid, signal.SIGKILL)
                else:
                    continue
                self._running[name] = (program, await self._spawn(program))
                self._came_back[name] = time.monotonic()

    def _is_stuck(self, program: Program) -> bool:
        """Started anew and still not ready: some wait for ever for a database that was not there yet."""
        since = self._came_back.get(program.name)
        if since is None:
            return False
        if is_ready(program):
            del self._came_back[program.name]
            return False
        return time.monotonic() > since + STUCK_SECONDS

    def _log(self, program: Program) -> Path:
        return self._logs / f"{program.name}.log"

    def _last_words(self, program: Program) -> str:
        lines = self._log(program).read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it said nothing in {self._log(program)}"


def is_ready(program: Program) -> bool:
    if program.ready_file is not None:
        return program.ready_file.exists()
    return program.port is None or is_open(program.port)


async def end(process: asyncio.subprocess.Process, stop_seconds: float = STOP_SECONDS) -> None:
    """SIGTERM to its whole group; SIGKILL when that was not enough."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        signal_group(process.pid, number)
        try:
            await asyncio.wait_for(process.wait(), stop_seconds)
            break
        except TimeoutError:
            continue
    # Whatever the program itself has left behind.
    signal_group(process.pid, signal.SIGKILL)


def signal_group(pid: int, number: signal.Signals) -> None:
    try:
        os.killpg(pid, number)
    except ProcessLookupError:
        return
