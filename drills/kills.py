"""kills: 1,000 items while the function, the queue, the database's door and the database die ten times each.

Every death is a kill -9, at moments drawn by a seeded dice, spread over the items' progress. On top of it the queue
delivers 2 % of the tasks twice and forgets 1 % of the answers.
"""

import asyncio
import random
from collections.abc import Callable

from bench.limits.findings import Findings
from bench.limits.requests import questions
from bench.limits.trial import Trial, trial

ITEMS = 1000
KILLS_EACH = 10
PER_MINUTE = 600
SECONDS = 900
# Short times, so that what a dead process held is free again after a minute.
MANIFEST = {"work_seconds": 10, "timeout_seconds": 30, "max_attempts": 6}


async def kills() -> Findings:
    async with trial(
        {"ask": MANIFEST},
        quota={"requests_per_minute": PER_MINUTE, "max_concurrent": 20},
        instances=2,
        gemini=("--lean", "--latency", "0.3,0.2"),
        tasks=("--duplicate", "0.02", "--lose-answers", "0.01", "--seed", "11"),
    ) as running:
        await running.fan_out(questions(ITEMS, "ask"), "ask")
        running.rig.processes.watch()
        in_flight = await kill_at_random(running)
        ended = await running.until_all_ended(SECONDS)
        calls, states = await running.calls(), await running.states()
        (rows,) = await running.sql("select count(*) as n, count(distinct item_id) as items from trial_rows")
        (paid,) = await running.sql("select coalesce(sum(model_calls), 0) as n from attempts")
        waits = await running.sql("select max(attempts) as most, sum(attempts) as sum from items")
    extra = len(calls) - ITEMS
    figures = {
        "items": ITEMS,
        "kills": {name: KILLS_EACH for name in VICTIMS},
        "states": states,
        "result_rows": rows["n"],
        "model_calls": len(calls),
        "calls_twice": extra,
        "in_flight_at_the_functions_kills": in_flight,
        "calls_kept": int(paid["n"]),
        "attempts": {"most": waits[0]["most"], "sum": int(waits[0]["sum"])},
        "seconds_of_calls": round(calls[-1] - calls[0]),
    }
    return Findings(
        figures,
        {
            "every item ended, done": ended and states == {"done": ITEMS},
            "one result row each": rows["n"] == rows["items"] == ITEMS,
            "model calls <= items + calls in flight at the kills": extra <= in_flight,
        },
    )


async def kill_at_random(running: Trial) -> int:
    """All kills; the calls that were in flight when a function died."""
    dice = random.Random(5)
    moments = sorted((dice.uniform(0, 0.97) * ITEMS, name) for name in VICTIMS for _ in range(KILLS_EACH))
    in_flight = 0
    for progress, name in moments:
        while await running.ended() < progress:
            await asyncio.sleep(0.05)
        await asyncio.sleep(dice.uniform(0, 0.3))
        if name == "function":
            in_flight += await calls_in_flight(running)
        VICTIMS[name](running, dice)
    return in_flight


async def calls_in_flight(running: Trial) -> int:
    """What the model works on, and what it has answered but is not kept yet: the items that hold a lease and a past slot."""
    rows = await running.sql(
        "select count(*) as n from items where state = 'running' and leased_until - %s * interval '1 second' <= now()",
        MANIFEST["timeout_seconds"] + 30,
    )
    return int(rows[0]["n"])


def kill_function(running: Trial, dice: random.Random) -> None:
    running.kill(dice.choice(["ask", "ask-2"]))


VICTIMS: dict[str, Callable[[Trial, random.Random], None]] = {
    "function": kill_function,
    "queue": lambda running, _: running.kill("cloud_tasks"),
    "supabase": lambda running, _: running.kill("supabase"),
    "postgres": lambda running, _: running.kill_postgres(),
}
