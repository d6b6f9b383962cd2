"""few_instances: the queue sends more at once than the instances of the function take."""

from bench.limits.findings import Findings
from bench.limits.requests import questions
from bench.limits.trial import Trial, trial

ITEMS = 100
ROOM, AT_ONCE = 2, 20


async def few_instances() -> Findings:
    """One instance with room for two. The others wait for it, and then are answered 429; twice over."""
    async with trial(
        {"ask": {"concurrency": ROOM}},
        quota={"requests_per_minute": 6000, "max_concurrent": ROOM},
        # No manifest may ask for this: the queue was changed by hand, or the platform has fewer instances to give.
        queue={"max_concurrent": AT_ONCE},
        gemini=("--lean", "--latency", "1.5,0.2"),
    ) as running:
        ended = []
        for _ in range(2):
            await running.fan_out(questions(ITEMS // 2, "ask"), "ask")
            ended.append(await running.until_all_ended(300))
        states, calls, statuses = await running.states(), await running.calls(), answers(running)
        (spent,) = await running.sql("select max(attempts) as most from items")
    figures = {"items": ITEMS, "states": states, "model_calls": len(calls), "answers": statuses, **spent}
    return Findings(
        figures,
        {
            "instances were short": statuses.get("429", 0) > 0,
            "every item ended, done": all(ended) and states == {"done": ITEMS},
            "no call twice": len(calls) == ITEMS,
            "no attempt was spent on a 429": spent["most"] == 1,
        },
    )


def answers(running: Trial) -> dict[str, int]:
    """How often each status was answered by the front door of the function."""
    statuses: dict[str, int] = running.rig.stats()["services"]["ask"]["statuses"]
    return statuses
