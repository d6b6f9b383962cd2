"""python -m bench.load [SCENARIO...] [--seconds N] [--usual]: users of the API; lines in load.jsonl.

A whole stack works meanwhile on what they submit, at the pace of functions/quotas.yaml; the users run on its machine.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import psutil

from bench.load.scenarios import MOST_ERRORS, PROMISED, SCENARIOS, USUAL, Scenario
from bench.load.seeding import customer
from bench.load.users import Tally, User, together
from bench.record import write
from bench.rig import Rig, rig


async def main(scenarios: list[Scenario], most: Mapping[str, int]) -> bool:
    """Measure each on one stack; whether all promises held."""
    async with rig(gemini=["--lean"]) as running:
        customers = [customer(running, number) for number in range(max(one.users for one in scenarios))]
        running.sql("vacuum analyze")
        await warm_up(running, *customers[0])
        return all([await measured(running, one, customers, most) for one in scenarios])


async def warm_up(running: Rig, key: str, ended: list[str]) -> None:
    """Each kind of request once before the clock runs: the first of each loads what it needs."""
    await User(running.stack.url("api"), key, ended, seed=-1).ask_each()


async def measured(
    running: Rig, scenario: Scenario, customers: list[tuple[str, list[str]]], most: Mapping[str, int]
) -> bool:
    """Record it; whether it took no longer than `most`."""
    url = running.stack.url("api")
    chosen = customers[: scenario.users]
    users = [User(url, key, ended, seed) for seed, (key, ended) in enumerate(chosen, 1000 * scenario.users)]
    before = cpu_seconds(running)
    tally, seconds = await together(users, scenario)
    used = {name: cpu - before[name] for name, cpu in cpu_seconds(running).items()}
    figures = {**figures_of(scenario, tally, seconds), "cores_used": cores(used, seconds + scenario.arriving)}
    promises = promises_of(scenario, figures, most)
    held = all(promises.values())
    line = {"name": scenario.name, "figures": figures, "promises": promises, "held": held, "scaled": None}
    write("load", {**line, "seconds": round(seconds + scenario.arriving)})
    return held


def cpu_seconds(running: Rig) -> dict[str, float]:
    """Of each program with its children so far, and of the users."""
    found = {"users": time.process_time()}
    for name in (*running.processes.pids(), *running.stack.manifests["functions"]):
        found[name] = sum(map(cpu_of, running.family(name)))
    server = psutil.Process(postmaster(running))
    found["postgres"] = sum(map(cpu_of, (server, *server.children(recursive=True))))
    return found


def cpu_of(process: psutil.Process) -> float:
    try:
        return float(sum(process.cpu_times()[:4]))
    except psutil.NoSuchProcess:
        return 0.0


def postmaster(running: Rig) -> int:
    return int((running.stack.data / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def cores(used: Mapping[str, float], seconds: float) -> dict[str, float]:
    """Cores each was busy on, the busiest first; those that hardly were are left out."""
    told = {name: round(cpu / seconds, 2) for name, cpu in sorted(used.items(), key=lambda one: -one[1])}
    return {name: busy for name, busy in told.items() if busy >= 0.02}


def figures_of(scenario: Scenario, tally: Tally, seconds: float) -> dict[str, Any]:
    answered = sum(map(len, tally.seconds.values()))
    return {
        "users": scenario.users,
        "requests": answered,
        "requests_per_second": round(answered / seconds, 1),
        "error_rate": round(sum(tally.errors.values()) / max(1, answered), 4),
        "errors": dict(tally.errors),
        "ms": {kind: milliseconds(kind, tally.seconds[kind]) for kind in PROMISED},
    }


def milliseconds(kind: str, seconds: list[float]) -> dict[str, Any]:
    ordered = sorted(seconds)
    return {
        "requests": len(ordered),
        "p50": at(0.5, ordered),
        "p95": at(0.95, ordered),
        "p95_promised": PROMISED[kind],
        "p95_usual": USUAL[kind],
        "most": at(1.0, ordered),
    }


def at(share: float, ordered: list[float]) -> float | None:
    """The value that so many do not exceed, in milliseconds; None where nothing was asked."""
    if not ordered:
        return None
    return round(ordered[min(len(ordered) - 1, int(share * len(ordered)))] * 1000, 1)


def promises_of(scenario: Scenario, figures: dict[str, Any], most: Mapping[str, int]) -> dict[str, bool]:
    wanted = round(scenario.promised_per_second)
    return {
        f"{wanted} requests a second or more": figures["requests_per_second"] >= wanted,
        f"less than {MOST_ERRORS:.0%} errors": figures["error_rate"] < MOST_ERRORS,
        **{f"P95 {kind} below {ms} ms": is_below(figures["ms"][kind]["p95"], ms) for kind, ms in most.items()},
    }


def is_below(measured: float | None, most: float) -> bool:
    return measured is not None and measured < most


def asked() -> tuple[list[Scenario], Mapping[str, int]]:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__.splitlines()[0])
    parser.add_argument("scenario", nargs="*", choices=[*SCENARIOS, []], help="all, if none is named")
    parser.add_argument("--seconds", type=float, help="measure each for so long instead")
    parser.add_argument("--usual", action="store_true", help="hold it to what is usual for such APIs")
    given = parser.parse_args()
    chosen = [SCENARIOS[name] for name in given.scenario or SCENARIOS]
    short = [replace(one, seconds=given.seconds) if given.seconds else one for one in chosen]
    return short, USUAL if given.usual else PROMISED


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main(*asked())) else 1)
