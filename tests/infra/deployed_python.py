"""The Python that functions are deployed on, where this machine has one."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
RUNTIME = re.compile(r'variable "runtime" \{.*?default\s*= "python3(\d+)"', re.DOTALL)


def version() -> str:
    """As in 3.13: what infra/terraform deploys on unless it is told otherwise."""
    found = RUNTIME.search((ROOT / "infra" / "terraform" / "variables.tf").read_text())
    assert found
    return f"3.{found[1]}"


def interpreters(name: str) -> Iterator[Path]:
    if found := shutil.which(name):
        yield Path(found)
    # pyenv's command of that name starts a version only where a file or a variable selects it.
    installed = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    yield from sorted(installed.glob(f"{name.removeprefix('python')}*/bin/{name}"))


def find() -> Path | None:
    """An interpreter of that version that runs, or None."""
    for python in interpreters(f"python{version()}"):
        done = subprocess.run([python, "-c", "import venv"], capture_output=True, check=False)
        if done.returncode == 0:
            return python
    return None
