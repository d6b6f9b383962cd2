"""The local stack: `python -m local up | run | down`.

up    start everything, print where it is, stay until Ctrl-C
run   start everything, run the sample jobs through the API, show their end, stop
down  stop a stack that runs, from wherever it was started
"""

import argparse
import asyncio
import contextlib
import functools
import json
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Coroutine
from pathlib import Path
from typing import Any

import psutil

from infra.manifests import BadManifest
from local.processes import NotStarted, Processes
from local.stack import Stack, start, wait_ready
from local.supabase_lite import NodeMissing
from standins.cloud_run.leftovers import Leftovers

ROOT = Path(__file__).parent.parent
DATA = Path(os.environ.get("PIECEWORK_DATA") or ROOT / ".local").resolve()
STATE = DATA / "stack.json"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m local", description=__doc__.splitlines()[0])
    parser.add_argument("command", choices=["up", "run", "down"])
    words = parser.parse_args()
    if words.command == "down":
        sys.exit(down())
    stack = Stack(ROOT, DATA, int(os.environ.get("PIECEWORK_PORT", "8600")))
    try:
        sys.exit(asyncio.run(until_stopped(up(stack) if words.command == "up" else run(stack))))
    except (NotStarted, NodeMissing, BadManifest) as error:
        sys.exit(f"piecework: {error}")


@contextlib.asynccontextmanager
async def running(stack: Stack) -> AsyncIterator[Processes]:
    """The stack, from its start to its stop, whatever ends it."""
    began = time.monotonic()
    print("Starting Piecework on this machine ...", flush=True)
    processes = Processes(stack.data / "logs")
    try:
        await start(stack, processes)
        await wait_ready(stack)
        STATE.write_text(json.dumps({"us": os.getpid(), "programs": processes.pids()}))
        processes.watch()
        print(f"Ready after {time.monotonic() - began:.0f} s.\n", flush=True)
        yield processes
    finally:
        await processes.stop()
        STATE.unlink(missing_ok=True)


async def up(stack: Stack) -> int:
    async with running(stack):
        print(where(stack), "\nCtrl-C, or `make down` elsewhere, stops it.", flush=True)
        await asyncio.Event().wait()
    return 0


async def run(stack: Stack) -> int:
    """Both sample jobs at once: articles with their progress, posters beside them."""
    async with running(stack):
        posters = asyncio.create_task(analyze_posters(stack))
        job = await command(stack, "run", "article", "samples/urls.txt", "--wait", "--details", "--fail-on", "none")
        code = await job.wait()
        print("\nThe posters ...", flush=True)
        problem, ended = await posters
        print(problem or told(ended), flush=True)
        print(f"\n{after(stack)}", flush=True)
    return code or bool(problem)


async def analyze_posters(stack: Stack) -> tuple[str, list[dict[str, Any]]]:
    """What went wrong, if anything; and how each poster ended."""
    words = ("analyze-posters", "--again", "--include-inactive", "--fail-on", "none", "--report", str(report_of(stack)))
    said = b""
    for job in (("import", "posters", "samples/posters.jsonl"), words):
        process = await command(stack, *job, output=PIPE)
        said, problem = await process.communicate()
        if process.returncode:
            return problem.decode().strip(), []
    return "", [json.loads(line) for line in said.splitlines()]


def told(ended: list[dict[str, Any]]) -> str:
    """A line for each poster: the best place for a badge, or why there is none."""
    lines = []
    for one in ended:
        pick = one.get("recommended", {}).get("badge")
        best = pick and f"a badge is {'safe in' if pick['safe'] else 'safe nowhere, best in'} {pick['slot']}"
        lines.append(f"  {one['content_id']:<16}{one['state']:<9}{best or one['reason'] or ''}")
    return "\n".join(lines)


def report_of(stack: Stack) -> Path:
    return stack.data / "posters.html"


async def command(stack: Stack, *words: str, output: int | None = None) -> asyncio.subprocess.Process:
    """The piecework command, as its user would call it."""
    return await asyncio.create_subprocess_exec(
        *stack.python("cli", *words),
        cwd=stack.root,
        env={**os.environ, "PIECEWORK_URL": stack.url("api"), "PIECEWORK_KEY": stack.api_key()},
        stdout=output,
        stderr=output,
    )


async def until_stopped(work: Coroutine[Any, Any, int]) -> int:
    """Carry on until it ends, or a signal stops it: then everything that was started is stopped too."""
    task = asyncio.ensure_future(work)
    # Only the first signal counts: a second Ctrl-C must not cut the stopping short.
    stop = functools.cache(task.cancel)
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
    try:
        return await task
    except asyncio.CancelledError:
        print("stopped", flush=True)
        return 0


def where(stack: Stack) -> str:
    asked = "the real Gemini" if os.environ.get("GEMINI_API_KEY") else "the offline model server"
    return f"""\
  API            {stack.url("api")}   (key in {stack.data.name}/key)
  Dashboard      {stack.url("api")}/
  Supabase REST  {stack.url("supabase")}/rest/v1/article_summaries
  Database       psql -h {stack.socket_folder()} -U postgres
  Sample site    {stack.url("site")}
  Model          {asked}
  Logs           {stack.data.name}/logs/

  Try            bin/piecework run article samples/urls.txt --wait
                 bin/piecework health
"""


def after(stack: Stack) -> str:
    return f"""\
The rows are in article_summaries and poster_analyses of the local database, which stays in {stack.data.name}/.
  {report_of(stack)}
                                           shows the posters with their overlays: open it in a browser
  make up                                  starts the stack again and keeps it running; dashboard {stack.url("api")}/
  bin/piecework run article my-urls.txt    then runs your own list of URLs (--wait shows progress)
  bin/piecework results BATCH --jsonl      prints what came out
  GEMINI_API_KEY=... make up               asks the real Gemini instead of the offline server"""


def down() -> int:
    """Ask the stack's own process to stop; end what is left of it when it is gone."""
    try:
        state = json.loads(STATE.read_text())
    except FileNotFoundError:
        print("nothing runs")
        return 0
    for pid in (state["us"], *state["programs"].values()):
        end(pid)
    STATE.unlink(missing_ok=True)
    # Where the front door was killed before it could end them.
    Leftovers(DATA / "services.instances").end()
    stop_postgres()
    print("stopped")
    return 0


def end(pid: int) -> None:
    """End a process of ours; a foreign one that has got its number since is left alone."""
    with contextlib.suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        if any(str(folder) in " ".join([*process.cmdline(), process.cwd()]) for folder in (ROOT, DATA)):
            process.terminate()
            process.wait(30)


def stop_postgres() -> None:
    """The server is its own daemon: it outlives a stack that was killed."""
    pid_file = DATA / "postgres" / "postmaster.pid"
    with contextlib.suppress(FileNotFoundError, ValueError, ProcessLookupError, IndexError):
        os.kill(int(pid_file.read_text().splitlines()[0]), signal.SIGINT)


if __name__ == "__main__":
    main()
