"""front_door: what the stand-in for Cloud Run costs a request: its own CPU, and the time it adds.

The same requests go to an instance by itself and through the front door, one after another and many at once.
"""

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from bench.load.posts import Load, post_all
from bench.record import write
from bench.rig import ROOT, free_ports
from local.oidc import Issuer
from local.processes import Processes, Program

ACCOUNT, REQUESTS, AT_ONCE = "tasks@test-project.iam.gserviceaccount.com", 4000, 20
# Answers at once, with what a handler answers.
INSTANCE = """
import uvicorn

async def app(scope, receive, send):
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"done"})

import os
uvicorn.run(app, port=int(os.environ["PORT"]), log_level="warning", lifespan="off")
"""
AUDIENCE = "https://service.run.app"
BODY = json.dumps({"item_id": "01a22f35-9120-7c20-b5b7-b645b342c3f4"}).encode()


@contextlib.asynccontextmanager
async def running(folder: Path) -> AsyncIterator[tuple[int, Issuer]]:
    """The first port: the instance by itself; then the front door, its statistics, the issuer."""
    first = free_ports(5)
    (folder / "instance.py").write_text(INSTANCE)
    instance = [sys.executable, str(folder / "instance.py")]
    service = {
        "name": "service", "port": first + 1, "command": instance,
        "invokers": [ACCOUNT], "audiences": [AUDIENCE], "max_instances": 1,
    }  # fmt: skip
    url = f"http://127.0.0.1:{first + 3}"
    (folder / "services.json").write_text(json.dumps({"issuer": url, "services": [service]}))
    key = str(folder / "key.pem")
    modules = {
        "oidc": ("local.oidc", "--port", str(first + 3), "--key", key),
        "cloud_run": (
            "standins.cloud_run", "--services", str(folder / "services.json"), "--admin-port", str(first + 2),
        ),
    }  # fmt: skip
    processes = Processes(folder / "logs")
    try:
        await processes.start(
            Program("alone", instance, {"PORT": str(first)}, port=first),
            Program("oidc", [sys.executable, "-m", *modules["oidc"]], folder=ROOT, port=first + 3),
            Program("cloud_run", [sys.executable, "-m", *modules["cloud_run"]], folder=ROOT, port=first + 2),
        )
        yield first, Issuer(Path(key), url)
    finally:
        await processes.stop()


async def measure(first: int, issuer: Issuer) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {issuer.token(ACCOUNT, AUDIENCE)}", "Content-Type": "application/json"}
    ways = {"alone": f"http://127.0.0.1:{first}", "through": f"http://127.0.0.1:{first + 1}"}
    figures: dict[str, Any] = {"requests": REQUESTS}
    for at_once in (1, AT_ONCE):
        loads: dict[str, Load] = {}
        for way, url in ways.items():
            await post_all(url, headers, [BODY] * AT_ONCE, at_once=1)
            before = cpu(first)
            loads[way] = await post_all(url, headers, [BODY] * REQUESTS, at_once=at_once)
            spent = cpu(first) - before
        assert loads["through"].answers == {"done": REQUESTS}
        medians = {way: round(median(load.latencies) * 1000, 3) for way, load in loads.items()}
        figures[f"{at_once}_at_once"] = {
            "cpu_ms_per_request": round(spent / REQUESTS * 1000, 3),
            "median_ms_alone": medians["alone"],
            "median_ms_through": medians["through"],
            "per_second": round(loads["through"].per_second),
        }
    return figures


def cpu(first: int) -> float:
    """Seconds of the front door's own CPU."""
    return float(httpx.get(f"http://127.0.0.1:{first + 2}/stats").json()["cpu_seconds"])


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="piecework-bench-") as folder:
        async with running(Path(folder)) as (first, issuer):
            write("front_door", await measure(first, issuer))


if __name__ == "__main__":
    asyncio.run(main())
