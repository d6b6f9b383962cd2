"""lost_tasks: a queue is emptied in the middle, and a fan-out dies at each line; the sweep finds every item."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import grpc
import httpx
from google.cloud.tasks_v2 import CloudTasksClient
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

from bench.limits.door import Moment
from bench.limits.findings import Findings
from bench.limits.functions import QUOTA
from bench.limits.requests import questions
from bench.limits.trial import Trial, trial
from local.stack import LOCATION, PROJECT

ITEMS = 300
QUEUE = f"projects/{PROJECT}/locations/{LOCATION}/queues/{QUOTA}"
# The fan-out dies when this passes the database's door.
DEATHS: dict[str, tuple[bytes, Moment, float]] = {
    "while it enlists": (b"/rpc/enlist_v1", "asked", 0),
    "after it enlisted": (b"/rpc/enlist_v1", "answered", 0),
    "while it enqueues": (b"/rest/v1/items?", "answered", 0.03),
    "after it enqueued": (b"/rpc/mark_queued_v1", "asked", 0),
    "after it marked": (b"/rpc/mark_queued_v1", "answered", 0),
}


async def purged_queue() -> Findings:
    """The queue is purged when a third is done; the clock moves on, and the sweep comes."""
    async with trial({"ask": {}}, quota={"requests_per_minute": 1200}) as running:
        await running.fan_out(questions(ITEMS, "ask"), "ask")
        await running.until(lambda states: states.get("done", 0) >= ITEMS // 3, 60)
        channel = grpc.insecure_channel(f"127.0.0.1:{running.stack.port('cloud_tasks')}")
        CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel)).purge_queue(name=QUEUE)
        await running.until(lambda states: not states.get("running"), 30)
        lost = ITEMS - await running.ended()
        await running.time_passes(10)
        sweep = await running.sweep()
        ended = await running.until_all_ended(120)
        states, calls = await running.states(), await running.calls()
    return Findings(
        {"items": ITEMS, "lost": lost, "sweep": sweep, "states": states, "model_calls": len(calls)},
        {
            "the purge lost tasks": lost > 0,
            "the sweep found every item": sweep["found"] >= lost,
            "every item ended, done": ended and states == {"done": ITEMS},
            "no call twice": len(calls) == ITEMS,
        },
        scaled="10 minutes pass by moving the database's times",
    )


async def killed_fanout() -> Findings:
    """A run over a backlog dies, once at each line; nobody sends its message again."""
    deaths = {}
    async with trial({"visit_bulk": {}}, quota={"requests_per_minute": 6000}, doors=["supabase"]) as running:
        running.rig.processes.watch()
        for number, (name, where) in enumerate(DEATHS.items()):
            deaths[name] = await die(running, number, where)
        (rows,) = await running.sql("select count(*) as n, count(distinct said) as urls from trial_rows")
        states = await running.states()
        (left,) = await running.sql("select count(*) as n from trial_backlog")
    total = ITEMS * len(DEATHS)
    return Findings(
        {"urls": total, "deaths": deaths, "states": states, "result_rows": rows["n"], "left_in_backlog": left["n"]},
        {
            "it died each time": all(death["died"] for death in deaths.values()),
            "every item ended, done": all(death["ended"] for death in deaths.values()) and set(states) == {"done"},
            "each URL once": rows["n"] == rows["urls"] == total,
        },
        scaled="10 minutes pass by moving the database's times",
    )


async def die(running: Trial, number: int, where: tuple[bytes, Moment, float]) -> dict[str, Any]:
    """One run that is killed, the sweep after it, and one more run for what was never enlisted."""
    await running.sql(
        "insert into trial_urls (url) select 'http://site.test/' || %s || '/' || n from generate_series(1, %s) n",
        number, ITEMS,
    )  # fmt: skip
    word, moment, later = where
    running.doors["supabase"].when(word, moment, killer(running, later))
    died = False
    with contextlib.suppress(httpx.HTTPError):
        died = True
        status, _ = await running.order({"function": "visit_bulk", "limit": ITEMS})
        died = status >= 500
    await started_again(running)
    (before,) = await running.sql("select count(*) as n, count(queued_at) as marked from items where state = 'waiting'")
    await running.until(lambda states: not states.get("running"), 30)
    await running.time_passes(10)
    sweep = await running.sweep()
    ended = await running.until_all_ended(60)
    again = await running.order({"function": "visit_bulk", "limit": ITEMS})
    ended = await running.until_all_ended(60) and ended
    return {"died": died, "waiting": before["n"], "marked": before["marked"], "swept": sweep["found"],
            "enlisted_by_the_next_run": again[1]["enlisted"], "ended": ended}  # fmt: skip


def killer(running: Trial, later: float) -> Callable[[], None]:
    if not later:
        return lambda: running.kill("fanout")
    return lambda: (asyncio.get_running_loop().call_later(later, running.kill, "fanout"), None)[1]


async def started_again(running: Trial) -> None:
    """Until the fan-out answers again."""
    async with asyncio.timeout(30):
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if (await running.order({"function": "visit_bulk", "limit": 1, "dry_run": True}))[0] == 200:
                    return
            await asyncio.sleep(0.2)
