"""The local stack, where there is a checkout to run it from."""

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from cli.problems import BadInput
from cli.settings import checkout


def run_local(command: str, arguments: Sequence[str]) -> int:
    """Run `python -m local COMMAND` in the checkout and return its exit code. Raises BadInput without one."""
    root = checkout()
    if root is None:
        raise BadInput(f"piecework {command} needs the repository: run it inside a checkout.")
    return subprocess.call([_python(root), "-m", "local", command, *arguments], cwd=root)  # noqa: S603


def _python(root: Path) -> str:
    own = root / ".venv" / "bin" / "python"
    return str(own) if own.exists() else sys.executable
