"""kills: 1,000 items while the function, the queue, Supabase and Postgres die ten times each.

Every death is a kill -9, at moments drawn by a seeded dice, spread over the items' progress. On top of it the queue
delivers 2 % of the tasks twice and forgets 1 % of the answers.
"""

import asyncio
import random
from collections.abc import Callable
from typing import Any

from bench.limits.findings import Findings
from bench.limits.requests import questions
from bench.limits.trial import Trial, trial

ITEMS = 1000
KILLS_EACH = 10
PER_MINUTE = 600
SECONDS = 900
# Short times, so that what a dead process held is free again after a minute.
Victims = dict[str, Callable[[Trial, random.Random], None]]
MANIFEST = {"work_seconds": 15, "timeout_seconds": 30, "max_attempts": 6}


async def kills() -> Findings:
    """All four. A call that is in flight when its function dies is lost, and made again."""
    figures, held = await survive(VICTIMS, ITEMS)
    held["model calls <= items + calls in flight at the kills"] = (
        figures["calls_twice"] <= figures["leased_at_the_functions_kills"]
    )
    return Findings(figures, held)


async def server_kills() -> Findings:
    """All but the function: it waits for them, and makes no call twice."""
    others = {name: kill for name, kill in VICTIMS.items() if name != "function"}
    figures, held = await survive(others, ITEMS // 2)
    held["no call twice"] = figures["calls_twice"] == 0
    return Findings(figures, held)


async def survive(victims: Victims, items: int) -> tuple[dict[str, Any], dict[str, bool]]:
    """Figures, and the promises that hold whoever dies."""
    async with trial(
        {"ask": MANIFEST},
        quota={"requests_per_minute": PER_MINUTE, "max_concurrent": 20},
        instances=2,
        gemini=("--lean", "--latency", "0.3,0.2"),
        tasks=("--duplicate", "0.02", "--lose-answers", "0.01", "--seed", "11"),
    ) as running:
        await running.fan_out(questions(items, "ask"), "ask")
        running.rig.processes.watch()
        leased = await kill_at_random(running, victims, items)
        ended = await running.until_all_ended(SECONDS)
        calls, states = await running.calls(), await running.states()
        (rows,) = await running.sql("select count(*) as n, count(distinct item_id) as items from trial_rows")
        (paid,) = await running.sql("select coalesce(sum(model_calls), 0) as n from attempts")
        waits = await running.sql("select max(attempts) as most, sum(attempts) as sum from items")
    figures: dict[str, Any] = {
        "items": items,
        "kills": dict.fromkeys(victims, KILLS_EACH),
        "states": states,
        "result_rows": rows["n"],
        "model_calls": len(calls),
        "calls_twice": len(calls) - items,
        "leased_at_the_functions_kills": leased,
        "calls_kept": int(paid["n"]),
        "attempts": {"most": waits[0]["most"], "sum": int(waits[0]["sum"])},
        "seconds_of_calls": round(calls[-1] - calls[0]),
    }
    return figures, {
        "every item ended, done": ended and states == {"done": items},
        "one result row each": rows["n"] == rows["items"] == items,
        "one call each was kept": figures["calls_kept"] == items,
    }


async def kill_at_random(running: Trial, victims: Victims, items: int) -> int:
    """All kills; how many items were under a lease when a function died."""
    dice = random.Random(5)
    moments = sorted((dice.uniform(0, 0.97) * items, name) for name in victims for _ in range(KILLS_EACH))
    leased = 0
    for progress, name in moments:
        while await running.ended() < progress:
            await asyncio.sleep(0.05)
        await asyncio.sleep(dice.uniform(0, 0.3))
        if name == "function":
            leased += await leased_now(running)
        victims[name](running, dice)
    return leased


async def leased_now(running: Trial) -> int:
    """The items whose call may be out, or answered and not kept yet: their lease runs, and their slot has come."""
    rows = await running.sql(
        "select count(*) as n from items where state = 'running' and leased_until > now() "
        "and leased_until - %s * interval '1 second' <= now()",
        MANIFEST["timeout_seconds"] + 30,
    )
    return int(rows[0]["n"])


def kill_function(running: Trial, dice: random.Random) -> None:
    running.kill_one("ask", dice)


VICTIMS: Victims = {
    "function": kill_function,
    "queue": lambda running, _: running.kill("cloud_tasks"),
    "supabase": lambda running, _: running.kill("supabase"),
    "postgres": lambda running, _: running.kill_postgres(),
}
