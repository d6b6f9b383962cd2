"""fanout: how fast one instance gives items their tasks, and what an item costs at 1,000, 10,000 and 100,000.

push {"batch_id"} -> the deployed fanout -> items read in pages -> one task each -> marked      (the queue is paused)
"""

import asyncio
import base64
import json
import sys
import time
from typing import Any

import grpc
from google.cloud.tasks_v2 import CloudTasksClient
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

from bench.record import write
from bench.rig import Rig, rig
from local.stack import LOCATION, PROJECT

SIZES = (1_000, 10_000, 100_000)
QUEUE = f"projects/{PROJECT}/locations/{LOCATION}/queues/gemini-text"


async def measure(running: Rig) -> dict[str, Any]:
    pause(running)
    found = {}
    for size in SIZES:
        began = time.perf_counter()
        ids = running.enlist([{"url": f"http://daily.test/{size}/{n}"} for n in range(size)])
        enlisted = time.perf_counter() - began
        batch = running.sql("select batch_id from items where id = %s", ids[0])[0]["batch_id"]
        before = cpu(running)
        began = time.perf_counter()
        await fan_out(running, str(batch))
        seconds = time.perf_counter() - began
        used = {name: round((now - before[name]) / seconds, 2) for name, now in cpu(running).items()}
        found[str(size)] = {
            "per_second": round(size / seconds),
            "ms_per_item": round(seconds / size * 1000, 3),
            "enlisted_per_second": round(size / enlisted),
            "cores_used": used,
            "fanout_mib": running.resident_mib("fanout"),
        }
    return found


async def fan_out(running: Rig, batch_id: str) -> None:
    """One push, and every message it sends to itself, until nothing is left without a task."""
    data = base64.b64encode(json.dumps({"batch_id": batch_id}).encode()).decode()
    answer = await running.http.post(
        running.stack.url("fanout"),
        headers=running.headers("fanout", account="pubsub"),
        json={"message": {"messageId": batch_id, "data": data}},
        timeout=580,
    )
    if answer.status_code != 200:
        sys.exit(f"fanout answered {answer.status_code}: {answer.text}")
    left = "select count(*) as n from items where batch_id = %s and queued_at is null"
    while running.sql(left, batch_id)[0]["n"]:
        await asyncio.sleep(0.5)


def pause(running: Rig) -> None:
    transport = CloudTasksGrpcTransport(
        channel=grpc.insecure_channel(running.stack.url("cloud_tasks").removeprefix("http://"))
    )
    CloudTasksClient(transport=transport).pause_queue(name=QUEUE)


def cpu(running: Rig) -> dict[str, float]:
    """Seconds of CPU so far."""
    names = ("fanout", "cloud_tasks", "supabase")
    return {name: sum(sum(one.cpu_times()[:2]) for one in running.family(name)) for name in names}


async def main() -> None:
    async with rig(gemini=["--lean"]) as running:
        write("fanout", {"sizes": await measure(running)})


if __name__ == "__main__":
    asyncio.run(main())
