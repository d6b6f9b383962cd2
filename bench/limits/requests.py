"""requests: a limit of calls, shared by two functions with two instances each."""

import asyncio
import math
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from bench.limits.busy import busy_processors
from bench.limits.findings import Findings
from bench.limits.trial import Trial, trial
from bench.limits.windows import count_in, most_in

TWO: dict[str, dict[str, Any]] = {"ask": {}, "twin": {}}
# How far a call may stray from its slot (docs/decisions/014): so late it may leave, and so long the way may take.
GRACE_SECONDS, WAY_SECONDS = 0.08, 0.11
SETTLED_SECONDS = 5.0


def questions(count: int, about: str) -> list[dict[str, Any]]:
    return [{"text": f"{about} number {number}"} for number in range(count)]


def burst(per_second: float) -> int:
    """What a second may hold: its calls, and those that strayed into it."""
    return math.ceil(round(per_second * (1 + GRACE_SECONDS + WAY_SECONDS), 6))


def used_between(times: Sequence[float], start: float, end: float, per_second: float) -> float:
    """The share of the limit that was used."""
    return round(count_in(times, start, end) / (per_second * (end - start)), 4)


async def by_instance(running: Trial) -> dict[str, int]:
    rows = await running.sql("select instance, count(*) as n from trial_rows group by instance order by instance")
    return {str(int(row["instance"]) - running.stack.first_port): row["n"] for row in rows}


async def ten_a_second() -> Findings:
    """400 items at 10 a second."""
    return await at_ten_a_second(nullcontext())


async def ten_a_second_loaded() -> Findings:
    """The same while other processes compute on every processor: the limit holds, whatever the load."""
    return await at_ten_a_second(busy_processors())


async def at_ten_a_second(beside: AbstractContextManager[None]) -> Findings:
    limit, items = 10.0, 400
    async with trial(TWO, quota={"requests_per_minute": limit * 60}, instances=2) as running:
        with beside:
            for name in TWO:
                await running.fan_out(questions(items // 2, name), name)
            ended = await running.until_all_ended(120)
        times, instances, states = await running.calls(), await by_instance(running), await running.states()
    figures: dict[str, Any] = {
        "limit_per_second": limit,
        "items": items,
        "states": states,
        "calls": len(times),
        "by_instance": instances,
        "most_in_1_s": most_in(times, 1),
        "allowed_in_1_s": burst(limit),
        "most_in_10_s": most_in(times, 10),
        "used_after_5_s": used_between(times, times[0] + SETTLED_SECONDS, times[-1], limit),
        "seconds_of_calls": round(times[-1] - times[0], 1),
    }
    return Findings(
        figures,
        {
            "every item ended": ended and states == {"done": items},
            "one call each": len(times) == items,
            "both instances of both functions worked": len(instances) == 4,
            "no second above the limit and its documented burst": figures["most_in_1_s"] <= burst(limit),
            "no 10 seconds above the limit": figures["most_in_10_s"] <= limit * 10,
            "97 % used after the first 5 s": figures["used_after_5_s"] >= 0.97,
        },
    )


async def slow_pages() -> Findings:
    """10 a second, of pages that take up to two seconds to come."""
    limit, items = 10.0, 300
    pages = [{"text": f"page number {number}", "seconds": (number * 7 % 20) / 10} for number in range(items)]
    functions = {"read": {"prepares": True}}
    async with trial(
        functions, quota={"requests_per_minute": limit * 60, "max_concurrent": 80}, instances=2
    ) as running:
        await running.fan_out(pages, "read")
        ended = await running.until_all_ended(120)
        times, states = await running.calls(), await running.states()
    figures: dict[str, Any] = {
        "limit_per_second": limit,
        "items": items,
        "states": states,
        "calls": len(times),
        "most_in_1_s": most_in(times, 1),
        "most_in_10_s": most_in(times, 10),
        "used_after_5_s": used_between(times, times[0] + SETTLED_SECONDS, times[-1], limit),
    }
    return Findings(
        figures,
        {
            "every item ended": ended and states == {"done": items},
            "one call each": len(times) == items,
            "no second above the limit and its documented burst": figures["most_in_1_s"] <= burst(limit),
            "no 10 seconds above the limit": figures["most_in_10_s"] <= limit * 10,
            "90 % used after the first 5 s": figures["used_after_5_s"] >= 0.9,
        },
    )


async def few_need_a_call() -> Findings:
    """60 calls a minute and 1,200 dispatches: nine pages in ten need no call, and wait for nobody else's."""
    limit, paid, free = 60, 40, 360
    pages = [{"text": f"page number {number}", "paywall": number % 10 > 0} for number in range(paid + free)]
    quota = {"requests_per_minute": limit, "dispatches_per_minute": 20 * limit}
    async with trial({"read": {"prepares": True}}, quota=quota, instances=2) as running:
        await running.fan_out(pages, "read")
        started = time.monotonic()
        all_free = await running.until(lambda states: states.get("skipped", 0) == free, 120)
        seconds = time.monotonic() - started
        ended = await running.until_all_ended(120)
        times, states = await running.calls(), await running.states()
    figures: dict[str, Any] = {
        "limit_per_minute": limit,
        "dispatches_per_minute": 20 * limit,
        "states": states,
        "calls": len(times),
        "seconds_until_the_free_ended": round(seconds, 1),
        "seconds_of_calls": round(times[-1] - times[0], 1),
        "used": used_between(times, times[0], times[-1], limit / 60),
        "most_in_60_s": most_in(times, 60),
    }
    return Findings(
        figures,
        {
            "every item ended": ended and all_free and states == {"done": paid, "skipped": free},
            "one call for each that needs one": len(times) == paid,
            "the free do not wait for the quota": seconds < free / (limit / 60) / 4,
            "never more than 60 in 60 s": figures["most_in_60_s"] <= limit,
            "97 % used": figures["used"] >= 0.97,
        },
    )


async def sixty_a_minute() -> Findings:
    """Three minutes at 60 a minute, with more items than that."""
    limit = 60
    async with trial(TWO, quota={"requests_per_minute": limit}, instances=2) as running:
        for name in TWO:
            await running.fan_out(questions(110, name), name)
        while not (times := await running.calls()):
            await asyncio.sleep(0.2)
        await asyncio.sleep(185)
        times, instances = await running.calls(), await by_instance(running)
    second, third = (used_between(times, times[0] + at, times[0] + at + 60, limit / 60) for at in (60, 120))
    figures: dict[str, Any] = {
        "limit_per_minute": limit,
        "calls": len(times),
        "by_instance": instances,
        "most_in_60_s": most_in(times, 60),
        "most_in_10_s": most_in(times, 10),
        "used_in_second_minute": second,
        "used_in_third_minute": third,
    }
    return Findings(
        figures,
        {
            "never more than 60 in 60 s": figures["most_in_60_s"] <= limit,
            "97 % used in the second minute": second >= 0.97,
            "97 % used in the third minute": third >= 0.97,
        },
    )
