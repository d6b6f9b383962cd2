"""The admin address, for drills and measurements.

GET  /stats                      what runs, and what was answered
POST /services/NAME/redeploy     replace its instances, as a new deployment does
POST /services/NAME/kill         kill -9 of every instance, or with ?pid=PID of that one
"""

import asyncio
import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

from standins.cloud_run.front_door import FrontDoor


async def serve(front_door: FrontDoor, host: str, port: int) -> asyncio.Server:
    """Raises OSError."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            method, target, _ = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split(" ", 2)
            status, document = answer_of(front_door, method, target)
            body = json.dumps(document).encode()
            head = f"HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {len(body)}\r\n"
            writer.write(f"{head}connection: close\r\n\r\n".encode() + body)
            await writer.drain()
        except (ValueError, OSError, EOFError, asyncio.LimitOverrunError):
            pass  # no HTTP, or gone
        finally:
            writer.close()

    return await asyncio.start_server(answer, host, port)


def answer_of(front_door: FrontDoor, method: str, target: str) -> tuple[str, dict[str, Any]]:
    url = urlsplit(target)
    match [method, *url.path.strip("/").split("/")]:
        case ["GET", "stats"]:
            return "200 OK", front_door.stats()
        case ["POST", "services", name, "redeploy"] if name in front_door.pools:
            pool = front_door.pools[name]
            pool.replace(pool.service)
            return "200 OK", {}
        case ["POST", "services", name, "kill"] if name in front_door.pools:
            return "200 OK", {"killed": kill(front_door, name, parse_qs(url.query).get("pid", []))}
    return "404 Not Found", {"error": f"{method} {url.path} is not known here, or names no service"}


def kill(front_door: FrontDoor, name: str, pids: list[str]) -> list[int]:
    chosen = [one for one in front_door.pools[name].instances if not pids or str(one.pid) in pids]
    for instance in chosen:
        instance.kill()
    return [instance.pid for instance in chosen]
