"""breakers: a domain that fails, a prober that dies, a model that is down."""

import asyncio
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from bench.limits.findings import Findings
from bench.limits.requests import questions
from bench.limits.trial import Trial, trial

DOMAIN = "shaky.test"
WAITING = 20
DOWN_SECONDS = 60.0
MANIFEST = {"work_seconds": 20, "timeout_seconds": 30, "max_attempts": 5}


async def domain_breaker() -> Findings:
    """Five failures, a rest, a prober that is killed, one that succeeds; over two instances."""
    with TemporaryDirectory() as folder:
        sick = Path(folder) / "sick"
        sick.touch()
        async with trial({"visit": MANIFEST}, quota={"requests_per_minute": 6000}, instances=2) as running:
            running.rig.processes.watch()
            return await domain_story(running, sick)


async def domain_story(running: Trial, sick: Path) -> Findings:
    figures: dict[str, Any] = {}
    inputs = [visit(number, sick) for number in range(WAITING)]
    await running.fan_out(inputs[:5], "visit")
    figures["opened"] = await breaker_is(running, "open", 60)
    (row,) = await running.sql("select extract(epoch from rests_until - now())::float as rests, failures from breakers")
    figures |= {"failures": row["failures"], "rests_seconds": round(row["rests"])}

    before = await attempts(running)
    await running.fan_out(inputs[5:], "visit")
    await asyncio.sleep(6)
    figures["attempts_spent_while_it_rests"] = await attempts(running) - before

    # Its rest is over. All tasks come at once, to both instances; work takes 6 s now, so that the probe can be seen.
    await running.sql("update items set input = input || '{\"seconds\": 6}' where state = 'waiting'")
    await come_now(running)
    figures["half_open"] = await breaker_is(running, "half_open", 20)
    await asyncio.sleep(2)
    figures["probes_at_once"] = await running_now(running)
    figures["attempts_of_the_first_probe"] = await attempts(running) - before
    first = await prober(running)
    running.kill("visit")
    await asyncio.sleep(4)

    # The dead prober's lease has run out, too.
    sick.unlink()  # noqa: ASYNC240 - one file, and nothing else runs here
    await running.sql("update items set input = input || '{\"seconds\": 2}' where state in ('waiting', 'running')")
    await come_now(running)
    figures["second_prober"] = await another_probes(running, first)
    figures["probes_at_once_after_the_death"] = await running_now(running)
    ended = await running.until_all_ended(120)
    states, left = await running.states(), await running.sql("select name, state from breakers")
    figures |= {"states": states, "breakers_left": left}
    return Findings(
        figures,
        {
            "five failures open it": figures["opened"] and row["failures"] == 5,
            "it rests 300 s": 295 <= row["rests"] <= 300,
            "no attempt is spent while it rests": figures["attempts_spent_while_it_rests"] == 0,
            "one probe over two instances": figures["probes_at_once"] == 1 == figures["attempts_of_the_first_probe"],
            "a dead prober is followed by one other": figures["second_prober"]
            and figures["probes_at_once_after_the_death"] == 1,
            "a good probe closes it, and every item ends": ended and states == {"done": WAITING} and not left,
        },
        scaled="the 300 s and the dead prober's lease pass by moving the database's times",
    )


def visit(number: int, sick: Path) -> dict[str, Any]:
    return {"url": f"http://{DOMAIN}/{number}", "domain": DOMAIN, "sick_while": str(sick)}


async def breaker_is(running: Trial, state: str, seconds: float) -> bool:
    for _ in range(int(seconds / 0.1)):
        if any(row["state"] == state for row in await running.sql("select state from breakers")):
            return True
        await asyncio.sleep(0.1)
    return False


async def attempts(running: Trial) -> int:
    (row,) = await running.sql("select coalesce(sum(attempts), 0) as n from items")
    return int(row["n"])


async def running_now(running: Trial) -> int:
    return (await running.states()).get("running", 0)


async def prober(running: Trial) -> Any:
    rows = await running.sql("select probe_holder from breakers where state = 'half_open'")
    return rows[0]["probe_holder"] if rows else None


async def come_now(running: Trial) -> None:
    """The rest is over for the database, and every item gets a task that is due."""
    # Long enough for the sweep to take the tasks that wait for the rest's end for lost.
    await running.time_passes(20)
    await running.sweep()


async def another_probes(running: Trial, first: Any) -> bool:
    for _ in range(600):
        now = await prober(running)
        if now is not None and now != first:
            return True
        await asyncio.sleep(0.05)
    return False


async def model_down() -> Findings:
    """The model answers 503 for a minute, in the middle of 400 items."""
    items = 400
    async with trial({"ask": {"max_attempts": 6}}, quota={"requests_per_minute": 600}, instances=2) as running:
        await running.fan_out(questions(items, "ask"), "ask")
        await running.until(lambda states: states.get("done", 0) >= 100, 60)
        await running.rig.gemini("POST", "faults", {"fault": "503", "seconds": DOWN_SECONDS})
        down_at = (await running.calls())[-1]
        opened = await breaker_is(running, "open", 30)
        open_at = (await running.calls())[-1]
        ended = await running.until_all_ended(240)
        calls, states = await running.calls(), await running.states()
        answers = await running.model_answers()
    until_open = sum(1 for at in calls if down_at < at <= open_at)
    while_open = sum(1 for at in calls if open_at + 0.5 < at <= down_at + DOWN_SECONDS)
    figures: dict[str, Any] = {
        "items": items,
        "down_seconds": DOWN_SECONDS,
        "calls_until_it_opened": until_open,
        "calls_while_open": while_open,
        "failed_calls": answers["503"],
        "model_calls": len(calls),
        "states": states,
        "seconds_after_it_came_back": round(calls[-1] - down_at - DOWN_SECONDS, 1),
    }
    return Findings(
        figures,
        {
            "the breaker opened": opened,
            "at most 10 calls while open": while_open <= 10,
            "every item ended, done": ended and states == {"done": items},
            "calls = items + failed calls": len(calls) == items + answers["503"],
        },
    )
