"""cold_start: from a process's start to its first answered request, each bundle beside two hello worlds, in turns.

bare      functions-framework's async hello world
eager     the same, with all seven packages imported at the top
fanout    a dry run over a backlog       api   the list of batches       article   an item, from claim to row
"""

import asyncio
import base64
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import httpx

from bench.record import write
from bench.rig import Rig, rig
from local.processes import Program, end

ROUNDS = 10
HELLO = "async def handle(request):\n    return 'hello'\n"
SEVEN = "functions_framework, google.cloud.pubsub_v1, google.cloud.tasks_v2, supabase, google.genai, httpx, tenacity"
EAGER = f"import {SEVEN}\n"
Ask = Callable[[httpx.AsyncClient, str], Awaitable[httpx.Response]]


async def measure(running: Rig, folder: Path) -> dict[str, float]:
    """Milliseconds to the first answer, the median of ROUNDS."""
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name, (program, ask) in programs(running, folder).items():
            found.setdefault(name, []).append(await first_answer(program, ask))
    return {name: round(statistics.median(times) * 1000) for name, times in found.items()}


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


def programs(running: Rig, folder: Path) -> dict[str, tuple[Program, Ask]]:
    port = running.stack.first_port + 30
    (item,) = running.enlist([{"url": f"http://daily.test/economy/harbour-bridge?n={time.time_ns()}"}])
    order = base64.b64encode(json.dumps({"function": "article", "limit": 10, "dry_run": True}).encode()).decode()
    push = {"message": {"messageId": "1", "data": order}}
    key = {"Authorization": f"Bearer {running.stack.api_key()}"}
    article, fanout = running.headers("article"), running.headers("fanout", account="pubsub")

    def bundle(name: str) -> Program:
        return running.stack.function(name, port=port)

    def hello(name: str, code: str) -> Program:
        (folder / name).mkdir(exist_ok=True)
        (folder / name / "main.py").write_text(code)
        like = bundle("api")
        return Program(name, like.command, like.environment, folder / name, port)

    return {
        "bare": (hello("bare", HELLO), lambda client, url: client.get(url)),
        "eager": (hello("eager", EAGER + HELLO), lambda client, url: client.get(url)),
        "fanout": (bundle("fanout"), lambda client, url: client.post(url, headers=fanout, json=push)),
        "api": (bundle("api"), lambda client, url: client.get(f"{url}/v3/batches", headers=key)),
        "article": (bundle("article"), lambda client, url: client.post(url, headers=article, json={"item_id": item})),
    }


async def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="piecework-bench-"))
    try:
        async with rig(gemini=["--lean"]) as running:
            milliseconds = await measure(running, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    over_bare = {name: round(value / milliseconds["bare"], 2) for name, value in milliseconds.items()}
    write("cold_start", {"rounds": ROUNDS, "milliseconds": milliseconds, "over_bare": over_bare})


if __name__ == "__main__":
    asyncio.run(main())
