"""python -m bench.load [SCENARIO...] [--seconds N]: users of the API against a whole stack; lines in load.jsonl.

The stack works meanwhile on what they submit, at the pace of functions/quotas.yaml; the users run on the same machine.
"""

import argparse
import asyncio
import sys
from dataclasses import replace
from typing import Any

from bench.load.scenarios import MOST_ERRORS, PROMISED, SCENARIOS, USUAL, Scenario
from bench.load.seeding import customer
from bench.load.users import Tally, User, together
from bench.record import write
from bench.rig import Rig, rig


async def main(scenarios: list[Scenario]) -> bool:
    """Measure each on one stack; whether all promises held."""
    async with rig(gemini=["--lean"]) as running:
        customers = [customer(running, number) for number in range(max(one.users for one in scenarios))]
        running.sql("vacuum analyze")
        await warm_up(running, *customers[0])
        return all([await measured(running, one, customers) for one in scenarios])


async def warm_up(running: Rig, key: str, ended: list[str]) -> None:
    """Each kind of request once before the clock runs: the first of each loads what it needs."""
    user = User(running.stack.url("api"), key, ended, seed=-1)
    await together([user], Scenario("warm up", users=1, seconds=4, arriving=0))


async def measured(running: Rig, scenario: Scenario, customers: list[tuple[str, list[str]]]) -> bool:
    url = running.stack.url("api")
    chosen = customers[: scenario.users]
    users = [User(url, key, ended, seed) for seed, (key, ended) in enumerate(chosen, 1000 * scenario.users)]
    tally, seconds = await together(users, scenario)
    figures = figures_of(scenario, tally, seconds)
    promises = promises_of(scenario, figures)
    held = all(promises.values())
    line = {"name": scenario.name, "figures": figures, "promises": promises, "held": held, "scaled": None}
    write("load", {**line, "seconds": round(seconds + scenario.arriving)})
    return held


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


def promises_of(scenario: Scenario, figures: dict[str, Any]) -> dict[str, bool]:
    wanted = round(scenario.promised_per_second)
    return {
        f"{wanted} requests a second or more": figures["requests_per_second"] >= wanted,
        f"less than {MOST_ERRORS:.0%} errors": figures["error_rate"] < MOST_ERRORS,
        **{
            f"P95 {kind} below {most} ms": is_below(figures["ms"][kind]["p95"], most) for kind, most in PROMISED.items()
        },
    }


def is_below(measured: float | None, most: float) -> bool:
    return measured is not None and measured < most


def asked() -> list[Scenario]:
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__.splitlines()[0])
    parser.add_argument("scenario", nargs="*", choices=[*SCENARIOS, []], help="all, if none is named")
    parser.add_argument("--seconds", type=float, help="measure each for so long instead")
    given = parser.parse_args()
    chosen = [SCENARIOS[name] for name in given.scenario or SCENARIOS]
    return [replace(one, seconds=given.seconds) if given.seconds else one for one in chosen]


if __name__ == "__main__":
    sys.exit(0 if asyncio.run(main(asked())) else 1)
