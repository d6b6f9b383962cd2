"""bad_items: one row that its table refuses among 1,000; and a dead domain that 3 of 10 items belong to."""

import time
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.limits.findings import Findings
from bench.limits.trial import Trial, trial

POISONED = 1000
ALL, DEAD = 10_000, 3_000
DEAD_DOMAIN = "dead.test"
FAST = {"requests_per_minute": 30_000, "max_concurrent": 40}


async def poison_row() -> Findings:
    inputs = [{"url": f"http://site{n % 50}.test/{n}"} for n in range(POISONED)]
    inputs[POISONED // 2]["url"] = "poison"
    async with trial({"visit": {}}, quota=FAST) as running:
        await running.fan_out(inputs, "visit")
        ended = await running.until_all_ended(180)
        states = await running.states()
        dead = await running.sql(
            "select reason, error, attempts, input ->> 'url' as url from items where state = 'dead'"
        )
        (rows,) = await running.sql("select count(*) as n from trial_rows")
    return Findings(
        {"items": POISONED, "states": states, "result_rows": rows["n"], "dead": dead},
        {
            "every item ended": ended,
            "999 kept": rows["n"] == POISONED - 1,
            "one dead, with its reason": [(one["url"], one["reason"]) for one in dead] == [("poison", "row_refused")],
        },
    )


async def dead_domain() -> Findings:
    """The same 7,000 items, alone and among 3,000 of a dead domain."""
    alone = await worked_off(0)
    among = await worked_off(DEAD)
    slower = round(among["seconds"] / alone["seconds"], 3)
    return Findings(
        {"alone": alone, "among_dead": among, "takes_longer_by": slower},
        {
            "the others are done": among["done"] == alone["done"] == ALL - DEAD,
            # Each of the dead domain's items costs one dispatch, to be told to wait.
            "they are done at full speed: within 10 % per dispatch": slower <= 1.1 * ALL / (ALL - DEAD),
            "the dead domain's items wait and have lost almost no attempt": among["waiting"] == DEAD
            and among["attempts_spent"] <= 20 + FAST["max_concurrent"],
        },
    )


async def worked_off(dead: int) -> dict[str, Any]:
    """Seconds until all items but the dead domain's are done."""
    with TemporaryDirectory() as folder:
        sick = Path(folder) / "sick"
        sick.touch()
        inputs = [visit(n, dead, str(sick)) for n in range(ALL - DEAD + dead)]
        async with trial({"visit": {}}, quota=FAST) as running:
            return await timed(running, inputs)


def visit(number: int, dead: int, sick: str) -> dict[str, Any]:
    """Every third or so of the dead domain, mixed among the others."""
    if dead and number % 10 < 3:
        return {"url": f"http://{DEAD_DOMAIN}/{number}", "domain": DEAD_DOMAIN, "sick_while": sick}
    domain = f"site{number % 97}.test"
    return {"url": f"http://{domain}/{number}", "domain": domain}


async def timed(running: Trial, inputs: list[dict[str, Any]]) -> dict[str, Any]:
    started = time.monotonic()
    await running.fan_out(inputs, "visit")
    fanned = time.monotonic() - started
    await running.until(lambda states: states.get("done", 0) >= ALL - DEAD, 400)
    seconds = time.monotonic() - started
    states = await running.states()
    (spent,) = await running.sql("select coalesce(sum(attempts), 0) as n from items where domain = %s", DEAD_DOMAIN)
    return {
        "items": len(inputs),
        "done": states.get("done", 0),
        "waiting": states.get("waiting", 0),
        "fan_out_seconds": round(fanned, 1),
        "seconds": round(seconds, 1),
        "attempts_spent": int(spent["n"]),
    }
