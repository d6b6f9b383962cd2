"""Locks: one resolution for all. Every pin of a group's lock file is the one of locks/dev.txt."""

import re
import sys
import tomllib
from pathlib import Path
from typing import Any

from infra.manifests import load

ROOT = Path(__file__).parent.parent
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)==(\S+)", re.MULTILINE)
NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*")


def pins(file: Path) -> dict[str, str]:
    """{package: version} of a lock file; a package pinned twice (by Python version) has all its versions."""
    found: dict[str, str] = {}
    for name, version in PIN.findall(file.read_text()):
        found[name] = f"{found[name]} {version}" if name in found else version
    return found


def wanted(groups: dict[str, Any], group: str) -> set[str]:
    """The packages that a dependency group of pyproject.toml names."""
    names = set()
    for entry in groups[group]:
        if isinstance(entry, dict):
            names |= wanted(groups, entry["include-group"])
        elif match := NAME.match(entry):
            names.add(match.group().lower().replace("_", "-"))
    return names


def problems(root: Path) -> list[str]:
    groups = tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]
    one = pins(root / "locks" / "dev.txt")
    found = []
    for file in sorted((root / "locks").glob("*.txt")):
        have = pins(file)
        found += [f"{file.name}: {name} is not pinned" for name in sorted(wanted(groups, file.stem) - set(have))]
        found += [f"{file.name}: {name} {pin}, but dev.txt has {one.get(name)}" for name, pin in have.items()
                  if not set(pin.split()) <= set(one.get(name, "").split())]  # fmt: skip
    return found + without_robots(root)


def without_robots(root: Path) -> list[str]:
    """Functions that would obey robots.txt, and are deployed without its parser."""
    obeying = [name for name, one in load(root)["functions"].items() if one["kind"] == "item" and one["robots"]]
    return [
        f"{name}.txt: protego is not pinned: add it to the group {name} in pyproject.toml, or say robots: false"
        for name in obeying
        if "protego" not in pins(root / "locks" / f"{name}.txt")
    ]


def main() -> None:
    """Exit 1 with what to do when a lock file does not fit."""
    found = problems(ROOT)
    if found:
        sys.exit("locks/ is out of date, run `make lock`: " + "; ".join(found[:5]))


if __name__ == "__main__":
    main()
