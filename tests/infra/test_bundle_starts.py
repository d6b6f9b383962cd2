"""A bundle alone is enough: unpacked elsewhere, with nothing installed but its own lock file, it starts and answers.

It is treated as Google's buildpack treats it: installed with hashes, checked, compiled, started; and on the Python that
functions are deployed on, where this machine has that. Elsewhere the same is done on the Python of the tests.
"""

import ast
import json
import os
import subprocess
import sys
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from infra import bundle
from infra.manifests import load
from tests.engine.running import free_port, program
from tests.infra import deployed_python

ROOT = Path(__file__).parents[2]
MANIFESTS = load(ROOT)["functions"]
UV = Path(sys.executable).parent / "uv"
DEPLOYED_ON = deployed_python.find()
SETTINGS = {
    "SUPABASE_URL": "http://127.0.0.1:1",
    "SUPABASE_SECRET_KEY": "sb_secret_none",
    "PROJECT_ID": "none",
    "FUNCTION_URLS": json.dumps({name: f"http://127.0.0.1/{name}" for name in MANIFESTS}),
    "TASKS_SERVICE_ACCOUNT": "tasks@none.example",
    "PUBSUB_SERVICE_ACCOUNT": "pubsub@none.example",
    "FUNCTION_USE_ASGI": "True",
}
# What each kind of function says to somebody without a key or token: that it is there.
FIRST_ANSWER = {"item": ("POST", "/", 401), "push": ("POST", "/", 401), "http": ("GET", "/live", 200)}


@dataclass(frozen=True)
class Alone:
    """One bundle in a folder of its own, with an environment of its own."""

    name: str
    folder: Path
    python: Path
    problem: str = ""

    def run(self, code: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.python, "-I", "-c", code], cwd=self.folder, capture_output=True, text=True, check=False
        )


def install(name: str, built: Path, into: Path) -> Alone:
    folder, environment = into / "workspace" / name, into / "venv" / name
    with zipfile.ZipFile(built / f"{name}.zip") as archive:
        archive.extractall(folder)
    alone = Alone(name, folder, environment / "bin" / "python")
    for words in (
        ["venv", "--no-python-downloads", "--python", DEPLOYED_ON or sys.executable, environment],
        ["pip", "install", "--python", alone.python, "--require-hashes", "-r", folder / "requirements.txt"],
    ):
        done = subprocess.run([UV, "--quiet", *words], cwd=folder, capture_output=True, text=True, check=False)
        if done.returncode:
            return Alone(name, folder, alone.python, done.stderr.strip()[-500:])
    return alone


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Every bundle by its name, installed two at a time."""
    built, into = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("alone")
    bundle.build(ROOT, built)
    with ThreadPoolExecutor(2) as pool:
        return {one.name: one for one in pool.map(lambda name: install(name, built, into), MANIFESTS)}


@pytest.fixture(params=sorted(MANIFESTS))
def alone(installed, request):
    one = installed[request.param]
    if any(word in one.problem for word in ("dns error", "error sending request", "Failed to fetch", "tcp connect")):
        pytest.skip(f"the packages of {one.name} cannot be had here: {one.problem}")
    assert not one.problem
    return one


def test_it_is_installed_on_the_python_that_functions_are_deployed_on(alone):
    if DEPLOYED_ON is None:
        pytest.skip(f"there is no Python {deployed_python.version()} on this machine")

    done = alone.run("import platform; print(platform.python_version())")

    assert done.stdout.startswith(f"{deployed_python.version()}.")


def test_what_is_installed_fits_together(alone):
    """The buildpack asks pip the same, and refuses to build where it does not."""
    done = subprocess.run([UV, "pip", "check", "--python", alone.python], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr


def test_all_of_it_compiles(alone):
    """As the buildpack does it: bytecode that goes by its source's hash, and is not looked at again."""
    done = subprocess.run(
        [alone.python, "-m", "compileall", "-q", "-f", "--invalidation-mode", "unchecked-hash", alone.folder],
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout
    sources = [file for file in alone.folder.rglob("*.py") if file.stat().st_size]
    assert all(any((file.parent / "__pycache__").glob(f"{file.stem}.*.pyc")) for file in sources)


def test_it_starts_and_gives_its_first_answer(alone, tmp_path):
    method, path, status = FIRST_ANSWER[MANIFESTS[alone.name]["kind"]]
    port, log = free_port(), tmp_path / "log"
    command = [alone.python.parent / "functions-framework", "--target", "handle", "--host", "127.0.0.1"]

    with program(command, port=port, log=log, folder=alone.folder, environment={**SETTINGS, "PORT": str(port)}):
        answer = httpx.request(method, f"http://127.0.0.1:{port}{path}", json={}, timeout=60)

    assert answer.status_code == status, f"{answer.text}\n{log.read_text()[-2000:]}"


def test_whatever_it_imports_also_later_is_installed(alone):
    """Much is imported at the first item, long after the start."""
    # What asks a model is imported where the manifest names one.
    unneeded = set() if MANIFESTS[alone.name]["model"] else {"google.genai"}
    # What reads robots.txt, where the manifest obeys it.
    unneeded |= set() if MANIFESTS[alone.name]["robots"] else {"protego"}
    # What reads YAML is for where the sources are: a bundle holds none.
    unneeded |= set() if list(alone.folder.rglob("*.yaml")) else {"yaml"}
    modules = sorted(foreign(alone.folder, alone.name) - unneeded)

    done = alone.run(f"import importlib\nfor name in {modules!r}: importlib.import_module(name)")

    assert done.returncode == 0, done.stderr[-2000:]


def foreign(folder: Path, name: str) -> set[str]:
    """The modules of others that a function's files import, and those files of shared/ that they reach."""
    found, seen = set(), set()
    ahead = sorted((folder / "functions" / name).rglob("*.py"))
    while ahead:
        file = ahead.pop()
        if file in seen:
            continue
        seen.add(file)
        for module in imported(ast.parse(file.read_text())):
            if module.startswith("shared."):
                ahead.append(folder / f"{module.replace('.', '/')}.py")
            elif not module.startswith("functions."):
                found.add(module)
    return found


def imported(tree: ast.AST) -> set[str]:
    """What a file imports when it runs; what it imports for its types alone is not needed."""
    names = set()
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            continue
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module or "")
            if node.module == "shared":
                names |= {f"shared.{alias.name}" for alias in node.names}
        names |= imported(node)
    return names - {"shared", "", "__future__"}


def test_a_bundle_is_small_enough_to_be_started_quickly(installed):
    """The packages make the image; what is not needed at run time has no place in it."""
    for one in installed.values():
        if one.problem:
            continue
        packages = one.python.parent.parent
        size = sum(file.stat().st_size for file in packages.rglob("*") if file.is_file() and not file.is_symlink())
        assert size < 400e6, f"{one.name} installs {size / 1e6:.0f} MB"
        assert not os.access(packages / "bin" / "pytest", os.F_OK)
