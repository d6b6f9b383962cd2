"""A front door with real sockets, and instances that are real processes."""

import asyncio
import contextlib
import socket
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import uvicorn
import uvloop

from local.oidc import Issuer
from standins.cloud_run.front_door import FrontDoor
from standins.cloud_run.instance import Instance
from standins.cloud_run.pool import Pool
from standins.cloud_run.services import Service, Services

APP = Path(__file__).with_name("app.py")
INVOKER = "tasks@test-project.iam.gserviceaccount.com"
AUDIENCE = "https://service.run.app"


def pytest_asyncio_loop_factories() -> dict[str, Callable[[], asyncio.AbstractEventLoop]]:
    """The loop the command runs on."""
    return {"uvloop": uvloop.new_event_loop}


class Running:
    """A front door with one service, what it said, and a client of it."""

    def __init__(self, front_door: FrontDoor, folder: Path, lines: list[str]) -> None:
        self.front_door = front_door
        self.folder = folder
        self.lines = lines
        self.port = front_door.port("service")
        self.url = f"http://127.0.0.1:{self.port}"
        self.http = httpx.AsyncClient(base_url=self.url, timeout=30)

    @property
    def pool(self) -> Pool:
        return self.front_door.pools["service"]

    @property
    def instance(self) -> Instance:
        (instance,) = self.pool.instances
        return instance

    def let_go(self) -> None:
        (self.folder / "let-go").touch()

    async def in_flight(self, count: int) -> None:
        await until(lambda: sum(one.in_flight for one in self.pool.instances) == count)

    async def raw(self, *parts: bytes) -> bytes:
        """Send these on a connection of its own; all that comes until it is closed."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        for part in parts:
            writer.write(part)
        writer.write_eof() if not parts else None
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        return answer


Front = Callable[..., contextlib.AbstractAsyncContextManager[Running]]


@pytest.fixture
def front(tmp_path: Path) -> Front:
    """front(**service): a front door before tests/cloud_run/app.py."""

    @contextlib.asynccontextmanager
    async def front(*, issuer: str = "http://127.0.0.1:9", **more: Any) -> AsyncIterator[Running]:
        lines: list[str] = []
        command = (sys.executable, str(APP), str(tmp_path))
        service = Service(**{"name": "service", "port": 0, "command": command, "log": tmp_path / "log", **more})
        front_door = FrontDoor(Services((service,), issuer), log=lines.append)
        await front_door.start()
        running = Running(front_door, tmp_path, lines)
        try:
            yield running
        finally:
            await running.http.aclose()
            await front_door.stop(1)

    return front


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await asyncio.sleep(0.005)


def is_frozen(pid: int) -> bool:
    return psutil.Process(pid).status() == psutil.STATUS_STOPPED


@pytest.fixture
async def issuer(tmp_path: Path) -> AsyncIterator[Issuer]:
    listener = socket.create_server(("127.0.0.1", 0))
    issuer = Issuer(tmp_path / "key.pem", f"http://127.0.0.1:{listener.getsockname()[1]}")
    server = uvicorn.Server(uvicorn.Config(issuer.app(), log_level="warning", lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield issuer
    server.should_exit = True
    await serving
