"""posts: many requests over a few kept-alive connections, with as little of our own time as asyncio allows."""

import asyncio
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True)
class Load:
    """What came back: answers by body (or status), seconds in all, seconds per answer."""

    answers: Counter[str]
    seconds: float
    latencies: list[float]

    @property
    def per_second(self) -> float:
        return sum(self.answers.values()) / self.seconds


async def post_all(url: str, headers: dict[str, str], bodies: Sequence[bytes], *, at_once: int = 40) -> Load:
    """POST every body to `url`, `at_once` at a time."""
    waiting = list(reversed(bodies))
    answers: Counter[str] = Counter()
    latencies: list[float] = []
    started = time.perf_counter()
    await asyncio.gather(*(_connection(url, headers, waiting, answers, latencies) for _ in range(at_once)))
    return Load(answers, time.perf_counter() - started, latencies)


async def _connection(
    url: str, headers: dict[str, str], waiting: list[bytes], answers: Counter[str], latencies: list[float]
) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    lines = [f"POST {parts.path or '/'} HTTP/1.1", f"Host: {parts.netloc}", *(f"{k}: {v}" for k, v in headers.items())]
    head = "\r\n".join(lines).encode()
    while waiting:
        body = waiting.pop()
        began = time.perf_counter()
        writer.write(head + b"\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        answers[await _answer(reader)] += 1
        latencies.append(time.perf_counter() - began)
    writer.close()


async def _answer(reader: asyncio.StreamReader) -> str:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
    length = int(head.partition("content-length:")[2].split("\r\n")[0] or 0)
    body = (await reader.readexactly(length)).decode(errors="replace")
    status = head.split(" ", 2)[1]
    return body if status == "200" and len(body) < 30 else status
