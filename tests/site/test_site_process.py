"""`python -m local.site` as whoever starts it sees it."""

import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parents[2]


@pytest.fixture
def start():
    """Starts the command; what still runs at the end is killed."""
    started = []

    def start_site(port):
        command = [sys.executable, "-m", "local.site", "--port", str(port), "--samples", "samples"]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        started.append(process)
        return process

    yield start_site
    for process in started:
        process.kill()
        process.communicate()


def test_sigterm_ends_it_quietly_while_an_endless_answer_is_sent(start):
    site = start(0)
    url = site.stdout.readline().split()[1]

    with httpx.stream("GET", f"{url}as/slow.test/news/one-byte-a-second") as answer:
        chunks = answer.iter_raw()  # held on to: httpx closes the connection of a forgotten iterator
        next(chunks)
        site.send_signal(signal.SIGTERM)
        _, errors = site.communicate(timeout=20)

    assert (site.returncode, errors) == (0, "")


def test_a_taken_port_is_said_in_one_line(start, port):
    site = start(port)

    output, errors = site.communicate(timeout=20)

    assert site.returncode == 1
    assert output == ""
    assert errors == f"site: cannot listen on port {port}: Address already in use\n"
