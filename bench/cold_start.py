"""cold_start: from a process's start to its first answered request, each bundle beside two hello worlds, in turns.

bare      functions-framework's async hello world
eager     the same, with all seven packages imported at the top
fanout    a dry run over a backlog       api   the list of batches
article   an item, from claim to row     poster   likewise
webhook   an item that was overtaken     catalog  a run over the sample warehouse

Each bundle runs in an environment of its own, with its locked packages and nothing else: where more is installed,
more is found and loaded. Packages and bundles are compiled to bytecode first, as they are when they are deployed. What
the imports cost is asked of Python's own clock, in a process that does nothing else.
"""

import asyncio
import base64
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx

from bench.record import write
from bench.rig import Rig, rig
from local.processes import Program, end

ROUNDS = 12
# A slot is never waited for.
FAST = {"requests_per_minute": 6000}
# Whose packages each environment holds; the hello worlds share one with all of the seven.
LOCKS = {
    "fanout": ["fanout"],
    "api": ["api"],
    "article": ["article"],
    "poster": ["poster"],
    "webhook": ["webhook"],
    "catalog": ["catalog"],
    "hello": ["article", "fanout"],
}
UV = Path(sys.executable).parent / "uv"
# A line of -X importtime: its own microseconds, those with what it imports, its name.
IMPORTED = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")
# Imports below this are summed up as one.
TOLD_MS = 10
HELLO = "async def handle(request):\n    return 'hello'\n"
LOAD = "from functions_framework.aio import create_asgi_app\ncreate_asgi_app('handle', 'main.py', 'http')"
# What is loaded at the first request. Here in one thread: Python's clock mixes threads up.
LATER = {
    "api": ["functions.api.app"],
    "article": ["trafilatura", "google.genai"],
    "poster": ["functions.poster.analysis", "google.genai"],
}
SEVEN = "functions_framework, google.cloud.pubsub_v1, google.cloud.tasks_v2, supabase, google.genai, httpx, tenacity"
EAGER = f"import {SEVEN}\n"
Ask = Callable[[httpx.AsyncClient, str], Awaitable[httpx.Response]]


@dataclass(frozen=True)
class Place:
    """Where the programs run: against this stack, from copies in this folder, each with its own packages."""

    running: Rig
    folder: Path
    bins: dict[str, Path]

    def bundle(self, name: str) -> Program:
        program = self.running.stack.function(name, port=self.running.stack.first_port + 40)
        copy = self.folder / "bundle" / name
        if not copy.exists():
            shutil.copytree(program.folder, copy)
            # As the build does where infra/terraform asks for it.
            words = ["-m", "compileall", "-f", "-q", "--invalidation-mode", "checked-hash", "."]
            subprocess.run([sys.executable, *words], cwd=copy, check=True)
        return replace(program, folder=copy, command=self.command(name, program))

    def hello(self, name: str, code: str) -> Program:
        (self.folder / name).mkdir(exist_ok=True)
        (self.folder / name / "main.py").write_text(code)
        like = self.bundle("article")
        return Program(name, self.command("hello", like), like.environment, self.folder / name, like.port)

    def command(self, name: str, like: Program) -> list[str]:
        return [str(self.bins[name] / "functions-framework"), *like.command[1:]]

    def get(self, program: Program, path: str) -> tuple[Program, Ask]:
        headers = {"Authorization": f"Bearer {self.running.stack.api_key()}"}
        return program, lambda client, url: client.get(f"{url}{path}", headers=headers)

    def item(self, name: str, item_id: str) -> tuple[Program, Ask]:
        headers = self.running.headers(name)
        return self.bundle(name), lambda client, url: client.post(url, headers=headers, json={"item_id": item_id})

    def push(self, name: str, order: dict[str, Any]) -> tuple[Program, Ask]:
        headers = self.running.headers(name, account="pubsub")
        message = {"message": {"messageId": "1", "data": base64.b64encode(json.dumps(order).encode()).decode()}}
        return self.bundle(name), lambda client, url: client.post(url, headers=headers, json=message)


async def measure(place: Place) -> dict[str, float]:
    """Milliseconds to the first answer, the median of ROUNDS."""
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, (program, ask) in programs(place).items():
            found.setdefault(name, []).append(await first_answer(program, ask))
    return {name: round(statistics.median(times) * 1000) for name, times in found.items()}


def environments(running: Rig, folder: Path) -> dict[str, Path]:
    """A virtual environment for each bundle, with its locked packages alone; the folder of its programs."""
    made = {}
    for name, locks in LOCKS.items():
        made[name] = folder / "venv" / name / "bin"
        subprocess.run([UV, "--quiet", "venv", "--python", sys.executable, made[name].parent], check=True)
        files = [word for lock in locks for word in ("-r", running.stack.root / "locks" / f"{lock}.txt")]
        install = [UV, "--quiet", "pip", "install", "--compile-bytecode", "--python", made[name] / "python"]
        subprocess.run([*map(str, install), "--require-hashes", *map(str, files)], check=True)
    return made


def imports(place: Place) -> dict[str, dict[str, int]]:
    """Milliseconds that each imported package takes, where it is not in the hello world too."""
    found: dict[str, Counter[str]] = {}
    for name, (program, _) in programs(place).items():
        python = str(Path(program.command[0]).parent / "python")
        code = "\n".join([LOAD, *(f"import {module}" for module in LATER.get(name, ()))])
        command = [python, "-X", "importtime", "-c", code]
        done = subprocess.run(command, cwd=program.folder, capture_output=True, text=True, check=True)
        found[name] = Counter()
        for own, module in IMPORTED.findall(done.stderr):
            found[name][package(module)] += int(own)
    bare = found.pop("bare")
    return {
        name: table(Counter({one: us for one, us in spent.items() if one not in bare})) for name, spent in found.items()
    }


def package(module: str) -> str:
    parts = module.split(".")
    return ".".join(parts[:2]) if parts[0] in {"google", "functions"} else parts[0]


def table(spent: Counter[str]) -> dict[str, int]:
    told = {name: round(us / 1000) for name, us in spent.most_common() if us >= TOLD_MS * 1000}
    return {**told, "others": round((spent.total() - sum(spent[name] for name in told)) / 1000)}


async def first_answer(program: Program, ask: Ask) -> float:
    url = f"http://127.0.0.1:{program.port}"
    async with httpx.AsyncClient(timeout=30) as client:
        started = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *program.command,
            cwd=program.folder,
            env={**os.environ, **program.environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            while True:
                try:
                    answer = await ask(client, url)
                    break
                except httpx.ConnectError:
                    await asyncio.sleep(0.002)
            seconds = time.perf_counter() - started
            answer.raise_for_status()
            return seconds
        finally:
            await end(process)


def programs(place: Place) -> dict[str, tuple[Program, Ask]]:
    """Each program, and the request that is its first; everything it needs is made here, outside of its time."""
    rig = place.running
    # Else the second process is told what the first one asked.
    rig.sql("update items set content_key = null")
    (page,) = rig.enlist([{"url": f"http://daily.test/economy/harbour-bridge?n={time.time_ns()}"}])
    shown = {"content_id": f"{time.time_ns()}", "title": "", "url": "http://posters.test/harbour.jpg"}
    (picture,) = rig.enlist([shown], function="poster", quota="gemini-vision")
    gone = {"batch_id": str(uuid4()), "round": 1, "url": "http://daily.test/"}
    (told,) = rig.enlist([gone], function="webhook", quota="webhooks")
    return {
        "bare": place.get(place.hello("bare", HELLO), "/"),
        "eager": place.get(place.hello("eager", EAGER + HELLO), "/"),
        "fanout": place.push("fanout", {"function": "article", "limit": 10, "dry_run": True}),
        "api": place.get(place.bundle("api"), "/v3/batches"),
        "article": place.item("article", page),
        "poster": place.item("poster", picture),
        "webhook": place.item("webhook", told),
        "catalog": place.push("catalog", {"catalog": True, "fresh": True}),
    }


async def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="piecework-bench-"))
    try:
        async with rig(gemini=["--lean"], quotas=dict.fromkeys(("gemini-text", "gemini-vision"), FAST)) as running:
            place = Place(running, folder, environments(running, folder))
            milliseconds = await measure(place)
            costs = imports(place)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    over_bare = {name: round(value / milliseconds["bare"], 2) for name, value in milliseconds.items()}
    write("cold_start", {"rounds": ROUNDS, "milliseconds": milliseconds, "over_bare": over_bare, "imports_ms": costs})


if __name__ == "__main__":
    asyncio.run(main())
