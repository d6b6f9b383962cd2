"""slow_database: for a minute every answer of the database comes 20 s late."""

import asyncio
from typing import Any

from bench.limits.findings import Findings
from bench.limits.requests import questions
from bench.limits.trial import trial
from bench.limits.windows import most_in

ITEMS = 300
PER_MINUTE = 300
LATE_SECONDS, FOR_SECONDS = 20.0, 60.0


async def slow_database() -> Findings:
    async with trial(
        {"ask": {}}, quota={"requests_per_minute": PER_MINUTE}, instances=2, doors=["supabase"]
    ) as running:
        await running.fan_out(questions(ITEMS, "ask"), "ask")
        await running.until(lambda states: states.get("done", 0) >= 50, 60)
        running.doors["supabase"].late_seconds = LATE_SECONDS
        before = await running.ended()
        await asyncio.sleep(FOR_SECONDS)
        during = await running.ended() - before
        running.doors["supabase"].late_seconds = 0
        ended = await running.until_all_ended(300)
        calls, states = await running.calls(), await running.states()
        (rows,) = await running.sql("select count(*) as n from trial_rows")
        (most,) = await running.sql("select max(attempts) as n from items")
    figures: dict[str, Any] = {
        "items": ITEMS,
        "late_seconds": LATE_SECONDS,
        "for_seconds": FOR_SECONDS,
        "states": states,
        "result_rows": rows["n"],
        "model_calls": len(calls),
        "ended_while_slow": during,
        "most_attempts": most["n"],
        "most_in_60_s": most_in(calls, 60),
    }
    return Findings(
        figures,
        {
            "every item ended, done": ended and states == {"done": ITEMS},
            "one result row each": rows["n"] == ITEMS,
            "no call twice": len(calls) == ITEMS,
            "the limit was kept": figures["most_in_60_s"] <= PER_MINUTE,
        },
    )
