"""A whole local stack of the tests' own, started as a person starts it."""

import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from cli.keys import Keys

ROOT = Path(__file__).parents[2]
PARTS = 40
API = 10


def free_ports(count: int) -> int:
    """The first of `count` ports in a row that nothing listens on."""
    for first in range(12000, 19000, count):
        if all(is_free(port) for port in range(first, first + count)):
            return first
    raise AssertionError("no free ports")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@dataclass
class Stack:
    data: Path
    first_port: int = field(default_factory=lambda: free_ports(PARTS))

    def __post_init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local", "up"],
            cwd=ROOT,
            env={
                **os.environ,
                "PIECEWORK_PORT": str(self.first_port),
                "PIECEWORK_DATA": str(self.data),
                "GEMINI_API_KEY": "",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        lines = []
        for line in self.process.stdout or []:
            lines.append(line)
            if "Ctrl-C" in line:
                return
        raise AssertionError(f"the stack did not start: {''.join(lines)}")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.first_port + API}"

    @property
    def operator_key(self) -> str:
        return (self.data / "key").read_text().strip()

    def ordinary_key(self, name: str) -> str:
        secret = next(
            line.partition("=")[2].strip().strip('"')
            for line in (self.data / "supabase" / ".env").read_text().splitlines()
            if line.startswith("SUPABASE_SECRET_KEY=")
        )
        return Keys(f"http://127.0.0.1:{self.first_port}", secret).make(name)

    def stop(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGINT)
            self.process.wait(60)
