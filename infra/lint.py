"""lint: what `terraform validate` lets pass: each variable and local is used and explained, each grant has its why."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parent / "terraform"
BLOCK = re.compile(
    r"^(?P<kind>resource|data|variable|output|locals)\b(?P<labels>[^{]*)\{\n(?P<body>.*?)^\}", re.MULTILINE | re.DOTALL
)
LOCAL = re.compile(r"^  (\w+) += ", re.MULTILINE)
GRANT = re.compile(r"_iam_(member|binding|policy|audit_config)$")
SNAKE = re.compile(r"[a-z][a-z0-9_]*")
SOMEBODY = re.compile(r'default\s*=\s*"[^"]*@[^"]*"')


class Block(NamedTuple):
    kind: str
    labels: list[str]
    body: str
    before: str


def blocks(text: str) -> Iterator[Block]:
    for match in BLOCK.finditer(text):
        before = text[: match.start()].removesuffix("\n").rsplit("\n", 1)[-1]
        yield Block(match["kind"], re.findall(r'"([^"]+)"', match["labels"]), match["body"], before)


def problems(folder: Path) -> list[str]:
    """What is wrong, each with its file."""
    texts = {path: path.read_text() for path in sorted(folder.glob("*.tf"))}
    whole = "\n".join(texts.values())
    found = []
    for path, text in texts.items():
        if not text.startswith("# "):
            found.append(f"{path.name}: its first line says what it holds")
        found += [f"{path.name}: {problem}" for block in blocks(text) for problem in wrong_with(block, whole)]
    return found


def wrong_with(block: Block, whole: str) -> Iterator[str]:
    name = ".".join(block.labels)
    if block.labels and not SNAKE.fullmatch(block.labels[-1]):
        yield f"{name}: names are small letters, digits and _"
    if block.kind in {"variable", "output"} and not re.search(r"^  description += ", block.body, re.MULTILINE):
        yield f"{block.kind} {name} has no description"
    if block.kind == "variable":
        yield from wrong_with_variable(name, block, whole)
    if block.kind == "locals":
        yield from (
            f"local.{one} is used nowhere" for one in LOCAL.findall(block.body) if not used(f"local.{one}", whole)
        )
    if block.kind == "resource" and GRANT.search(block.labels[0]) and not block.before.startswith("# "):
        yield f"{name}: a grant has a line above it that says what for"


def wrong_with_variable(name: str, block: Block, whole: str) -> Iterator[str]:
    if not re.search(r"^  type += ", block.body, re.MULTILINE):
        yield f"variable {name} has no type"
    if not used(f"var.{name}", whole.replace(block.body, "")):
        yield f"var.{name} is used nowhere"
    if SOMEBODY.search(block.body):
        yield f"variable {name}: an address of somebody is no default"


def used(reference: str, text: str) -> bool:
    return re.search(rf"\b{re.escape(reference)}\b", text) is not None


def main() -> None:
    """Exit 1 with every problem in a line."""
    found = [problem for folder in (FOLDER, *FOLDER.glob("*/")) for problem in problems(folder)]
    if found:
        sys.exit("\n".join(f"infra/terraform: {problem}" for problem in found))


if __name__ == "__main__":
    main()
