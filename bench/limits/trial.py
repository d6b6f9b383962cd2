"""trial: a rig with functions made for the purpose, several instances of each, and doors that misbehave on request."""

import asyncio
import base64
import contextlib
import json
import os
import random
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import yaml
from psycopg.rows import dict_row

from bench.limits.door import Door
from bench.limits.functions import QUOTA, project
from bench.rig import Rig, rig
from local.stack import Stack

STARTED_SECONDS = 30.0
NOT_ENDED = {"waiting", "running"}
Functions = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class DoorStack(Stack):
    """A stack whose parts are called at their doors, where they have one."""

    doors: Mapping[str, Door] = field(default_factory=dict)

    def url(self, part: str) -> str:
        return f"http://127.0.0.1:{self.doors[part].port}" if part in self.doors else super().url(part)


class Trial:
    """A rig with a few verbs more."""

    def __init__(self, running: Rig, doors: Mapping[str, Door]) -> None:
        self.rig = running
        self.doors = doors
        self.stack = running.stack

    async def sql(self, query: str, *values: Any) -> list[dict[str, Any]]:
        """Also while Postgres dies and comes back."""
        until = time.monotonic() + STARTED_SECONDS
        while True:
            try:
                if self.rig.database.closed:
                    self._reconnect()
                return self.rig.sql(query, *values)
            except psycopg.OperationalError:
                if time.monotonic() > until:
                    raise
                self.rig.database.close()
                await asyncio.sleep(0.1)

    def _reconnect(self) -> None:
        self.rig.database = psycopg.connect(
            f"host={self.stack.socket_folder()} user=postgres dbname=postgres", autocommit=True, row_factory=dict_row
        )

    async def order(self, order: Mapping[str, Any]) -> tuple[int, Any]:
        """A push to the fan-out, as Pub/Sub sends it, but once: nobody repeats it when it fails."""
        data = base64.b64encode(json.dumps(order).encode()).decode()
        answer = await self.rig.http.post(
            f"http://127.0.0.1:{self.stack.port('fanout')}/",
            headers=self.rig.headers("fanout", account="pubsub"),
            json={"message": {"messageId": str(uuid4()), "data": data}},
        )
        return answer.status_code, answer.json() if answer.is_success else answer.text

    async def fan_out(self, inputs: Sequence[dict[str, Any]], function: str) -> list[str]:
        """Enlist these and give each its task, by the fan-out; their ids."""
        ids = self.rig.enlist(inputs, function=function, quota=QUOTA)
        (row,) = await self.sql("select batch_id from items where id = %s", ids[0])
        status, report = await self.order({"batch_id": str(row["batch_id"])})
        if status != 200 or report["queued"] != len(ids):
            raise RuntimeError(f"the fan-out answered {status}: {report}")
        return ids

    async def sweep(self) -> dict[str, int]:
        """Raises RuntimeError when it fails."""
        status, report = await self.order({"sweep": True})
        if status != 200:
            raise RuntimeError(f"the sweep answered {status}: {report}")
        return dict(report)

    async def time_passes(self, minutes: int) -> None:
        """Move the database's clock on, by moving back all that it remembers."""
        await self.sql(
            """update items set created_at = created_at - d, queued_at = queued_at - d, not_before = not_before - d,
                 leased_until = leased_until - d
               from make_interval(mins => %s) d where state in ('waiting', 'running')""",
            minutes,
        )
        for table, columns in {
            "batches": ("created_at", "fanned_at"),
            "quotas": ("rests_until", "request_slot", "token_slot", "tail"),
            "breakers": ("rests_until", "window_ends", "probe_until"),
        }.items():
            moved = ", ".join(f"{column} = {column} - d" for column in columns)
            await self.sql(f"update {table} set {moved} from make_interval(mins => %s) d", minutes)

    async def states(self) -> dict[str, int]:
        rows = await self.sql("select state, count(*) as n from items group by state")
        return {row["state"]: row["n"] for row in rows}

    async def ended(self) -> int:
        return sum(n for state, n in (await self.states()).items() if state not in NOT_ENDED)

    async def until(self, true: Callable[[dict[str, int]], bool], seconds: float) -> bool:
        """Look until it is true of the items' states; False when it is not after so many seconds."""
        until = time.monotonic() + seconds
        while not true(await self.states()):
            if time.monotonic() > until:
                return False
            await asyncio.sleep(0.2)
        return True

    async def until_all_ended(self, seconds: float) -> bool:
        return await self.until(lambda states: not states.keys() & NOT_ENDED, seconds)

    async def calls(self) -> list[float]:
        """When each call reached the model, on its own clock, in order."""
        stats = await self.rig.gemini("GET", "stats?log=1")
        return sorted(entry[0] for entry in stats["log"] if entry[3] == "generateContent")

    async def model_answers(self) -> Counter[str]:
        """{"200": n, ...} of all calls."""
        stats = await self.rig.gemini("GET", "stats")
        return sum((Counter(counts) for counts in stats["answers"].values()), Counter())

    def kill(self, name: str) -> None:
        """kill -9 of a program, or of all instances of a function; what watches it brings it back."""
        functions = self.stack.manifests["functions"]
        for group in self.rig.instances(name) if name in functions else [self.rig.processes.pids()[name]]:
            kill_group(group)

    def kill_one(self, function: str, dice: random.Random) -> None:
        """kill -9 of one instance of the function, if there is one."""
        if groups := self.rig.instances(function):
            kill_group(dice.choice(groups))

    def kill_postgres(self) -> None:
        """kill -9 of the postmaster itself."""
        with contextlib.suppress(ProcessLookupError, FileNotFoundError, ValueError, IndexError):
            pid = (self.stack.data / "postgres" / "postmaster.pid").read_text().splitlines()[0]
            os.kill(int(pid), signal.SIGKILL)

    def log_of(self, name: str) -> list[dict[str, Any]]:
        """The JSON lines a program wrote."""
        lines = (self.stack.data / "logs" / f"{name}.log").read_text(errors="replace").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]


@contextlib.asynccontextmanager
async def trial(
    functions: Functions,
    *,
    quota: Mapping[str, Any],
    instances: int = 1,
    doors: Sequence[str] = (),
    gemini: Sequence[str] = ("--lean",),
    tasks: Sequence[str] = (),
    queue: Mapping[str, Any] | None = None,
) -> AsyncIterator[Trial]:
    """A stack with these functions on one quota, and so many instances of each that are kept warm.

    `queue`: in what the quota's queue differs from its quota.
    """
    folder = Path(tempfile.mkdtemp(prefix="piecework-trial-"))
    made = {name: Door() for name in doors}
    warm = {"min_instances": instances, "max_instances": instances}
    try:
        for door in made.values():
            await door.open()
        root = project(folder / "project", {name: {**warm, **manifest} for name, manifest in functions.items()})
        async with rig(
            root=root, quotas={QUOTA: dict(quota)}, gemini=gemini, tasks=tasks, made_by=behind(made, queue or {})
        ) as running:
            await warm_up(running)
            yield Trial(running, made)
    finally:
        for door in made.values():
            await door.close()
        shutil.rmtree(folder, ignore_errors=True)


def behind(doors: Mapping[str, Door], queue: Mapping[str, Any]) -> Callable[..., Stack]:
    """Makes the stack, and tells the doors where they lead."""

    def make(root: Path, data: Path, first_port: int, **more: Any) -> Stack:
        quotas = yaml.safe_load((root / "functions" / "quotas.yaml").read_text())
        quotas[QUOTA] |= queue
        file = root / "queues.yaml"
        file.write_text(yaml.safe_dump(quotas))
        stack = DoorStack(root, data, first_port, quotas=file, doors=doors, **more)
        for name, door in doors.items():
            door.targets = [stack.port(name)]
        return stack

    return make


def kill_group(group: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(group, signal.SIGKILL)


async def warm_up(running: Rig) -> None:
    """Let the model server load what it computes with, or its clock stands still at the first call."""
    body = {
        "contents": [{"parts": [{"text": "Good morning."}]}],
        "generationConfig": {
            "responseMimeType": "application/json",
            "responseSchema": {"type": "OBJECT", "properties": {"said": {"type": "STRING"}}},
        },
    }
    answer = await running.http.post(
        f"{running.stack.url('gemini')}/v1beta/models/gemini-3.5-flash-lite:generateContent",
        headers={"x-goog-api-key": "offline"},
        json=body,
    )
    answer.raise_for_status()
    await running.gemini("POST", "reset")
