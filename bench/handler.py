"""handler: what claim and keep cost a function, at 40 deliveries in flight, with the model answered at the wire.

    grouped   the engine as it is
    single    the same with groups of one: a claim and a keep per item
    bare      functions-framework's async hello world

in one run, on the same machine, in turns.
"""

import asyncio
import json
import shutil
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from bench.load.posts import Load, post_all
from bench.record import write
from bench.rig import ROOT, Rig, copy_of, rig
from infra.bundle import build
from local.processes import Program

AT_ONCE = 40
ITEMS = {"grouped": 3000, "single": 600, "bare": 8000}
ROUNDS = 3
MAIN = """\
from pydantic import BaseModel

from shared.handler import item_handler
from shared.services import Services


class Question(BaseModel):
    text: str


class Said(BaseModel):
    said: str


@item_handler(Question, version="1")
async def handle(item: Question, services: Services) -> Said:
    {work}
"""
WORKS = {
    "ask": 'return (await services.gemini.ask("Say it again.", item.text, into=Said)).value',
    "echo": "return Said(said=item.text)",
}
HELLO = "async def handle(request):\n    return 'hello'\n"


def project(folder: Path) -> Path:
    """A copy of the project with two functions more: `ask` asks the model, `echo` does not."""
    copy = copy_of(ROOT, folder, {"gemini-text": {"requests_per_minute": 30000, "max_concurrent": 400}})
    for name, work in WORKS.items():
        target = copy / "functions" / name
        target.mkdir()
        (target / "__init__.py").touch()
        (target / "main.py").write_text(MAIN.format(work=work))
        (target / "function.yaml").write_text(
            "quota: gemini-text\ntable: bench_rows\nurl_field: null\nmodel: gemini-3.5-flash-lite\n"
        )
        shutil.copy(copy / "locks" / "fanout.txt", copy / "locks" / f"{name}.txt")
    return copy


async def measure(running: Rig) -> dict[str, Any]:
    running.sql("update quotas set requests_per_minute = 6e7")
    running.sql("create table bench_rows (item_id uuid primary key, said text, created_at timestamptz default now())")
    running.sql("grant all on bench_rows to service_role")
    found: dict[str, list[float]] = {}
    for _ in range(ROUNDS):
        for name in WORKS:
            for way in ("grouped", "single"):
                found.setdefault(f"{name}_{way}", []).append(await deliver(running, name, way))
        found.setdefault("bare", []).append((await bare(running)).per_second)
    median = {key: round(statistics.median(values), 1) for key, values in found.items()}
    return {
        "at_once": AT_ONCE,
        "per_second": median,
        "grouped_over_single": {name: ratio(median, f"{name}_grouped", f"{name}_single") for name in WORKS},
        "article": await article(running),
        "grouped_over_bare": {name: ratio(median, f"{name}_grouped", "bare") for name in WORKS},
    }


def ratio(median: dict[str, float], above: str, below: str) -> float:
    return round(median[above] / median[below], 3)


async def deliver(running: Rig, name: str, way: str) -> float:
    """Fresh items to a function, done a second; `single` is a second copy of its bundle with groups of one."""
    ids = running.enlist([{"text": f"words {n}"} for n in range(ITEMS[way])], function=name)
    single_port = running.stack.first_port + SINGLE_PORTS[name]
    url = running.stack.url(name) if way == "grouped" else f"http://127.0.0.1:{single_port}"
    bodies = [json.dumps({"item_id": one}).encode() for one in ids]
    load = await post_all(url, running.headers(name), bodies, at_once=AT_ONCE)
    return done(running, ids, load) / load.seconds


def done(running: Rig, ids: list[str], load: Load) -> int:
    """How many of these have their row. One that missed its slots is sent back, and done later: that is not counted."""
    if load.answers["done"] + load.answers["deferred"] != len(ids):
        left = running.sql("select state, reason, error, count(*) n from items where state <> 'done' group by 1, 2, 3")
        sys.exit(f"{load.answers}, {left}")
    (row,) = running.sql("select count(*) as n from items where id = any (%s::uuid[]) and state = 'done'", ids)
    return int(row["n"])


SINGLE_PORTS = {"ask": 30, "echo": 31, "bare": 32}


async def article(running: Rig) -> dict[str, float]:
    """Real articles, read and asked about, at 40 in flight: how many a second on one core, in how much memory."""
    ids = running.enlist([{"url": f"http://daily.test/economy/harbour-bridge?n={n}"} for n in range(600)])
    bodies = [json.dumps({"item_id": one}).encode() for one in ids]
    load = await post_all(running.stack.url("article"), running.headers("article"), bodies, at_once=AT_ONCE)
    many = done(running, ids, load)
    return {
        "per_second": round(many / load.seconds, 1),
        "done": many,
        "sent_back": len(ids) - many,
        "resident_mib": running.resident_mib("article"),
    }


async def bare(running: Rig) -> Load:
    url = f"http://127.0.0.1:{SINGLE_PORTS['bare'] + running.stack.first_port}"
    return await post_all(url, {"Content-Type": "application/json"}, [b"{}"] * ITEMS["bare"], at_once=AT_ONCE)


def single(running: Rig, folder: Path) -> list[Program]:
    """The bundles again, with groups of one, and the hello world."""
    programs = []
    for name in WORKS:
        target = folder / f"single-{name}"
        shutil.copytree(running.stack.root / "build" / name, target)
        file = target / "shared" / "batching.py"
        changed = file.read_text().replace("most: int = 100, parallel: int = 1", "most: int = 1, parallel: int = 100")
        if changed == file.read_text():
            sys.exit("batching.py has another default than this bench knows")
        file.write_text(changed)
        port = running.stack.first_port + SINGLE_PORTS[name]
        program = running.stack.function(name, port=port)
        programs.append(Program(f"single-{name}", program.command, program.environment, target, port))
    hello = folder / "hello"
    hello.mkdir()
    (hello / "main.py").write_text(HELLO)
    port = running.stack.first_port + SINGLE_PORTS["bare"]
    program = running.stack.function("echo", port=port)
    return [*programs, Program("bare", program.command, program.environment, hello, port)]


async def main() -> None:
    folder = Path(tempfile.mkdtemp(prefix="piecework-bench-"))
    try:
        root = project(folder / "project")
        build(root, root / "build")
        async with rig(root=root, gemini=["--lean"]) as running:
            await running.processes.start(*single(running, folder))
            write("handler", await measure(running))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    asyncio.run(main())
