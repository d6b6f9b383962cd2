"""How fast and how exact the Cloud Tasks emulator is, with a sink that does nothing. One line of JSON per run.

google client (8 threads) -> emulator (its own process, data file on) -> sink (its own process)

`python -m bench.cloud_tasks_alone` takes about a minute and appends to bench/results/cloud_tasks.jsonl.
"""

import asyncio
import contextlib
import datetime as dt
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import grpc
from google.cloud import tasks_v2
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport

PARENT = "projects/bench/locations/local"
RESULTS = Path(__file__).parent / "results" / "cloud_tasks.jsonl"
RATES = (2.0, 10.0, 50.0, 200.0)
RATE_SECONDS = 20.0
CREATORS, CREATES_EACH = 8, 500
DISPATCH_QUEUES, DISPATCHES_EACH = 10, 800
LATENCY_SAMPLES = 100
CONCURRENCY, HELD_TASKS = 7, 300


class Sink(asyncio.Protocol):
    """Answers 200; remembers when each request came, by path, and how many were there at once.

    /hold/... is answered after 30 ms. GET gives what was remembered of a path, and forgets it.
    """

    def __init__(self, memory: "Memory") -> None:
        self._memory = memory
        self._buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport: Any = transport

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, end, rest = self._buffer.partition(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0] or 0)
        if not end or len(rest) < length:
            return
        self._buffer = rest[length:]
        method, path = head.decode().split(" ")[:2]
        if method == "GET":
            self._answer(json.dumps(self._memory.forget(path)))
            return
        self._memory.came(path)
        if path.startswith("/hold"):
            asyncio.get_running_loop().call_later(0.03, self._leave, path)
        else:
            self._leave(path)

    def _leave(self, path: str) -> None:
        self._memory.left(path)
        self._answer("")

    def _answer(self, body: str) -> None:
        self._transport.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())


class Memory:
    def __init__(self) -> None:
        self._arrivals: dict[str, list[float]] = {}
        self._now: dict[str, int] = {}
        self._most: dict[str, int] = {}

    def came(self, path: str) -> None:
        self._arrivals.setdefault(path, []).append(time.time())
        self._now[path] = self._now.get(path, 0) + 1
        self._most[path] = max(self._most.get(path, 0), self._now[path])

    def left(self, path: str) -> None:
        self._now[path] -= 1

    def forget(self, path: str) -> dict[str, Any]:
        return {"arrivals": self._arrivals.pop(path, []), "most_at_once": self._most.pop(path, 0)}


async def sink(port: int) -> None:
    memory = Memory()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Sink(memory), "127.0.0.1", port, backlog=2000)
    await server.serve_forever()


class Bench:
    """The client's side: makes queues and tasks, and asks the sink what came."""

    def __init__(self, port: int, sink_port: int) -> None:
        self._sink = f"http://127.0.0.1:{sink_port}"
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self.client = tasks_v2.CloudTasksClient(transport=CloudTasksGrpcTransport(channel=channel))

    def queue(self, name: str, rate: float = 500.0, concurrent: int = 1000) -> str:
        limits = {"max_dispatches_per_second": rate, "max_concurrent_dispatches": concurrent}
        queue = {"name": f"{PARENT}/queues/{name}", "rate_limits": limits}
        return str(self.client.create_queue(parent=PARENT, queue=queue).name)

    def create(self, queue: str, path: str, count: int, **more: Any) -> None:
        task = {"http_request": {"url": self._sink + path, "body": b'{"item_id":"bench"}'}, **more}
        for _ in range(count):
            self.client.create_task(parent=queue, task=task)

    def came(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(self._sink + path) as answer:
            return dict(json.load(answer))

    def wait_until_empty(self, queue: str) -> None:
        until = time.monotonic() + 60
        while list(self.client.list_tasks(parent=queue)) and time.monotonic() < until:
            time.sleep(0.05)

    def creates_per_second(self) -> float:
        queue = self.queue("creates")
        later = dt.datetime.now(dt.UTC) + dt.timedelta(hours=1)
        self.create(queue, "/later", 200, schedule_time=later)
        started = time.monotonic()
        in_threads(CREATORS, lambda: self.create(queue, "/later", CREATES_EACH, schedule_time=later))
        took = time.monotonic() - started
        self.client.delete_queue(name=queue)
        return CREATORS * CREATES_EACH / took

    def idle_latency_ms(self) -> list[float]:
        queue = self.queue("latency")
        delays = []
        for _ in range(LATENCY_SAMPLES):
            created = time.time()
            self.create(queue, "/latency", 1)
            time.sleep(0.02)
            delays += [(at - created) * 1000 for at in self.came("/latency")["arrivals"]]
        return sorted(delays)

    def rate_errors(self) -> dict[str, float]:
        """Return for each rate by how many percent the steady rate misses it; the first burst does not count."""
        queues = {rate: self.queue(f"rate-{rate:.0f}", rate) for rate in RATES}
        for rate, queue in queues.items():
            self.client.pause_queue(name=queue)
            self.create(queue, f"/rate/{rate}", int(burst(rate) + rate * (RATE_SECONDS + 2)))
        for queue in queues.values():
            self.client.resume_queue(name=queue)
        time.sleep(RATE_SECONDS)
        for queue in queues.values():
            self.client.delete_queue(name=queue)
        return {f"{rate:g}/s": self._rate_error(rate) for rate in RATES}

    def _rate_error(self, rate: float) -> float:
        steady = self.came(f"/rate/{rate}")["arrivals"][int(burst(rate)) :]
        measured = (len(steady) - 1) / (steady[-1] - steady[0])
        return round(100 * (measured / rate - 1), 2)

    def most_at_once(self) -> int:
        queue = self.queue("held", concurrent=CONCURRENCY)
        in_threads(4, lambda: self.create(queue, "/hold", HELD_TASKS // 4))
        self.wait_until_empty(queue)
        return int(self.came("/hold")["most_at_once"])

    def dispatches_per_second(self) -> float:
        queues = [self.queue(f"fast-{number}") for number in range(DISPATCH_QUEUES)]
        for queue in queues:
            self.client.pause_queue(name=queue)
            in_threads(4, lambda queue=queue: self.create(queue, "/fast", DISPATCHES_EACH // 4))
        for queue in queues:
            self.client.resume_queue(name=queue)
        for queue in queues:
            self.wait_until_empty(queue)
        # The first bursts are faster than what lasts.
        arrivals = sorted(self.came("/fast")["arrivals"])[DISPATCH_QUEUES * int(burst(500.0)) :]
        return (len(arrivals) - 1) / (arrivals[-1] - arrivals[0])


def burst(rate: float) -> float:
    return max(10.0, min(100.0, rate))


def in_threads(count: int, work: Any) -> None:
    threads = [threading.Thread(target=work) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@contextlib.contextmanager
def running(*command: str) -> Iterator[None]:
    process = subprocess.Popen([sys.executable, "-m", *command])
    try:
        yield
    finally:
        process.terminate()
        process.wait()


def wait_for(port: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        time.sleep(0.05)
    raise SystemExit(f"nothing listens on {port}")


def measure(bench: Bench) -> dict[str, Any]:
    creates = bench.creates_per_second()
    latency = bench.idle_latency_ms()
    return {
        "creates_per_second": round(creates),
        "idle_latency_ms": {
            "median": round(statistics.median(latency), 2),
            "p95": round(latency[int(len(latency) * 0.95)], 2),
        },
        "rate_error_percent": bench.rate_errors(),
        "most_at_once": {"limit": CONCURRENCY, "seen": bench.most_at_once()},
        "dispatches_per_second": round(bench.dispatches_per_second()),
    }


def main() -> None:
    port, sink_port = free_port(), free_port()
    with (
        tempfile.TemporaryDirectory() as folder,
        running("bench.cloud_tasks_alone", "sink", str(sink_port)),
        running("local.cloud_tasks", "--port", str(port), "--data", f"{folder}/tasks.db"),
    ):
        wait_for(port)
        wait_for(sink_port)
        figures = measure(Bench(port, sink_port))
    line = {
        "at": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        **figures,
        "data_file": True,
        "load_average": round(os.getloadavg()[0], 2),
        "machine": {"system": platform.system(), "processor": platform.machine(), "cores": os.cpu_count()},
        "python": platform.python_version(),
        "grpcio": version("grpcio"),
    }
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
    print(json.dumps(line, indent=2))


if __name__ == "__main__":
    if sys.argv[1:2] == ["sink"]:
        with contextlib.suppress(KeyboardInterrupt):
            asyncio.run(sink(int(sys.argv[2])))
    else:
        main()
