"""rig: a whole stack of its own for a bench or a drill, with its ports and its data apart from `make up`."""

import contextlib
import json
import shutil
import socket
import tempfile
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import httpx
import psutil
import psycopg
import yaml
from psycopg.rows import dict_row

from local.oidc import Issuer
from local.processes import Processes
from local.stack import ACCOUNT, Stack, start, wait_ready

ROOT = Path(__file__).parent.parent


class Rig:
    """A running stack, its database, and a way to call its functions as Cloud Tasks does."""

    def __init__(self, stack: Stack, processes: Processes) -> None:
        self.stack = stack
        self.processes = processes
        self.issuer = Issuer(stack.data / "oidc.pem", stack.url("oidc"))
        self.http = httpx.AsyncClient(timeout=120, limits=httpx.Limits(max_connections=200))
        self.database = psycopg.connect(
            f"host={stack.socket_folder()} user=postgres dbname=postgres", autocommit=True, row_factory=dict_row
        )

    def sql(self, query: str, *values: Any) -> list[dict[str, Any]]:
        cursor = self.database.execute(query, values or None)
        return cursor.fetchall() if cursor.description else []

    def batch(self, function: str) -> str:
        insert = "insert into batches (function, source, state) values (%s, 'items', 'open') returning id"
        return str(self.sql(insert, function)[0]["id"])

    def enlist(
        self, inputs: Sequence[dict[str, Any]], *, function: str = "article", quota: str = "gemini-text"
    ) -> list[str]:
        """Items of one new batch, as if the API had enlisted them; their ids in order."""
        batch = self.batch(function)
        for start_at in range(0, len(inputs), 500):
            rows = [
                json.dumps({"input": one, "input_key": uuid.uuid4().hex, "domain": one.get("domain")})
                for one in inputs[start_at : start_at + 500]
            ]
            self.sql("select * from enlist_v1(%s::jsonb[], %s, %s, %s)", rows, batch, function, quota)
        return [str(row["id"]) for row in self.sql("select id from items where batch_id = %s order by id", batch)]

    def headers(self, function: str, *, account: str = "tasks", audience: str | None = None) -> dict[str, str]:
        token = self.issuer.token(ACCOUNT.format(account), audience or self.stack.url(function))
        return {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    async def deliver(self, url: str, headers: dict[str, str], item_id: str) -> str:
        answer = await self.http.post(url, headers=headers, content=json.dumps({"item_id": item_id}))
        return answer.text

    async def counts(self) -> dict[str, int]:
        return {row["state"]: row["n"] for row in self.sql("select state, count(*) as n from items group by state")}

    async def gemini(self, method: str, path: str, body: Any = None) -> Any:
        answer = await self.http.request(method, f"{self.stack.url('gemini')}/control/{path}", json=body)
        return answer.json() if answer.content else None

    def instances(self, function: str) -> list[int]:
        """The process groups of its instances."""
        return [one["pid"] for one in self.stats()["services"][function]["instances"]]

    def stats(self) -> dict[str, Any]:
        """What the front door says of its services."""
        stats: dict[str, Any] = httpx.get(f"{self.stack.url('cloud_run')}/stats").json()
        return stats

    def family(self, name: str) -> list[psutil.Process]:
        """The processes of a program, or of all instances of a function."""
        functions = self.stack.manifests["functions"]
        parents = self.instances(name) if name in functions else [self.processes.pids()[name]]
        # The front door's children are the functions' instances.
        further = name != "cloud_run"
        return [
            one
            for parent in map(psutil.Process, parents)
            for one in (parent, *(parent.children(recursive=True) if further else ()))
        ]

    def resident_mib(self, name: str) -> int:
        """Memory of a program and its children, or of a function's instances."""
        return round(sum(one.memory_info().rss for one in self.family(name)) / 2**20)

    def close(self) -> None:
        self.database.close()


@contextlib.asynccontextmanager
async def rig(
    *,
    root: Path = ROOT,
    quotas: dict[str, Any] | None = None,
    gemini: Sequence[str] = (),
    tasks: Sequence[str] = (),
    made_by: Callable[..., Stack] = Stack,
) -> AsyncIterator[Rig]:
    """A stack in a temporary folder; `quotas` are written over those of functions/quotas.yaml, in the bundles too."""
    folder = Path(tempfile.mkdtemp(prefix="piecework-rig-"))
    project = copy_of(root, folder / "project", quotas)
    stack = made_by(project, folder / "data", free_ports(), gemini_options=tuple(gemini), tasks_options=tuple(tasks))
    processes = Processes(stack.data / "logs")
    made = None
    try:
        await start(stack, processes)
        await wait_ready(stack)
        made = Rig(stack, processes)
        yield made
    finally:
        if made:
            made.close()
            await made.http.aclose()
        await processes.stop()
        shutil.rmtree(folder, ignore_errors=True)


def copy_of(root: Path, target: Path, quotas: dict[str, Any] | None) -> Path:
    """What a stack needs of the project, so that a bench can change it."""
    for name in ("functions", "shared", "infra", "local", "locks", "standins", "samples", "supabase"):
        shutil.copytree(root / name, target / name, ignore=shutil.ignore_patterns("__pycache__"))
    (target / "node_modules").symlink_to(root / "node_modules")
    if quotas:
        file = target / "functions" / "quotas.yaml"
        file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), **quotas}))
    # No schedules: what comes at a full minute would be measured too.
    for manifest in (target / "functions").glob("*/function.yaml"):
        kept = [line for line in manifest.read_text().splitlines() if not line.startswith("schedule")]
        manifest.write_text("\n".join(kept) + "\n")
    return target


def free_ports(count: int = 40) -> int:
    """The first of `count` ports in a row that nothing listens on."""
    for first in range(9400, 30000, 50):
        with contextlib.ExitStack() as held:
            try:
                for port in range(first, first + count):
                    held.enter_context(contextlib.closing(socket.create_server(("127.0.0.1", port))))
            except OSError:
                continue
            return first
    raise RuntimeError("no free ports")
