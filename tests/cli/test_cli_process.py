"""The command as a process: where it finds its key, a terminal, Ctrl-C, and the stack of a checkout."""

import os
import pty
import re
import signal
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cli import __version__

ROOT = Path(__file__).parents[2]
SECONDS = 30


@pytest.fixture
def checkout(tmp_path):
    """A folder that looks like a checkout, with a stack that says what it is told."""
    for folder in ("local", "functions", ".local"):
        (tmp_path / folder).mkdir()
    (tmp_path / "functions" / "quotas.yaml").touch()
    (tmp_path / "local" / "__init__.py").touch()
    (tmp_path / "local" / "__main__.py").write_text("import sys; print(sys.argv[1:]); sys.exit(7)")
    return tmp_path


def hear_ctrl_c():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def started(api):
    """Start the command; what is still running at the end is killed."""
    processes = []

    def start(*arguments, **options):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PIECEWORK_")}
        environment = {**kept, "PYTHONPATH": str(ROOT), "PIECEWORK_URL": api.url, "TERM": "xterm-256color"}
        streams = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE) | options
        command = [sys.executable, "-m", "cli", *arguments]
        # What is started in the background ignores Ctrl-C, and so would the command: tests may run there.
        streams["preexec_fn"] = hear_ctrl_c
        processes.append(subprocess.Popen(command, text=True, env=environment, **streams))
        return processes[-1]

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_the_key_of_the_checkout_opens_a_local_api_and_is_not_printed(started, api, checkout):
    (checkout / ".local" / "key").write_text(f"{api.key}\n")
    inside = checkout / "functions"

    process = started("run", "article", "-", "--wait", "--details", cwd=inside)
    out, err = process.communicate("http://daily.test/a\n", timeout=SECONDS)

    assert process.returncode == 0
    assert "Title 0" in out
    assert api.key not in out + err


def test_on_a_terminal_progress_is_a_live_bar(started, api, checkout):
    (checkout / ".local" / "key").write_text(api.key)
    controller, terminal = pty.openpty()
    api.pace = 1

    process = started("run", "article", "-", "--wait", cwd=checkout, stderr=terminal)
    out, _ = process.communicate("http://daily.test/a\nhttp://daily.test/b\n", timeout=SECONDS)
    os.close(terminal)
    drawn = os.read(controller, 65536).decode()

    assert "1/2" in drawn
    assert "\x1b[" in drawn
    assert re.search(r"done +2", out)


def test_ctrl_c_detaches_and_says_how_to_come_back(started, api, checkout):
    (checkout / ".local" / "key").write_text(api.key)
    api.pace = 0
    process = started("run", "article", "-", "--wait", cwd=checkout)
    process.stdin.write("http://daily.test/a\n")
    process.stdin.close()
    process.stdin = None
    assert api.looked.wait(SECONDS)

    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=SECONDS)

    assert process.returncode == 130
    assert err.endswith("piecework: Detached, the work goes on; come back with: piecework batch b1 --wait\n")


@pytest.mark.parametrize("command", ["up", "down"])
def test_up_and_down_hand_over_to_the_stack_of_the_checkout(started, checkout, command):
    process = started(command, "--port", "9", cwd=checkout)
    out, _ = process.communicate(timeout=SECONDS)

    assert out == f"['{command}', '--port', '9']\n"
    assert process.returncode == 7


def test_the_script_of_the_checkout_runs_from_any_folder(tmp_path):
    done = subprocess.run(
        [ROOT / "bin" / "piecework", "version"], cwd=tmp_path, capture_output=True, text=True, check=True
    )

    assert done.stdout == f"{__version__}\n"


def test_the_version_is_the_projects():
    assert tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"] == __version__


def test_without_a_checkout_up_says_so(piecework, monkeypatch):
    monkeypatch.setattr("cli.stack.checkout", lambda: None)

    ran = piecework("up")

    assert ran.code == 2
    assert ran.err == "piecework: piecework up needs the repository: run it inside a checkout.\n"
