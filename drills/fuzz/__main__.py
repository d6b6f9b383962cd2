"""python -m drills.fuzz [--seconds N] [TARGET...]: coverage-guided fuzzing of all that reads the bytes of strangers.

Every input must end as a value of its type or as an outcome: no other exception, none over 3 s, none over 300 MB. Each
target runs in a process of its own (drills.fuzz.run), which goes on after a failure. What it learned stays in
.local/fuzz/TARGET, the smallest input of each kind of failure in .local/fuzz/TARGET.found. A line goes into
bench/results/fuzz.jsonl, and the exit code is 1 where anything was found.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

from bench.record import write
from drills.fuzz.targets import TARGETS

FOLDER = Path(".local/fuzz")
# Of what libFuzzer tells in the end.
EXECUTIONS = re.compile(r"stat::number_of_executed_units:\s+(\d+)")
EDGES = re.compile(r"cov: (\d+) ")


def fuzz(name: str, seconds: int) -> dict[str, int]:
    """Run one target; how far it came, and how many kinds of failure it met."""
    found = FOLDER / f"{name}.found"
    for old in found.glob("*"):
        old.unlink()
    command = [sys.executable, "-m", "drills.fuzz.run", name, str(seconds), str(FOLDER)]
    done = subprocess.run(command, stdout=None, stderr=subprocess.PIPE, text=True, errors="replace", check=False)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    executions = int(EXECUTIONS.findall(done.stderr)[-1])
    return {
        "executions": executions,
        "per_second": executions // seconds,
        "edges": int(EDGES.findall(done.stderr)[-1]),
        "failures": len(list(found.glob("*.txt"))),
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m drills.fuzz", description="Fuzz what reads the bytes of strangers."
    )
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="for each target (default 60)")
    asked = parser.parse_args()
    if unknown := set(asked.targets) - set(TARGETS):
        parser.error(f"no target {', '.join(sorted(unknown))}; there are {', '.join(TARGETS)}")
    FOLDER.mkdir(parents=True, exist_ok=True)
    found = {name: fuzz(name, asked.seconds) for name in asked.targets or TARGETS}
    write("fuzz", {"seconds_each": asked.seconds, "targets": found})
    sys.exit(any(one["failures"] for one in found.values()))


if __name__ == "__main__":
    main()
