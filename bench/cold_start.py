"""cold_start: from a process's start to its first answered request, each bundle beside two hello worlds, in turns.

bare      functions-framework's async hello world
eager     the same, with all seven packages imported at the top
fanout    a dry run over a backlog       api   the list of batches
article   an item, from claim to row     poster   likewise

Each bundle runs in an environment of its own, with its locked packages and nothing else: where more is installed,
more is found and loaded. What the imports cost is read from one run more, with Python's own clock on them.
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
from dataclasses import replace
from pathlib import Path

import httpx

from bench.record import write
from bench.rig import Rig, rig
from local.processes import Program, end

ROUNDS = 8
# Whose packages each environment holds; the hello worlds share one with all of the seven.
LOCKS = {
    "fanout": ["fanout"],
    "api": ["api"],
    "article": ["article"],
    "poster": ["poster"],
    "hello": ["article", "fanout"],
}
UV = Path(sys.executable).parent / "uv"
# A line of -X importtime: its own microseconds, those with what it imports, its name.
IMPORTED = re.compile(r"import time:\s+(\d+) \|\s+\d+ \|\s+(\S+)")
# Imports below this are summed up as one.
TOLD_MS = 10
HELLO = "async def handle(request):\n    return 'hello'\n"
SEVEN = "functions_framework, google.cloud.pubsub_v1, google.cloud.tasks_v2, supabase, google.genai, httpx, tenacity"
EAGER = f"import {SEVEN}\n"
Ask = Callable[[httpx.AsyncClient, str], Awaitable[httpx.Response]]


async def measure(running: Rig, folder: Path, bins: dict[str, Path]) -> dict[str, float]:
    """Milliseconds to the first answer, the median of ROUNDS."""
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, (program, ask) in programs(running, folder, bins).items():
            found.setdefault(name, []).append(await first_answer(program, ask))
    return {name: round(statistics.median(times) * 1000) for name, times in found.items()}


def environments(running: Rig, folder: Path) -> dict[str, Path]:
    """A virtual environment for each bundle, with its locked packages alone; the folder of its programs."""
    made = {}
    for name, locks in LOCKS.items():
        made[name] = folder / "venv" / name / "bin"
        subprocess.run([UV, "--quiet", "venv", "--python", sys.executable, made[name].parent], check=True)
        files = [word for lock in locks for word in ("-r", running.stack.root / "locks" / f"{lock}.txt")]
        install = [UV, "--quiet", "pip", "install", "--python", made[name] / "python", "--require-hashes", *files]
        subprocess.run(install, check=True)
    return made


async def imports(running: Rig, folder: Path, bins: dict[str, Path]) -> dict[str, dict[str, int]]:
    """Milliseconds that each imported package took until the first answer, where it is not in the hello world too."""
    found: dict[str, Counter[str]] = {}
    for name, (program, ask) in programs(running, folder, bins).items():
        log = folder / f"{name}.imports"
        timed = replace(program, environment={**program.environment, "PYTHONPROFILEIMPORTTIME": "1"})
        await first_answer(timed, ask, log)
        found[name] = Counter()
        for own, module in IMPORTED.findall(log.read_text()):
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


async def first_answer(program: Program, ask: Ask, log: Path | None = None) -> float:
    url = f"http://127.0.0.1:{program.port}"
    async with httpx.AsyncClient(timeout=30) as client:
        started = time.perf_counter()
        process = await asyncio.create_subprocess_exec(
            *program.command,
            cwd=program.folder,
            env={**os.environ, **program.environment},
            stdout=subprocess.DEVNULL,
            stderr=log.open("wb") if log else subprocess.DEVNULL,
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


def programs(running: Rig, folder: Path, bins: dict[str, Path]) -> dict[str, tuple[Program, Ask]]:
    port = running.stack.first_port + 40
    (item,) = running.enlist([{"url": f"http://daily.test/economy/harbour-bridge?n={time.time_ns()}"}])
    shown = {"content_id": f"{time.time_ns()}", "title": "", "url": "http://posters.test/harbour.jpg"}
    # Else the second process is told what the first one asked.
    running.sql("update items set content_key = null")
    (picture,) = running.enlist([shown], function="poster", quota="gemini-vision")
    order = base64.b64encode(json.dumps({"function": "article", "limit": 10, "dry_run": True}).encode()).decode()
    push = {"message": {"messageId": "1", "data": order}}
    key = {"Authorization": f"Bearer {running.stack.api_key()}"}
    article, poster, fanout = (
        running.headers("article"), running.headers("poster"), running.headers("fanout", account="pubsub")
    )  # fmt: skip

    def bundle(name: str) -> Program:
        program = running.stack.function(name, port=port)
        return replace(program, command=[str(bins[name] / "functions-framework"), *program.command[1:]])

    def hello(name: str, code: str) -> Program:
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "main.py").write_text(code)
        like = bundle("article")
        command = [str(bins["hello"] / "functions-framework"), *like.command[1:]]
        return Program(name, command, like.environment, folder / name, port)

    return {
        "bare": (hello("bare", HELLO), lambda client, url: client.get(url)),
        "eager": (hello("eager", EAGER + HELLO), lambda client, url: client.get(url)),
        "fanout": (bundle("fanout"), lambda client, url: client.post(url, headers=fanout, json=push)),
        "api": (bundle("api"), lambda client, url: client.get(f"{url}/v3/batches", headers=key)),
        "article": (bundle("article"), lambda client, url: client.post(url, headers=article, json={"item_id": item})),
        "poster": (bundle("poster"), lambda client, url: client.post(url, headers=poster, json={"item_id": picture})),
    }


async def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="piecework-bench-"))
    try:
        async with rig(gemini=["--lean"]) as running:
            bins = environments(running, folder)
            milliseconds = await measure(running, folder, bins)
            costs = await imports(running, folder, bins)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    over_bare = {name: round(value / milliseconds["bare"], 2) for name, value in milliseconds.items()}
    write("cold_start", {"rounds": ROUNDS, "milliseconds": milliseconds, "over_bare": over_bare, "imports_ms": costs})


if __name__ == "__main__":
    asyncio.run(main())
