"""One instance of a service: a process group that has the CPU only while it starts, serves or ends."""

import asyncio
import contextlib
import os
import signal
import socket
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import Callable
from typing import Literal

from standins.cloud_run.backend import Backend
from standins.cloud_run.services import Service

# https://docs.cloud.google.com/run/docs/configuring/healthchecks: the default startup probe, TCP.
STARTUP_SECONDS = 240.0
PROBE_SECONDS = 0.02
# https://docs.cloud.google.com/run/docs/container-contract#instance-shutdown
GRACE_SECONDS = 10.0
# gunicorn closes a connection that was idle for 2 s. A request sent at that moment would be lost.
REUSE_SECONDS = 1.0

State = Literal["starting", "active", "frozen", "stopping", "ended"]


class NotStarted(Exception):
    """The process ended, or did not listen in time."""


class Instance:
    """Its process, its connections and how many requests it has."""

    def __init__(self, service: Service, number: int, process: Process, port: int) -> None:
        self.service = service
        self.number = number
        self.process = process
        self.port = port
        self.state: State = "starting"
        self.in_flight = 0
        self.started_up = False
        # Takes no further request.
        self.retired = False
        # A connection to it broke: it takes none before it is known to live.
        self.doubted = False
        self._clock = asyncio.get_running_loop().time
        self._idle: list[tuple[float, Backend]] = []

    @property
    def name(self) -> str:
        return f"{self.service.name}-{self.number}"

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def has_room(self) -> bool:
        able = self.state in {"active", "frozen"} and not self.retired and not self.doubted
        return able and self.in_flight < self.service.concurrency

    async def listening(self) -> None:
        """Return once its port answers. Raises NotStarted."""
        loop = asyncio.get_running_loop()
        until = loop.time() + STARTUP_SECONDS
        while loop.time() < until:
            if self.process.returncode is not None:
                raise NotStarted(f"{self.name} ended at its start ({self.process.returncode})")
            with contextlib.suppress(OSError):
                transport, _ = await loop.create_connection(asyncio.Protocol, "127.0.0.1", self.port)
                transport.abort()
                return
            await asyncio.sleep(PROBE_SECONDS)
        raise NotStarted(f"{self.name} did not listen on port {self.port} within {STARTUP_SECONDS:.0f} s")

    def enter(self) -> None:
        """A request begins: the CPU is on."""
        self.in_flight += 1
        if self.state == "frozen":
            self.state = "active"
            self.signal(signal.SIGCONT)

    def leave(self) -> None:
        """A request has ended."""
        self.in_flight -= 1

    def freeze_if_idle(self) -> None:
        """Without a request there is no CPU."""
        if self.state == "active" and self.in_flight == 0:
            self.state = "frozen"
            self.signal(signal.SIGSTOP)

    def died_frozen(self) -> bool:
        """Whether it was killed while it had no CPU. Its end may not have been reported yet."""
        if self.state != "frozen":
            return False
        try:
            return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
        except ChildProcessError:
            return True

    async def connect(self) -> Backend:
        """A connection without a request. Raises OSError."""
        while self._idle:
            since, backend = self._idle.pop()
            if backend.usable and self._clock() - since < REUSE_SECONDS:
                return backend
            backend.close()
        _, backend = await asyncio.get_running_loop().create_connection(Backend, "127.0.0.1", self.port)
        return backend

    def keep(self, backend: Backend) -> None:
        """Use this connection again, if its last answer left it in order."""
        if not backend.usable:
            backend.close()
            return
        self._idle.append((self._clock(), backend))
        while self._clock() - self._idle[0][0] >= REUSE_SECONDS:
            self._idle.pop(0)[1].close()

    async def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """SIGTERM, with the CPU on; after the grace SIGKILL to all of it."""
        self.state = "stopping"
        for _, backend in self._idle:
            backend.close()
        self._idle.clear()
        self.signal(signal.SIGCONT)
        with contextlib.suppress(ProcessLookupError):
            self.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.process.wait(), grace_seconds)
        self.kill()
        await self.process.wait()

    def abandon(self) -> None:
        """It does not answer any more: no request for it, and its end."""
        self.retired = True
        self.kill()

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def signal(self, number: signal.Signals) -> None:
        """To every process of the instance."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, number)


async def spawn(service: Service, number: int, log: Callable[[str], None]) -> Instance:
    """Start the command in a process group of its own, on a free port. Raises NotStarted."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = int(probe.getsockname()[1])
    environment = {
        **os.environ,
        # https://docs.cloud.google.com/run/docs/container-contract#env-vars
        "K_SERVICE": service.name,
        "K_REVISION": f"{service.name}-00001",
        "K_CONFIGURATION": service.name,
        "CLOUD_RUN_TIMEOUT_SECONDS": f"{service.timeout_seconds:.0f}",
        **service.environment,
        "PORT": str(port),
    }
    with contextlib.ExitStack() as open_files:
        output = open_files.enter_context(service.log.open("ab")) if service.log else sys.stdout
        try:
            process = await asyncio.create_subprocess_exec(
                *service.command,
                cwd=service.folder,
                env=environment,
                stdin=DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        except OSError as error:
            raise NotStarted(f"{service.name}: {service.command[0]} cannot be started: {error}") from error
    instance = Instance(service, number, process, port)
    log(f"{instance.name}: instance started (pid {instance.pid}, port {port})")
    return instance
