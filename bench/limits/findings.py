"""findings: what a trial measured, what it had to show, and whether it did; one line each in bench/results/."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.record import write


@dataclass
class Findings:
    """Figures, and promises in words with whether they held. `scaled`: what was made smaller than life."""

    figures: dict[str, Any]
    promises: dict[str, bool] = field(default_factory=dict)
    scaled: str | None = None

    @property
    def held(self) -> bool:
        return all(self.promises.values())


Trials = Mapping[str, Callable[[], Awaitable[Findings]]]


async def run_all(file: str, trials: Trials, names: Sequence[str]) -> bool:
    """Run the named trials one after the other and record each. False when a promise was broken."""
    held = True
    for name in names or trials:
        print(f"{file}: {name}", flush=True)
        started = time.monotonic()
        findings = await trials[name]()
        line = {
            "name": name,
            "figures": findings.figures,
            "promises": findings.promises,
            "held": findings.held,
            "scaled": findings.scaled,
            "seconds": round(time.monotonic() - started),
        }
        write(file, line)
        held = held and findings.held
    return held


def main(file: str, trials: Trials) -> None:
    """The command line: names to run, all without; exits 1 when a promise was broken."""
    names = sys.argv[1:]
    unknown = [name for name in names if name not in trials]
    if unknown:
        sys.exit(f"unknown: {', '.join(unknown)}; there is: {', '.join(trials)}")
    sys.exit(0 if asyncio.run(run_all(file, trials, names)) else 1)
