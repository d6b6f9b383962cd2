"""measured: the newest lines of bench/results/ as tables in docs/measured.md, between <!-- NAME --> and <!-- /NAME -->.

python -m bench.measured           writes them
python -m bench.measured --check   exits 1 where they are not up to date
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "measured.md"
RESULTS = ROOT / "bench" / "results"
BLOCK = re.compile(r"(<!-- (?P<name>[a-z_]+) -->\n).*?(<!-- /(?P=name) -->)", re.DOTALL)
# About the run rather than of it; `runs` are the single values that the others sum up.
ABOUT = {"at", "on", "commit", "machine", "python", "runs", "grpcio", "name", "held", "promises", "scaled", "seconds"}


def main() -> None:
    page = PAGE.read_text()
    written = BLOCK.sub(lambda block: f"{block[1]}{tables(block['name'])}{block[3]}", page)
    if "--check" in sys.argv:
        sys.exit(0 if written == page else "docs/measured.md is behind bench/results/: run `python -m bench.measured`")
    PAGE.write_text(written)


def tables(name: str) -> str:
    lines = newest(RESULTS / f"{name}.jsonl")
    if not lines:
        return "\nNot measured yet.\n\n"
    return "\n" + "\n".join(trial(line) if "promises" in line else plain(line) for line in lines) + "\n"


def newest(file: Path) -> list[dict[str, Any]]:
    """The last line of each trial, in the order in which they came first; of a bench without names the last one."""
    lines = [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []
    return list({line.get("name"): line for line in lines}.values())


def trial(line: Mapping[str, Any]) -> str:
    """Promises with whether they held, then the figures."""
    parts = [f"**{line['name']}** ({about(line)}, {line['seconds']} s)\n"]
    parts += [f"- {'held' if held else '**broken**'}: {promise}" for promise, held in line["promises"].items()]
    if line["scaled"]:
        parts.append(f"- scaled: {line['scaled']}")
    return "\n".join([*parts, "", *table(line["figures"])])


def plain(line: Mapping[str, Any]) -> str:
    figures = {key: value for key, value in line.items() if key not in ABOUT}
    return "\n".join([f"({about(line)})", "", *table(figures)])


def table(figures: Mapping[str, Any]) -> list[str]:
    rows = [f"| {name} | {value} |" for name, value in flat(figures)]
    return ["| figure | value |", "| --- | --- |", *rows, ""]


def flat(figures: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, str]]:
    for key, value in figures.items():
        name = f"{above}{key.replace('_', ' ')}"
        if isinstance(value, Mapping):
            yield from flat(value, f"{name}: ")
        else:
            yield name, told(value)


def told(value: Any) -> str:
    if isinstance(value, list):
        return "; ".join(map(told, value)) or "none"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {told(one)}" for key, one in value.items())
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value).replace("|", "/")


def about(line: Mapping[str, Any]) -> str:
    on = line.get("on") or line
    words = [str(line["at"])[:16].replace("T", " "), f"commit {str(on['commit'])[:7]}" if on.get("commit") else ""]
    words += [f"{on['cores']} cores" if on.get("cores") else "", f"load {on['load']}" if on.get("load") else ""]
    return ", ".join(filter(None, words))


if __name__ == "__main__":
    main()
