"""record: one JSON line per run in bench/results/NAME.jsonl: the figures, and what they were measured on."""

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
RESULTS = Path(__file__).parent / "results"
PACKAGES = ("functions-framework", "supabase", "google-cloud-tasks", "google-genai", "httpx")


def write(name: str, figures: dict[str, Any]) -> dict[str, Any]:
    """Append the line, print the figures, and return the line."""
    line = {"at": datetime.now(UTC).isoformat(timespec="seconds"), **figures, "on": machine()}
    RESULTS.mkdir(exist_ok=True)
    with (RESULTS / f"{name}.jsonl").open("a") as results:
        results.write(json.dumps(line) + "\n")
    print(json.dumps(figures, indent=1), flush=True)
    return line


def machine() -> dict[str, Any]:
    asked = ["git", "rev-parse", "--short", "HEAD"]
    commit = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    return {
        "commit": commit.stdout.strip() or None,
        "cores": os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "load": round(os.getloadavg()[0], 1),
        "python": platform.python_version(),
        **{package: version(package) for package in PACKAGES},
    }
