"""Slots: where overlays go, read from slots.yaml when the function starts. A bad file stops a deploy, not an item.

A bundle holds the same as slots.json, for a start is faster without the library that reads YAML.

python -m functions.poster.slots FILE     checks a file
"""

import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent / "slots.yaml"
BUNDLED = FILE.with_suffix(".json")
NAME = re.compile(r"[a-z][a-z0-9_]{0,59}")
VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,59}")
MOST_SLOTS = 100
# A smaller slot is less than a pixel of the picture that is measured.
LEAST_SIDE = 0.005


class BadSlots(ValueError):
    """A slots file that cannot be used. The message names the file and the slot, and what to write."""


@dataclass(frozen=True)
class Slot:
    name: str
    role: str
    box: tuple[float, float, float, float]


@dataclass(frozen=True)
class Slots:
    version: str
    all: tuple[Slot, ...]


def load(file: Path) -> Slots:
    """From a YAML file, or what a bundle makes of it. Raises BadSlots."""
    try:
        written = file.read_text()
    except OSError as error:
        raise BadSlots(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadSlots(f"{file}: not YAML: {error}") from error
    return slots_of(json.loads(written) if file.suffix == ".json" else _yaml(written, file), file.name)


def _yaml(written: str, file: Path) -> Any:
    import yaml  # noqa: PLC0415 - not in the bundle

    try:
        return yaml.safe_load(written)
    except yaml.YAMLError as error:
        raise BadSlots(f"{file}: not YAML: {' '.join(str(error).split())}") from error


def slots_of(content: Any, file: str) -> Slots:
    """From the file's content. Raises BadSlots."""
    if not isinstance(content, dict) or set(content) != {"version", "slots"}:
        raise BadSlots(f"{file}: must have the two keys version and slots")
    version, given = content["version"], content["slots"]
    if not isinstance(version, str) or not VERSION.fullmatch(version):
        raise BadSlots(f"{file}: version must be a word such as slots-2, not {version!r}")
    if not isinstance(given, dict) or not 1 <= len(given) <= MOST_SLOTS:
        raise BadSlots(f"{file}: slots must map 1 to {MOST_SLOTS} names to {{role, box}}")
    return Slots(version, tuple(_slot(name, one, f"{file}: {name}") for name, one in given.items()))


def _slot(name: Any, given: Any, where: str) -> Slot:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise BadSlots(f"{where}: a slot is named in small letters, digits and _")
    if not isinstance(given, Mapping) or set(given) != {"role", "box"}:
        raise BadSlots(f"{where}: write {{role: badge, box: [x0, y0, x1, y1]}}")
    if not isinstance(given["role"], str) or not NAME.fullmatch(given["role"]):
        raise BadSlots(f"{where}: role must be a word such as badge, not {given['role']!r}")
    return Slot(name, given["role"], _box(given["box"], where))


def _box(given: Any, where: str) -> tuple[float, float, float, float]:
    if not isinstance(given, list) or len(given) != 4 or not all(_is_fraction(one) for one in given):
        raise BadSlots(f"{where}: box must be four numbers from 0 to 1, [x0, y0, x1, y1], not {given!r}")
    x0, y0, x1, y1 = map(float, given)
    if x1 - x0 < LEAST_SIDE or y1 - y0 < LEAST_SIDE:
        raise BadSlots(f"{where}: box must have x1 above x0 and y1 above y0, by {LEAST_SIDE} at least, not {given!r}")
    return x0, y0, x1, y1


def _is_fraction(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1


def main() -> None:
    """Print what the file holds, or its first problem (exit 1)."""
    try:
        slots = load(Path(sys.argv[1]) if len(sys.argv) > 1 else FILE)
    except BadSlots as error:
        sys.exit(str(error))
    print(f"{slots.version}: {len(slots.all)} slots of {len({slot.role for slot in slots.all})} roles")  # noqa: T201


if __name__ == "__main__":
    main()
else:
    SLOTS = load(BUNDLED if BUNDLED.exists() else FILE)
