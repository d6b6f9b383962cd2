"""refusals: what happens to the limit when the model says 429 or 500."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

from bench.limits.findings import Findings
from bench.limits.functions import QUOTA
from bench.limits.requests import TWO, burst, questions, used_between
from bench.limits.trial import Trial, trial
from bench.limits.windows import most_in

LIMIT = 10.0
REST_SECONDS = 20.0
PACIFIC = ZoneInfo("America/Los_Angeles")


async def started(running: Trial, items: int, calls: int) -> None:
    """Both functions are at work, and the model has been asked so many times."""
    for name in TWO:
        await running.fan_out(questions(items // 2, name), name)
    while len(await running.calls()) < calls:
        await asyncio.sleep(0.05)


def longest_rest(times: Sequence[float]) -> tuple[float, float]:
    """The longest time without a call: from, to."""
    return max(pairwise(times), key=lambda pair: pair[1] - pair[0])


async def minute_quota() -> Findings:
    """One 429 that says "come back in 20 s", in the middle of 300 items at 10 a second."""
    items = 300
    async with trial(TWO, quota={"requests_per_minute": LIMIT * 60}, instances=2) as running:
        await started(running, items, 60)
        await running.rig.gemini("POST", "faults", {"fault": "429_minute", "count": 1, "retry_after": "20s"})
        while "429" not in await running.model_answers():
            await asyncio.sleep(0.02)
        refused_at = (await running.calls())[-1]
        ended = await running.until_all_ended(120)
        times, states = await running.calls(), await running.states()
    since, until = longest_rest(times)
    stragglers = sum(1 for at in times if refused_at < at <= since)
    figures: dict[str, Any] = {
        "items": items,
        "states": states,
        "calls": len(times),
        "rested_seconds": round(until - since, 2),
        "calls_while_it_rests": sum(1 for at in times if refused_at < at < refused_at + REST_SECONDS),
        "stragglers_seconds": round(since - refused_at, 2) if stragglers else 0,
        "began_again_after_seconds": round(until - refused_at, 2),
        "most_in_1_s": most_in(times, 1),
        "most_in_10_s": most_in(times, 10),
        "used_after_the_rest": used_between(times, until, times[-1], LIMIT),
    }
    return Findings(
        figures,
        {
            "every item ended": ended and states == {"done": items},
            "calls = items + the refused one": len(times) == items + 1,
            "left alone for 20 s": until - refused_at >= REST_SECONDS,
            # A call that was on its way when the answer came cannot be taken back.
            "no call in the rest but those on their way": figures["stragglers_seconds"] <= 0.5,
            "97 % used afterwards": figures["used_after_the_rest"] >= 0.97,
            "no 10 seconds above the limit": figures["most_in_10_s"] <= LIMIT * 10,
            "no second above the limit and its documented burst": figures["most_in_1_s"] <= burst(LIMIT),
        },
    )


async def daily_quota() -> Findings:
    """A 429 of the daily quota, which carries a short retryDelay as well."""
    async with trial(TWO, quota={"requests_per_minute": LIMIT * 60}, instances=2) as running:
        await started(running, 200, 30)
        await running.rig.gemini("POST", "faults", {"fault": "429_day", "count": 1, "retry_after": "20s"})
        while "429" not in await running.model_answers():
            await asyncio.sleep(0.02)
        refused_at = (await running.calls())[-1]
        await asyncio.sleep(25)
        times = await running.calls()
        (rest,) = await running.sql("select rests_until, rest_reason from quotas where name = %s", QUOTA)
        attempts = await running.sql("select max(attempts) as most from items where state = 'waiting'")
    late = sum(1 for at in times if at > refused_at + 0.5)
    off = abs((rest["rests_until"] - next_midnight(datetime.now(UTC))).total_seconds())
    figures: dict[str, Any] = {
        "rests_until": rest["rests_until"].astimezone(PACIFIC).isoformat(),
        "reason": rest["rest_reason"],
        "seconds_off_the_reset": round(off, 1),
        "calls_in_25_s_after": late,
        "attempts_of_those_that_wait": attempts[0]["most"],
    }
    return Findings(
        figures,
        {
            "rests until midnight Pacific": off < 5 and rest["rest_reason"] == "daily_quota",
            "no call comes after it": late == 0,
            "waiting costs no attempt": attempts[0]["most"] == 0,
        },
        scaled="the reset itself is not waited for; 25 s are watched",
    )


def next_midnight(now: datetime) -> datetime:
    here = now.astimezone(PACIFIC) + timedelta(days=1)
    return here.replace(hour=0, minute=0, second=0, microsecond=0)


async def random_errors() -> Findings:
    """Every fifth call fails with 500."""
    items = 300
    functions = {name: {"max_attempts": 9} for name in TWO}
    async with trial(functions, quota={"requests_per_minute": LIMIT * 60}, instances=2) as running:
        await running.rig.gemini("POST", "faults", {"fault": "500", "probability": 0.2, "seed": 7})
        await started(running, items, 1)
        ended = await running.until_all_ended(180)
        times, states, answers = await running.calls(), await running.states(), await running.model_answers()
        breakers = await running.sql("select name, state, failures from breakers")
    failed = answers.get("500", 0)
    figures: dict[str, Any] = {
        "items": items,
        "states": states,
        "calls": len(times),
        "failed_calls": failed,
        "breakers": breakers,
        "most_in_1_s": most_in(times, 1),
        "most_in_10_s": most_in(times, 10),
        "seconds_of_calls": round(times[-1] - times[0], 1),
    }
    return Findings(
        figures,
        {
            "every item ended": ended and states == {"done": items},
            "calls = items + failed calls": len(times) == items + failed and failed > 0,
            "no 10 seconds above the limit": figures["most_in_10_s"] <= LIMIT * 10,
            "no second above the limit and its documented burst": figures["most_in_1_s"] <= burst(LIMIT),
        },
    )
