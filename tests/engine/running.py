"""Real servers for tests: applications in a thread, programs in processes of their own."""

import os
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import uvicorn

READY_SECONDS = 60.0
# Settings of ours that whoever runs the tests may have set for something else.
FOREIGN = ("SUPABASE_", "GEMINI_", "OTEL_", "TRACE_EXPORTER", "REDIS_URL")
STOP_SECONDS = 10.0


@contextmanager
def served(app: Any) -> Iterator[str]:
    """Serve an ASGI application on a free port; its URL."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=200)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(STOP_SECONDS)


@contextmanager
def program(
    command: Sequence[str], *, port: int, log: Path, folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[bytes]]:
    """Run a program until its port answers, and then until the end of the block; its process."""
    with log.open("ab") as output:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**clean(os.environ), **(environment or {})},
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_for_port(port, process, log)
        yield process
    finally:
        # The whole group, for servers have workers; and at once, for the engine may be killed at any line.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait(STOP_SECONDS)


def clean(environment: Mapping[str, str]) -> dict[str, str]:
    """Without whatever the person who runs the tests has set for the real thing."""
    return {name: value for name, value in environment.items() if not name.startswith(FOREIGN)}


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + READY_SECONDS
    while not is_open(port):
        assert process.poll() is None, f"ended at its start: {log.read_text()[-2000:]}"
        assert time.monotonic() < until, f"not ready: {log.read_text()[-2000:]}"
        time.sleep(0.02)  # nothing tells when a foreign program listens


def is_open(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex(("127.0.0.1", port)) == 0
