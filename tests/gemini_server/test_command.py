import json
import signal
import socket
import subprocess
import sys

import httpx
import pytest

COMMAND = [sys.executable, "-m", "local.gemini", "--port"]


@pytest.fixture
def start(tmp_path):
    started = []

    def run(*arguments):
        process = subprocess.Popen(
            [*COMMAND, "0", "--cache", str(tmp_path), *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process, process.stdout.readline().split()[1]

    yield run
    for process in started:
        process.kill()
        process.communicate()


def test_a_taken_port_is_told_in_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])

        ended = subprocess.run([*COMMAND, port], capture_output=True, text=True, timeout=30, check=False)

    assert ended.returncode == 1
    assert ended.stderr.splitlines() == [f"local.gemini: cannot listen on 127.0.0.1:{port}: Address already in use"]


def test_a_terminated_server_ends_well(start):
    process, url = start()
    assert httpx.get(f"{url}/live").json() == {"status": "live"}

    process.send_signal(signal.SIGTERM)
    _, errors = process.communicate(timeout=20)

    assert (process.returncode, errors) == (0, "")


def test_faults_in_a_file_are_there_from_the_start(start, tmp_path):
    file = tmp_path / "faults.json"
    file.write_text(json.dumps([{"fault": "503", "match": "poison"}]))

    _, url = start("--faults", str(file))

    assert httpx.get(f"{url}/control/faults").json()["rules"] == [{"fault": "503", "match": "poison", "fired": 0}]


def test_a_wrong_faults_file_is_told_in_one_line(tmp_path):
    file = tmp_path / "faults.json"
    file.write_text('[{"fault": "509"}]')

    command = [*COMMAND, "0", "--faults", str(file)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)

    assert ended.returncode == 1
    assert len(ended.stderr.splitlines()) == 1
