"""What watches the local programs."""

import asyncio
import os
import signal
import socket
import sys
from pathlib import Path

from local import processes
from local.processes import Processes, Program

# Listens, but not at its second start: then it waits for ever.
STUBBORN = """
import pathlib, socket, sys, threading
starts = pathlib.Path(sys.argv[2])
starts.write_text(starts.read_text() + "x" if starts.exists() else "x")
if starts.read_text() != "xx":
    listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
threading.Event().wait()
"""


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def test_a_program_that_comes_back_but_does_not_answer_is_started_once_more(tmp_path: Path, monkeypatch):
    monkeypatch.setattr(processes, "RESTART_SECONDS", 0.05)
    monkeypatch.setattr(processes, "STUCK_SECONDS", 1.5)
    port, starts = free_port(), tmp_path / "starts"
    program = Program("stubborn", [sys.executable, "-c", STUBBORN, str(port), str(starts)], port=port)
    running = Processes(tmp_path / "logs")
    await running.start(program)
    running.watch()

    os.kill(running.pids()["stubborn"], signal.SIGKILL)

    try:
        async with asyncio.timeout(30):
            while starts.read_text() != "xxx" or not processes.is_open(port):
                await asyncio.sleep(0.05)
    finally:
        await running.stop()
    assert starts.read_text() == "xxx"
