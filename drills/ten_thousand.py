"""ten_thousand: 10,000 items in one upload, and at every moment that is sampled the API tells what the database holds.

While a sample is taken, nothing changes: the upload pauses, and what calls the functions is stopped (SIGSTOP). So the
counts of the API, the dashboard and the table itself have to be equal, not nearly so.
What is at work is never kept in a cache; the dashboard is kept for two seconds, and says of which moment it is.
"""

import asyncio
import contextlib
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Mapping
from datetime import datetime
from typing import Any

from bench.limits.findings import Findings
from bench.limits.trial import Trial, trial

ITEMS = 10_000
SECONDS = 600.0
# Longer than a dashboard is kept, so that each sample is given a new one.
BETWEEN_SECONDS = 2.1
STATES = ("waiting", "running", "done", "skipped", "dead", "cancelled")
# Every 50th has a paywall, every 100th is no question at all.
ENDS = {"done": 9700, "skipped": 200, "dead": 100}
SENDERS = ("cloud_tasks", "pubsub")
Counts = dict[str, int]


async def ten_thousand() -> Findings:
    """Submit, sample until all have ended, read everything back."""
    quota = {"requests_per_minute": 30_000, "max_concurrent": 80}
    async with trial({"read": {"concurrency": 80}}, quota=quota) as running:
        started, gate = time.monotonic(), asyncio.Event()
        gate.set()
        upload = asyncio.create_task(submit(running, gate))
        samples = [one async for one in sampled(running, upload, gate)]
        batch, seconds = await upload
        took = time.monotonic() - started
        custom_ids = await read_back(running, batch["id"])
        metrics = await told_by_metrics(running)
    last = samples[-1]
    under_way = [one for one in samples if one["table"]["waiting"] + one["table"]["running"]]
    figures = {
        "items": ITEMS,
        "seconds_to_submit": round(seconds, 2),
        "seconds_to_the_end": round(took, 1),
        "samples": len(samples),
        "samples_while_under_way": len(under_way),
        "states": {state: n for state, n in last["table"].items() if n},
    }
    return Findings(
        figures,
        {
            "the API's counts are the table's in every sample": all(one["api"] == one["table"] for one in samples),
            "its tokens and cost too": all(one["api_spent"] == one["table_spent"] for one in samples),
            "the dashboard's counts are the table's in every sample": all(
                one["dashboard"] == one["table"] == one["dashboard_batch"] for one in samples
            ),
            "nothing changed during a sample": all(one["still"] for one in samples),
            "each dashboard was read within its sample": all(one["fresh"] for one in samples),
            "ten samples or more were taken while it was under way": len(under_way) >= 10,
            "every item ended as it should": figures["states"] == ENDS,
            "each result is read back once": sorted(custom_ids) == sorted(f"item-{n}" for n in range(ITEMS)),
            "the metrics say the same in the end": metrics == ENDS,
        },
    )


def line(number: int) -> bytes:
    given: dict[str, Any] = {"text": f"read number {number}", "custom_id": f"item-{number}"}
    if number % 100 == 99:
        given["text"] = number
    elif number % 50 == 0:
        given["paywall"] = True
    return json.dumps(given).encode() + b"\n"


async def lines(gate: asyncio.Event) -> AsyncIterator[bytes]:
    for start in range(0, ITEMS, 100):
        await gate.wait()
        yield b"".join(map(line, range(start, start + 100)))


async def submit(running: Trial, gate: asyncio.Event) -> tuple[dict[str, Any], float]:
    """The batch, and the seconds until it was taken."""
    started = time.monotonic()
    answer = await running.rig.http.post(
        f"{running.stack.url('api')}/v3/batches",
        params={"function": "read"},
        content=lines(gate),
        headers={**headers(running), "Content-Type": "application/x-ndjson", "Idempotency-Key": "ten-thousand"},
    )
    answer.raise_for_status()
    return dict(answer.json()), time.monotonic() - started


def headers(running: Trial) -> dict[str, str]:
    return {"Authorization": f"Bearer {running.stack.api_key()}"}


async def get(running: Trial, path: str) -> dict[str, Any]:
    answer = await running.rig.http.get(f"{running.stack.url('api')}{path}", headers=headers(running))
    answer.raise_for_status()
    return dict(answer.json())


async def sampled(running: Trial, upload: asyncio.Task[Any], gate: asyncio.Event) -> AsyncIterator[dict[str, Any]]:
    """Samples from the first item on, until the batch has ended."""
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        batches = await running.sql("select id from batches")
        if batches:
            async with still(running, gate):
                sample = await told_of(running, str(batches[0]["id"]))
            yield sample
            if upload.done() and not sample["table"]["waiting"] + sample["table"]["running"]:
                return
        await asyncio.sleep(BETWEEN_SECONDS)
    raise TimeoutError(f"not ended within {SECONDS:g} s")


@contextlib.asynccontextmanager
async def still(running: Trial, gate: asyncio.Event) -> AsyncIterator[None]:
    """Nothing is sent, so nobody works once what was under way has ended."""
    groups = [running.rig.processes.pids()[name] for name in SENDERS]
    gate.clear()
    for group in groups:
        os.killpg(group, signal.SIGSTOP)
    try:
        await settled(running)
        yield
    finally:
        for group in groups:
            os.killpg(group, signal.SIGCONT)
        gate.set()


async def settled(running: Trial) -> None:
    """Until nothing runs, and the table has been the same for a while: the API still takes what it was sent before."""
    known, since = None, time.monotonic()
    while time.monotonic() - since < 0.3:
        now = table_of(running)
        if now != known or now[0]["running"]:
            known, since = now, time.monotonic()
        await asyncio.sleep(0.03)


async def told_of(running: Trial, batch_id: str) -> dict[str, Any]:
    """What the API and the table say of one moment."""
    (moment,) = (row["now"] for row in running.rig.sql("select clock_timestamp() as now"))
    before = table_of(running)
    batch, dashboard = await asyncio.gather(
        get(running, f"/v3/batches/{batch_id}"), get(running, "/v3/monitoring/dashboard")
    )
    table, spent = table_of(running)
    return {
        "api": counts(batch["counts"]),
        "api_spent": {name: batch[name] for name in spent},
        "dashboard": counts(dashboard["items"]["states"]),
        "dashboard_batch": counts(next(one["counts"] for one in dashboard["batches"] if one["id"] == batch_id)),
        "table": table,
        "table_spent": spent,
        "still": before == (table, spent),
        "fresh": datetime.fromisoformat(dashboard["at"]) >= moment,
    }


def table_of(running: Trial) -> tuple[Counts, dict[str, Any]]:
    """Items by state, and what they cost, counted in the table itself."""
    rows = running.rig.sql(
        "select state, count(*) as n, sum(tokens_in)::int as tokens_in, sum(tokens_out)::int as tokens_out, "
        "sum(cost_usd) as cost_usd from items group by state"
    )
    spent = {name: sum(row[name] for row in rows) for name in ("tokens_in", "tokens_out", "cost_usd")}
    return counts({row["state"]: row["n"] for row in rows}), {**spent, "cost_usd": float(spent["cost_usd"])}


def counts(given: Mapping[str, int]) -> Counts:
    return {state: given.get(state, 0) for state in STATES}


async def read_back(running: Trial, batch_id: str) -> list[str]:
    """The custom_id of each result, read as one stream of lines."""
    answer = await running.rig.http.get(
        f"{running.stack.url('api')}/v3/batches/{batch_id}/results",
        params={"format": "jsonl"},
        headers=headers(running),
    )
    answer.raise_for_status()
    return [json.loads(one)["custom_id"] for one in answer.text.splitlines()]


async def told_by_metrics(running: Trial) -> Counts:
    """Items by state, those that are not zero."""
    answer = await running.rig.http.get(f"{running.stack.url('api')}/metrics", headers=headers(running))
    found: Counts = {}
    for one in answer.text.splitlines():
        if one.startswith("piecework_items{"):
            state, value = one.partition('state="')[2].partition('"')[0], float(one.rsplit(" ", 1)[1])
            found[state] = found.get(state, 0) + int(value)
    return {state: n for state, n in found.items() if n}
