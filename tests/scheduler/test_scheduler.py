"""When jobs run, what they publish, and what a file of jobs must look like."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import grpc
import httpx
import pytest
from google.api_core.exceptions import ServiceUnavailable
from google.pubsub_v1 import SubscriberAsyncClient
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

from local.pubsub.own import own_pubsub
from local.pubsub.plan import Plan, carry_out
from local.scheduler import Job, Scheduler, main, publishing, read_jobs

NOON = datetime(2026, 3, 28, 12, 0, tzinfo=UTC)
JOB = Job(name="nightly", schedule="*/10 * * * *", topic="fanout", data={"function": "article"})


class FakeTime:
    """A clock that sleeping moves, and that ends the run at `end`."""

    def __init__(self, end, at_least):
        self.now, self.end, self.at_least = NOON, end, at_least

    def clock(self):
        return self.now

    async def sleep(self, seconds):
        self.now += timedelta(seconds=max(seconds, self.at_least))
        if self.now > self.end:
            raise asyncio.CancelledError
        await asyncio.sleep(0)


async def run_until(end, *jobs, publish=None, at_least=0):
    """Return [(job name, time)] of what ran from noon to `end`, on a clock whose sleeps last that long."""
    time, ran = FakeTime(end, at_least), []

    async def keep(job):
        ran.append((job.name, time.now))
        return await publish(job) if publish else "1"

    scheduler = Scheduler(jobs, keep, clock=time.clock, sleep=time.sleep)
    await scheduler.run()
    return ran


async def test_a_job_runs_at_each_of_its_times():
    ran = await run_until(NOON + timedelta(minutes=25), JOB)

    assert [moment - NOON for _, moment in ran] == [timedelta(minutes=10), timedelta(minutes=20)]


async def test_a_failure_to_publish_waits_for_the_next_time(capsys):
    async def fail(job):
        raise ServiceUnavailable("away")

    ran = await run_until(NOON + timedelta(minutes=25), JOB, publish=fail)

    assert len(ran) == 2
    assert "nightly failed: 503 away" in capsys.readouterr().err


async def test_after_a_long_sleep_a_job_runs_once_and_not_for_every_time_it_missed():
    ran = await run_until(NOON + timedelta(minutes=80), JOB, at_least=35 * 60)

    assert [moment - NOON for _, moment in ran] == [timedelta(minutes=35), timedelta(minutes=70)]


@pytest.mark.parametrize(("zone", "hour_in_utc"), [("Etc/UTC", 9), ("Europe/Stockholm", 7), ("America/New_York", 13)])
def test_a_schedule_is_read_in_its_time_zone(zone, hour_in_utc):
    job = JOB.model_copy(update={"schedule": "0 9 * * *", "time_zone": zone})

    due = job.next_time(datetime(2026, 7, 1, 0, 0, tzinfo=UTC))

    assert due.astimezone(UTC) == datetime(2026, 7, 1, hour_in_utc, 0, tzinfo=UTC)


def test_a_daily_job_keeps_its_hour_when_the_clocks_change():
    job = JOB.model_copy(update={"schedule": "0 9 * * *", "time_zone": "Europe/Stockholm"})

    first = job.next_time(NOON)
    second = job.next_time(NOON - timedelta(hours=12))

    assert first.astimezone(UTC) == datetime(2026, 3, 29, 7, 0, tzinfo=UTC)
    assert second.astimezone(UTC) == datetime(2026, 3, 28, 8, 0, tzinfo=UTC)


@pytest.fixture
def jobs_file(tmp_path):
    def write(text):
        file = tmp_path / "jobs.yaml"
        file.write_text(text)
        return file

    return write


def test_a_file_of_jobs_is_read(jobs_file):
    file = jobs_file(
        """
        - name: nightly
          schedule: "*/10 * * * *"
          topic: fanout
          data: {function: article}
        """
    )

    assert read_jobs(file) == [JOB]


GOOD = "{name: a, schedule: '* * * * *', topic: t, data: x}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[{name: a", "is no YAML"),
        ("- {name: a}", "0.schedule: Field required"),
        ("[{name: a, schedule: daily, topic: t, data: x}]", "no schedule of five cron fields"),
        ("[{name: a, schedule: '* * * * * *', topic: t, data: x}]", "no schedule of five cron fields"),
        ("[{name: a, schedule: '61 * * * *', topic: t, data: x}]", "no schedule of five cron fields"),
        ("[{name: a, schedule: '* * * * *', topic: t}]", "needs data or at least one attribute"),
        ("[{name: a, schedule: '* * * * *', topic: t, data: x, time_zone: Mars/North}]", "is no time zone"),
        ("[{name: a, schedule: '* * * * *', topic: t, data: x, time_zone: ../../etc}]", "is no time zone"),
        ("[{name: a, schedule: '* * * * *', topic: t, data: x, retries: 3}]", "Extra inputs"),
        (f"[{GOOD}, {GOOD}]", "two jobs have the same name"),
        ("just text", "valid list"),
    ],
)
def test_a_wrong_file_is_told_in_one_line(jobs_file, capsys, text, told):
    code = main(["--jobs", str(jobs_file(text))])

    complaint = capsys.readouterr().err
    assert code == 2
    assert told in complaint
    assert complaint.count("\n") == 1


def test_an_unknown_job_cannot_be_run(jobs_file, capsys):
    assert main(["--jobs", str(jobs_file(f"[{GOOD}]")), "--run-now", "b"]) == 2
    assert capsys.readouterr().err == "scheduler: there is no job b\n"


@pytest.fixture
async def subscribed():
    """A Pub/Sub with a subscription to fanout; gives its target and a function that pulls one message."""
    async with own_pubsub("127.0.0.1", 0, None, None) as (port, _):
        target = f"127.0.0.1:{port}"
        await carry_out(Plan("piecework-local", ["fanout"], []), target)
        async with grpc.aio.insecure_channel(target) as channel:
            subscriber = SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=channel))
            name = "projects/piecework-local/subscriptions/test"
            await subscriber.create_subscription(name=name, topic="projects/piecework-local/topics/fanout")

            async def pull():
                answer = await subscriber.pull(subscription=name, max_messages=1)
                return answer.received_messages[0].message

            yield target, pull


async def test_a_job_publishes_its_data_as_json_with_its_attributes(subscribed):
    target, pull = subscribed
    job = JOB.model_copy(update={"attributes": {"source": "schedule"}})

    async with publishing(target, "piecework-local") as publish:
        await Scheduler([job], publish).run_now("nightly")

    message = await pull()
    assert json.loads(message.data) == {"function": "article"}
    assert message.attributes == {"source": "schedule"}


async def test_its_port_lists_the_jobs_and_runs_one():
    ran = []

    async def publish(job):
        ran.append(job.name)
        return "1"

    scheduler = Scheduler([JOB], publish, clock=lambda: NOON)
    transport = httpx.ASGITransport(app=scheduler.app())
    async with httpx.AsyncClient(transport=transport, base_url="http://scheduler") as client:
        (listed,) = (await client.get("/jobs")).json()
        answer = await client.post("/jobs/nightly:run")
        missing = await client.post("/jobs/other:run")

    assert listed["next_time"] == "2026-03-28T12:10:00+00:00"
    assert (answer.status_code, missing.status_code) == (200, 404)
    assert ran == ["nightly"]


async def test_run_now_publishes_once_and_ends(subscribed, jobs_file):
    target, pull = subscribed
    file = jobs_file("[{name: a, schedule: '0 0 1 1 *', topic: fanout, data: now}]")

    code = await asyncio.to_thread(main, ["--jobs", str(file), "--pubsub", target, "--run-now", "a"])

    assert code == 0
    assert (await pull()).data == b"now"
