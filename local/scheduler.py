"""scheduler: Cloud Scheduler for one machine. At its cron times a job publishes a message to Pub/Sub.

jobs.yaml ─> Job ─next_time─> wait ─> Publish(topic, data, attributes)

- name: nightly-backlog
  schedule: "*/10 * * * *"
  time_zone: Europe/Stockholm          # Etc/UTC when left out
  topic: fanout
  data: {function: article, limit: 500}
  attributes: {source: schedule}

`python -m local.scheduler --jobs FILE` runs them; with `--run-now NAME` it publishes that one and ends.
GET /jobs on its port says when each runs next; POST /jobs/NAME:run runs it.
"""

import argparse
import asyncio
import json
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import grpc
import uvicorn
import yaml
from croniter import croniter
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.pubsub_v1 import PublisherAsyncClient, PubsubMessage
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, field_validator, model_validator
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

PUBLISH_SECONDS = 20.0
# A machine that sleeps, or whose clock is set, finds its time again within this.
LONGEST_SLEEP_SECONDS = 30.0


class Job(BaseModel):
    """One line of the schedule. Data that is no text is sent as JSON."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    schedule: str
    topic: str
    time_zone: str = "Etc/UTC"
    data: Any = None
    attributes: dict[str, str] = {}

    @field_validator("schedule")
    @classmethod
    def _is_unix_cron(cls, schedule: str) -> str:
        # croniter takes more, such as seconds, than Cloud Scheduler does.
        if len(schedule.split()) != 5 or not croniter.is_valid(schedule):
            raise ValueError(f"{schedule!r} is no schedule of five cron fields")
        return schedule

    @field_validator("time_zone")
    @classmethod
    def _is_known_zone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (OSError, ValueError, KeyError) as error:
            raise ValueError(f"{name!r} is no time zone") from error
        return name

    @model_validator(mode="after")
    def _says_something(self) -> "Job":
        if self.data is None and not self.attributes:
            raise ValueError("a job needs data or at least one attribute")
        return self

    def next_time(self, after: datetime) -> datetime:
        """Return the first time of the schedule after `after`, in the job's time zone."""
        due: datetime = croniter(self.schedule, after.astimezone(ZoneInfo(self.time_zone))).get_next(datetime)
        return due

    def payload(self) -> bytes:
        if self.data is None:
            return b""
        return (self.data if isinstance(self.data, str) else json.dumps(self.data)).encode()


Publish = Callable[[Job], Awaitable[str]]  # returns the message id


def read_jobs(file: Path) -> list[Job]:
    """Return the jobs of a YAML file. Raises ValueError in one line, OSError when it cannot be read."""
    try:
        jobs = TypeAdapter(list[Job]).validate_python(yaml.safe_load(file.read_text()) or [])
    except yaml.YAMLError as error:
        raise ValueError(f"{file} is no YAML: {' '.join(str(error).split())}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise ValueError(f"{file}: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    if len({job.name for job in jobs}) < len(jobs):
        raise ValueError(f"{file}: two jobs have the same name")
    return jobs


def _utc_now() -> datetime:
    return datetime.now(UTC)


class Scheduler:
    """Runs each job at its times; one that is late runs once, one that fails waits for its next time."""

    def __init__(
        self,
        jobs: Sequence[Job],
        publish: Publish,
        *,
        clock: Callable[[], datetime] = _utc_now,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._jobs = {job.name: job for job in jobs}
        self._publish = publish
        self._clock = clock
        self._sleep = sleep

    async def run(self) -> None:
        """Run every job until cancelled."""
        async with asyncio.TaskGroup() as running:
            for job in self._jobs.values():
                running.create_task(self._repeat(job))

    async def _repeat(self, job: Job) -> None:
        due = job.next_time(self._clock())
        while True:
            print(f"scheduler: {job.name} runs next at {due.isoformat()}", flush=True)
            while (left := (due - self._clock()).total_seconds()) > 0:
                await self._sleep(min(left, LONGEST_SLEEP_SECONDS))
            await self.run_now(job.name)
            due = job.next_time(max(due, self._clock()))

    async def run_now(self, name: str) -> bool:
        """Publish the job's message and tell how that went. Raises KeyError when there is no such job."""
        job = self._jobs[name]
        try:
            message = await self._publish(job)
        except (GoogleAPICallError, RetryError) as error:
            print(f"scheduler: {name} failed: {error}", file=sys.stderr, flush=True)
            return False
        print(f"scheduler: {name} published message {message} to {job.topic}", flush=True)
        return True

    def app(self) -> Starlette:
        """Return an ASGI app that lists the jobs and runs one."""
        routes = [Route("/jobs", self._list), Route("/jobs/{name}:run", self._run, methods=["POST"])]
        return Starlette(routes=routes)

    async def _list(self, _: Request) -> Response:
        now = self._clock()
        return JSONResponse([
            {**job.model_dump(), "next_time": job.next_time(now).isoformat()} for job in self._jobs.values()
        ])  # fmt: skip

    async def _run(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in self._jobs:
            return JSONResponse({"error": f"no job {name}"}, 404)
        return JSONResponse({}, 200 if await self.run_now(name) else 502)


@asynccontextmanager
async def publishing(target: str, project: str) -> AsyncIterator[Publish]:
    """Yield what publishes a job to the Pub/Sub at HOST:PORT."""
    async with grpc.aio.insecure_channel(target) as channel:
        client = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))

        async def publish(job: Job) -> str:
            message = PubsubMessage(data=job.payload(), attributes=job.attributes)
            topic = f"projects/{project}/topics/{job.topic}"
            answer = await client.publish(topic=topic, messages=[message], timeout=PUBLISH_SECONDS)
            return str(answer.message_ids[0])

        yield publish


async def _serve(options: argparse.Namespace) -> int:
    jobs = read_jobs(options.jobs)
    async with publishing(options.pubsub, options.project) as publish:
        scheduler = Scheduler(jobs, publish)
        if options.run_now:
            return await _run_once(scheduler, options.run_now)
        listener = socket.create_server((options.host, options.port))
        running = asyncio.create_task(scheduler.run())
        server = uvicorn.Server(uvicorn.Config(scheduler.app(), log_level="warning", lifespan="off"))
        print(f"scheduler: {options.host}:{listener.getsockname()[1]}, {len(jobs)} jobs", flush=True)
        try:
            await server.serve(sockets=[listener])
        finally:
            running.cancel()
    return 0


async def _run_once(scheduler: Scheduler, name: str) -> int:
    try:
        return 0 if await scheduler.run_now(name) else 1
    except KeyError:
        raise ValueError(f"there is no job {name}") from None


def main(argv: Sequence[str] | None = None) -> int:
    """Run until SIGTERM. Returns 2 with one line on stderr when it cannot start, 1 when --run-now failed."""
    parser = argparse.ArgumentParser(prog="python -m local.scheduler", description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--host", default="127.0.0.1")
    add("--port", type=int, default=8606)
    add("--jobs", type=Path, required=True, metavar="FILE", help="YAML: a list of jobs")
    add("--pubsub", default="127.0.0.1:8603", metavar="HOST:PORT", help="where to publish")
    add("--project", default="piecework-local")
    add("--run-now", metavar="NAME", help="publish this job's message and end")
    options = parser.parse_args(argv)
    try:
        return asyncio.run(_serve(options))
    except KeyboardInterrupt:
        return 0
    except (OSError, OverflowError, ValueError) as error:
        print(f"scheduler: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
