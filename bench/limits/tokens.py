"""tokens: a limit of tokens a minute, of calls that reserve 1,000 and use 700 to 1,400."""

import asyncio
import random
from typing import Any

from bench.limits.findings import Findings
from bench.limits.trial import trial
from bench.limits.windows import most_spent, spent_in

BUDGET = 30_000
RESERVED = 1_000
USED = (700, 1_400)
CHARACTERS_PER_TOKEN = 4
SECONDS = 185


async def tokens_a_minute() -> Findings:
    """Three minutes, with more to do than they allow."""
    dice = random.Random(3)
    texts = [f"{n} " + "word " * (dice.randint(*USED) * CHARACTERS_PER_TOKEN // 5) for n in range(120)]
    functions = {name: {"reserve_tokens": RESERVED} for name in ("ask", "twin")}
    quota = {"requests_per_minute": 6000, "tokens_per_minute": BUDGET}
    async with trial(functions, quota=quota, instances=2) as running:
        for place, name in enumerate(functions):
            await running.fan_out([{"text": text} for text in texts[place::2]], name)
        while not await running.calls():
            await asyncio.sleep(0.2)
        await asyncio.sleep(SECONDS)
        times = await running.calls()
        rows = await running.sql("select tokens_in from attempts where model_calls = 1 order by ended_at")
    # Calls leave seconds apart and are answered at once, so both lists have the same order.
    spent = [(at, int(row["tokens_in"])) for at, row in zip(times, rows, strict=False)]
    begin = times[0]
    used = [round(spent_in(spent, begin + at, begin + at + 60) / BUDGET, 4) for at in (0, 60, 120)]
    tokens = [tokens for _, tokens in spent]
    figures: dict[str, Any] = {
        "limit_per_minute": BUDGET,
        "reserved": RESERVED,
        "tokens_of_a_call": {"least": min(tokens), "most": max(tokens), "mean": round(sum(tokens) / len(tokens))},
        "calls": len(times),
        "most_in_60_s_before_the_last_call": most_spent(spent, 60),
        "used_by_minute": used,
    }
    return Findings(
        figures,
        {
            "the calls differ as they should": min(tokens) < RESERVED < max(tokens) <= USED[1] + 50,
            "no minute overrun by more than its last call": most_spent(spent, 60) <= BUDGET,
            "90 % used in the second and third minute": min(used[1:]) >= 0.9,
        },
    )
