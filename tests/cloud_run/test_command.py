"""The command, as a person or a stack starts it."""

import asyncio
import json
import os
import signal
import socket
import sys
from pathlib import Path

import httpx
import psutil

from standins.cloud_run.__main__ import main
from tests.cloud_run.conftest import APP, until

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


async def start(*words: str) -> asyncio.subprocess.Process:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "standins.cloud_run", *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    assert b" on 127.0.0.1:" in await process.stdout.readline()
    return process


async def test_one_service_runs_alone_and_ends_with_its_front_door(tmp_path: Path):
    port = free_port()
    target = f"{sys.executable} {APP} {tmp_path}"
    process = await start("--target", target, "--port", str(port), "--env", "COLOUR=red", "--timeout", "7")

    async with httpx.AsyncClient() as client:
        pid = (await client.get(f"http://127.0.0.1:{port}/echo")).json()["pid"]
    process.send_signal(signal.SIGTERM)

    assert await process.wait() == 0
    assert not psutil.pid_exists(pid)
    environment = json.loads((tmp_path / "environment.json").read_text())
    assert (environment["COLOUR"], environment["CLOUD_RUN_TIMEOUT_SECONDS"]) == ("red", "7")


async def test_the_next_front_door_ends_what_a_killed_one_left(tmp_path: Path):
    file, port = tmp_path / "services.yaml", free_port()
    service = {"name": "one", "port": port, "command": [sys.executable, str(APP), str(tmp_path)]}
    file.write_text(json.dumps({"services": [service]}))
    first = await start("--services", str(file))
    async with httpx.AsyncClient() as client:
        left = (await client.get(f"http://127.0.0.1:{port}/echo")).json()["pid"]
    first.kill()
    await first.wait()
    assert psutil.pid_exists(left)

    second = await start("--services", str(file))

    await until(lambda: not psutil.pid_exists(left))
    second.send_signal(signal.SIGTERM)
    await second.wait()


async def test_the_admin_address_tells_and_kills(tmp_path: Path):
    port, admin = free_port(), free_port()
    target = f"{sys.executable} {APP} {tmp_path}"
    process = await start("--target", target, "--port", str(port), "--admin-port", str(admin))
    async with httpx.AsyncClient() as client:
        await client.get(f"http://127.0.0.1:{port}/echo")
        (instance,) = (await client.get(f"http://127.0.0.1:{admin}/stats")).json()["services"]["service"]["instances"]

        killed = (await client.post(f"http://127.0.0.1:{admin}/services/service/kill")).json()["killed"]
        unknown = await client.post(f"http://127.0.0.1:{admin}/services/other/kill")

        assert killed == [instance["pid"]]
        assert unknown.status_code == 404
        await until(lambda: not psutil.pid_exists(instance["pid"]))
    process.send_signal(signal.SIGTERM)
    await process.wait()


async def test_sighup_replaces_the_instances(tmp_path: Path):
    port = free_port()
    process = await start("--target", f"{sys.executable} {APP} {tmp_path}", "--port", str(port))
    async with httpx.AsyncClient() as client:
        before = (await client.get(f"http://127.0.0.1:{port}/echo")).json()["pid"]

        os.kill(process.pid, signal.SIGHUP)
        await until(lambda: not psutil.pid_exists(before))

        assert (await client.get(f"http://127.0.0.1:{port}/echo")).status_code == 200
    process.send_signal(signal.SIGTERM)
    await process.wait()


def test_a_services_file_that_is_none_is_one_line(tmp_path: Path, capsys):
    (tmp_path / "bad.yaml").write_text("services: [{name: one, port: 1, command: x, colour: red}]")

    assert main(["--services", str(tmp_path / "bad.yaml")]) == 2

    (line,) = capsys.readouterr().err.splitlines()
    assert "colour" in line
