"""The word lists beside this module: `[section]` lines, then words between blanks."""

from functools import cache
from pathlib import Path

_FOLDER = Path(__file__).parent / "words"


@cache
def sections(name: str) -> dict[str, frozenset[str]]:
    """Section -> its words, of `words/NAME.txt`."""
    found: dict[str, set[str]] = {}
    words: set[str] = set()
    for line in (_FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            words = found.setdefault(line.strip("[]"), set())
        elif not line.startswith("#"):
            words.update(word.replace("_", " ") for word in line.split())
    return {section: frozenset(words) for section, words in found.items()}
