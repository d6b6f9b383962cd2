"""The whole stack, as `make run` and `make up` start it: the sample job, its second run, and the end of it all."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
import yaml

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "samples"
PARTS = 40
ALWAYS_FAIL = ("down.test", "slow.test", "reset.test")


def free_ports(count: int) -> int:
    """The first of `count` ports in a row that nothing listens on."""
    for first in range(20000, 32000, count):
        if all(is_free(port) for port in range(first, first + count)):
            return first
    raise AssertionError("no free ports")


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


class Local:
    """A stack that was started as a person starts it, with ports and data of its own."""

    def __init__(self, data: Path) -> None:
        self.data = data
        self.first_port = free_ports(PARTS)
        self.environment = {
            **os.environ,
            "PIECEWORK_PORT": str(self.first_port),
            "PIECEWORK_DATA": str(data),
            "PIECEWORK_URL": self.url(10),
            "GEMINI_API_KEY": "",
        }
        self.process = subprocess.Popen(
            [sys.executable, "-m", "local", "up"],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.said = self.read_until("Ctrl-C")

    def url(self, offset: int) -> str:
        return f"http://127.0.0.1:{self.first_port + offset}"

    def read_until(self, word: str) -> str:
        lines = []
        for line in self.process.stdout or []:
            lines.append(line)
            if word in line:
                return "".join(lines)
        raise AssertionError(f"the stack did not start: {''.join(lines)}")

    def piecework(self, *words: str) -> subprocess.CompletedProcess[str]:
        key = (self.data / "key").read_text()
        return subprocess.run(
            [sys.executable, "-m", "cli", *words],
            cwd=ROOT,
            env={**self.environment, "PIECEWORK_KEY": key},
            capture_output=True,
            text=True,
            timeout=150,
            check=False,
        )

    def results(self) -> dict[str, dict[str, Any]]:
        """The newest batch's items by their URL."""
        (batch,) = json.loads(self.piecework("batches", "--limit", "1", "--json").stdout)
        lines = self.piecework("results", batch["id"], "--jsonl").stdout.splitlines()
        return {item["input"]["url"]: item for item in map(json.loads, lines)}

    def model_calls(self) -> int:
        return int(httpx.get(f"{self.url(4)}/control/stats").json()["requests"])

    def programs(self) -> list[psutil.Process]:
        return [
            process
            for process in psutil.process_iter(["cmdline", "cwd"])
            if str(self.data) in " ".join([*(process.info["cmdline"] or []), process.info["cwd"] or ""])
        ]


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Local]:
    started = Local(tmp_path_factory.mktemp("local"))
    yield started
    if started.process.poll() is None:
        os.killpg(started.process.pid, signal.SIGINT)
        started.process.wait(60)


@pytest.fixture(scope="module")
def first_run(local: Local) -> subprocess.CompletedProcess[str]:
    return local.piecework("run", "article", str(SAMPLES / "urls.txt"), "--wait", "--details", "--fail-on", "none")


@pytest.mark.timeout(240)
def test_every_sample_ends_as_expected(local: Local, first_run: subprocess.CompletedProcess[str]):
    expected = yaml.safe_load((SAMPLES / "expected.yaml").read_text())

    items = local.results()

    ended = {url: (item["state"], item["reason"]) for url, item in items.items()}
    wanted = {url: (one["state"], one.get("reason")) for url, one in expected.items() if url in items}
    assert first_run.returncode == 0, first_run.stdout + first_run.stderr
    assert {url: end if wanted[url][1] else (end[0], None) for url, end in ended.items()} == wanted
    left_out = {url for url in expected if url not in items}
    assert all(expected[url].get("duplicate_of") or expected[url]["reason"] == "bad_input" for url in left_out)


def test_every_good_article_has_a_complete_row(local: Local, first_run: subprocess.CompletedProcess[str]):
    may_be_missing = {"author", "published_at", "etag", "last_modified", "language"}

    rows = [item["result"] for item in local.results().values() if item["state"] == "done"]

    assert len(rows) >= 12
    for row in rows:
        missing = {name for name, value in row.items() if value in (None, "", [])} - may_be_missing
        assert not missing, row["url"]
        assert "BEGIN PAGE" not in row["title"] + row["summary"]


def test_instructions_in_a_page_change_nothing(local: Local, first_run: subprocess.CompletedProcess[str]):
    expected = yaml.safe_load((SAMPLES / "expected.yaml").read_text())
    (url,) = (url for url, one in expected.items() if "inject" in one["shows"])

    row = local.results()[url]["result"]

    assert "HACKED" not in json.dumps(row)


@pytest.mark.timeout(240)
def test_a_second_run_asks_no_model(local: Local, first_run: subprocess.CompletedProcess[str], tmp_path: Path):
    calls = local.model_calls()
    # The three hosts that always fail have used up their domains' patience and rest for five minutes now.
    lines = (SAMPLES / "urls.txt").read_text().splitlines()
    rest = tmp_path / "urls.txt"
    rest.write_text("\n".join(line for line in lines if not any(host in line for host in ALWAYS_FAIL)))

    again = local.piecework("run", "article", str(rest), "--wait", "--fail-on", "none")

    states = {item["state"] for item in local.results().values()}
    assert again.returncode == 0, again.stdout + again.stderr
    assert states == {"done", "skipped", "dead"}
    assert local.model_calls() == calls


@pytest.fixture(scope="module")
def posters(local: Local, first_run: subprocess.CompletedProcess[str], tmp_path_factory: pytest.TempPathFactory):
    """How each sample poster ended, and the report."""
    page = tmp_path_factory.mktemp("report") / "posters.html"
    imported = local.piecework("import", "posters", str(SAMPLES / "posters.jsonl"))
    assert imported.returncode == 0, imported.stderr
    done = local.piecework("analyze-posters", "--include-inactive", "--fail-on", "none", "--report", str(page))
    assert done.returncode == 0, done.stderr
    ended = [json.loads(line) for line in done.stdout.splitlines()]
    return {one["content_id"]: one for one in ended}, page.read_text()


@pytest.mark.timeout(240)
def test_every_sample_poster_ends_as_expected(posters):
    expected = yaml.safe_load((SAMPLES / "expected_posters.yaml").read_text())

    ended, _ = posters

    assert {name: (one["state"], one["reason"] or None) for name, one in ended.items() if one["state"] != "done"} == {
        name: (one["state"], one["reason"]) for name, one in expected.items() if one["state"] != "done"
    }
    assert {name for name, one in ended.items() if one["state"] == "done"} == {
        name for name, one in expected.items() if one["state"] == "done"
    }


@pytest.mark.timeout(240)
def test_posters_show_what_is_on_them(posters):
    expected = yaml.safe_load((SAMPLES / "expected_posters.yaml").read_text())
    rows = {name: one for name, one in posters[0].items() if one["state"] == "done"}

    faces = {name: sum(each["type"] == "face" for each in row["elements"]) for name, row in rows.items()}

    assert faces == {name: one["faces"] for name, one in expected.items() if one["state"] == "done"}
    for name, row in rows.items():
        assert set(expected[name].get("flags", [])) <= set(row["image"]["flags"]), name
        assert set(expected[name].get("defects", [])) <= set(row["quality"]["flags"]), name


def test_the_same_image_is_paid_for_once(posters):
    expected = yaml.safe_load((SAMPLES / "expected_posters.yaml").read_text())
    ended, _ = posters

    for name, one in expected.items():
        if twin := one.get("same_image_as"):
            assert ended[name]["image"]["sha256"] == ended[twin]["image"]["sha256"]
            assert sorted([ended[name]["tokens_in"] > 0, ended[twin]["tokens_in"] > 0]) == [False, True]


def test_the_report_shows_every_poster(posters):
    ended, page = posters

    assert all(name in page for name in ended)


@pytest.mark.timeout(240)
def test_posters_that_come_again_cost_nothing(local: Local, posters):
    calls = local.model_calls()

    again = local.piecework("analyze-posters", "--again", "--include-inactive", "--fail-on", "none")

    assert again.returncode == 0, again.stderr
    assert len(again.stdout.splitlines()) == len(posters[0])
    assert local.model_calls() == calls


def test_nothing_is_left_waiting(local: Local, first_run: subprocess.CompletedProcess[str]):
    batches = json.loads(local.piecework("batches", "--json").stdout)

    assert all(batch["counts"]["waiting"] + batch["counts"]["running"] == 0 for batch in batches)


def test_a_backlog_is_told_before_it_is_run(local: Local):
    told = local.piecework("run", "article", "--backlog", "--limit", "50", "--dry-run")

    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith("Would enlist 0 items")


def test_a_second_stack_on_the_same_ports_says_what_to_do(local: Local, tmp_path: Path):
    second = subprocess.run(
        [sys.executable, "-m", "local", "up"],
        cwd=ROOT,
        env={**local.environment, "PIECEWORK_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert second.returncode == 1
    assert "is taken" in second.stderr
    assert "make down" in second.stderr
    assert len(second.stderr.strip().splitlines()) == 1


async def test_an_interrupt_leaves_no_process_behind(local: Local):
    assert local.programs()

    os.killpg(local.process.pid, signal.SIGINT)
    code = await asyncio.to_thread(local.process.wait, 60)

    until = time.monotonic() + 10
    while local.programs() and time.monotonic() < until:
        await asyncio.sleep(0.1)
    assert code == 0
    assert [process.info["cmdline"] for process in local.programs()] == []
    assert is_free(local.first_port)
