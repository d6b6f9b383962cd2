"""The command: what it serves, and how it says that it cannot."""

import asyncio
import runpy
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from google.cloud.tasks_v2 import Queue

from local.cloud_tasks.__main__ import main
from local.cloud_tasks.queue_files import QUOTA_KEYS, Retries, queues_of_file

QUOTAS = "gemini-text: {requests_per_minute: 300, tokens_per_minute: 1000000, max_concurrent: 40}\n"
IN_FULL = """
mail:
  rate: {max_dispatches_per_second: 0.5, max_concurrent_dispatches: 3}
  retry: {max_attempts: 5, min_backoff: 10, max_backoff: 300s, max_doublings: 3, max_retry_duration: 1h}
"""
MANIFESTS = Path(__file__).parents[2] / "infra" / "manifests.py"
PARENT = "projects/piecework-local/locations/local"


@pytest.fixture
async def started(connect):
    """Start the command; return its process and a client."""
    processes = []

    async def started(*flags: str):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "local.cloud_tasks", "--port", "0", *flags), stdout=subprocess.PIPE
        )
        processes.append(process)
        line = (await asyncio.wait_for(process.stdout.readline(), 20)).decode()
        return process, connect(int(line.split(",")[0].rpartition(":")[2]))

    yield started
    for process in processes:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def test_it_serves_the_queues_of_quotas_and_flags(started, tmp_path):
    file = tmp_path / "quotas.yaml"
    file.write_text(QUOTAS)
    process, client = await started("--queues", str(file), "--queue", "mail=0.5/s,3")

    queues = {queue.name: queue async for queue in await client.list_queues(parent=PARENT)}
    process.send_signal(signal.SIGTERM)

    quota, mail = queues[f"{PARENT}/queues/gemini-text"], queues[f"{PARENT}/queues/mail"]
    assert quota.rate_limits.max_dispatches_per_second == 5
    assert quota.rate_limits.max_concurrent_dispatches == 40
    assert quota.retry_config.max_attempts == -1
    assert quota.retry_config.min_backoff.total_seconds() == 2
    assert quota.retry_config.max_backoff.total_seconds() == 60
    assert quota.retry_config.max_doublings == 5
    assert mail.rate_limits.max_dispatches_per_second == 0.5
    assert mail.rate_limits.max_concurrent_dispatches == 3
    assert await asyncio.wait_for(process.wait(), 10) == 0


async def test_a_signal_stops_it_with_work_on_its_way_and_the_work_is_sent_again(started, tmp_path, sink):
    data = str(tmp_path / "tasks.db")
    process, client = await started("--data", data, "--queue", "q=100/s")
    sink.held = {"/"}
    await client.create_task(parent=f"{PARENT}/queues/q", task={"http_request": {"url": sink.url}})
    await sink.received(1)

    process.send_signal(signal.SIGINT)
    code = await asyncio.wait_for(process.wait(), 10)
    await started("--data", data)

    assert code == 0
    await sink.received(2)


def test_a_quota_is_read_as_it_is_deployed(tmp_path):
    file = tmp_path / "quotas.yaml"
    file.write_text("gemini-text: {requests_per_minute: 90}")

    (queue,) = queues_of_file(file, PARENT, Retries())

    manifests = runpy.run_path(str(MANIFESTS))
    deployed = manifests["quota"]("gemini-text", {"requests_per_minute": 90})
    assert queue.rate_limits.max_concurrent_dispatches == deployed["max_concurrent"]
    assert set(manifests["QUOTA_KEYS"]) == QUOTA_KEYS


def test_queues_in_full(tmp_path):
    file = tmp_path / "queues.yaml"
    file.write_text(IN_FULL.replace("1h", "3600"))

    (mail,) = queues_of_file(file, PARENT, Retries())

    queue = Queue(mail)
    assert queue.rate_limits.max_concurrent_dispatches == 3
    assert queue.retry_config.max_attempts == 5
    assert queue.retry_config.max_backoff.total_seconds() == 300
    assert queue.retry_config.max_retry_duration.total_seconds() == 3600


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("gemini: {requests_per_minute: 1, max_concurrent: 1, colour: red}", "gemini: unknown key colour"),
        ("gemini: {max_concurrent: 1}", "gemini: requests_per_minute is missing"),
        ("gemini: {requests_per_minute: lots, max_concurrent: 1}", "gemini.requests_per_minute"),
        ("gemini: {requests_per_minute: 1, max_concurrent: 1.5}", "gemini.max_concurrent"),
        ("gemini: {requests_per_minute: 60000, max_concurrent: 1}", "gemini: max_dispatches_per_second"),
        ("gem_ini: {requests_per_minute: 1, max_concurrent: 1}", "letters, digits or hyphens"),
        ("mail: {rate: {speed: 1}}", "mail.rate: unknown key speed"),
        ("mail: {rate: 5}", "mail.rate: expected a mapping"),
        ("mail: {retry: {min_backoff: soon}}", "mail.retry.min_backoff"),
        (IN_FULL, "mail.retry.max_retry_duration"),
        ("mail: 5", "mail: expected a mapping"),
        ("- mail", "expected a mapping of queue names"),
        ("mail: {", "no YAML"),
    ],
)
def test_a_bad_file_is_named_with_its_key_in_one_line(tmp_path, capsys, content, says):
    file = tmp_path / "queues.yaml"
    file.write_text(content)

    code = main(["--port", "0", "--queues", str(file)])

    error = capsys.readouterr().err
    assert code == 2
    assert error.count("\n") == 1
    assert str(file) in error
    assert says in error


@pytest.mark.parametrize(
    ("flags", "says"),
    [
        (["--queues", "/nowhere/queues.yaml"], "/nowhere/queues.yaml"),
        (["--queue", "mail"], "--queue mail"),
        (["--queue", "mail=1.2.3/s"], "--queue mail=1.2.3/s"),
        (["--queue", "mail=9999/s"], "max_dispatches_per_second"),
        (["--project", "no spaces"], "no spaces"),
        (["--data", "/dev/null/tasks.db"], "/dev/null"),
    ],
)
def test_a_bad_flag_is_named_in_one_line(capsys, flags, says):
    code = main(["--port", "0", *flags])

    error = capsys.readouterr().err
    assert (code, error.count("\n")) == (2, 1)
    assert says in error


def test_a_taken_port_is_named_in_one_line(capfd):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]

        code = main(["--port", str(port)])

    assert code == 2
    assert f"cloud tasks: port {port} of 127.0.0.1 is taken" in capfd.readouterr().err
