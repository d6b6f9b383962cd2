"""Where in a prompt the text to work on is, and where the instruction ends.

What stands between delimiters is data. Nothing in it is ever carried out; there is nothing here that could.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

_TAG = re.compile(r"<([A-Za-z][\w.-]{0,40})((?:\s[^<>]{0,400})?)>")
_FENCE = re.compile(r"^(\"{3}|`{3,}|'{3}|-{3,}|={3,}|~{3,})[^\n]*$", re.MULTILINE)
_BEGIN = re.compile(r"^[-=*# ]*(?:BEGIN|START)\b(.*)$", re.MULTILINE)
_TITLE = re.compile(r"\btitle\s*=\s*(?:\"([^\"]*)\"|'([^']*)')", re.IGNORECASE)
_SHORTEST_BLOCK = 40
_MOST_BLOCKS = 20
_INSTRUCTION = re.compile(
    r"^(?:please\s+|you\s+(?:are|will|get)\b|summari[sz]e\b|extract\b|describe\b|analy[sz]e\b|read\b|write\b|give\b|list\b|"
    r"classify\b|translate\b|answer\b|find\b|return\b|tell\b|what\b|who\b|why\b|how\b|when\b|where\b|is\b|fasse\b|résume)",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Material:
    text: str
    instruction: str
    title: str = ""


def material(texts: Sequence[str], system: str = "") -> Material:
    """The longest delimited block of the prompt; else its longest part; else what follows the instruction."""
    longest = max(texts, key=len, default="")
    others = "\n".join(text for text in texts if text is not longest)
    block = max(_blocks(longest), key=lambda each: each[1] - each[0], default=None)
    if block and block[1] - block[0] >= _SHORTEST_BLOCK:
        start, end, title = block
        outside = f"{longest[:start]}\n{longest[end:]}"
        return Material(longest[start:end].strip(), _joined(system, others, outside), title)
    asked, text = ("", longest) if others.strip() else _split(longest)
    return Material(text.strip(), _joined(system, others, asked))


def _blocks(text: str) -> Iterator[tuple[int, int, str]]:
    """(start, end, title attribute) of what stands between tags, marked lines or fences.

    Text inside may hold a closing tag of its own, so a block ends at the last one.
    """
    opened: dict[str, re.Match[str]] = {}
    for tag in _TAG.finditer(text):
        known = opened.setdefault(tag.group(1), tag)
        # "The page stands between <page> and </page>" comes before the page itself, in the middle of a line.
        if not _opens_line(text, known) and _opens_line(text, tag):
            opened[tag.group(1)] = tag
    for name, tag in opened.items():
        end = text.rfind(f"</{name}>", tag.end())
        if end >= 0:
            titled = _TITLE.search(tag.group(2))
            yield tag.end(), end, (titled.group(1) or titled.group(2) or "") if titled else ""
    for begin in islice(_BEGIN.finditer(text), _MOST_BLOCKS):
        ends = list(re.finditer(rf"^[-=*# ]*END{re.escape(begin.group(1))}\s*$", text[begin.end() :], re.MULTILINE))
        if ends:
            yield begin.end(), begin.end() + ends[-1].start(), ""
    for kind in {fence.group(1) for fence in _FENCE.finditer(text)}:
        fences = [fence for fence in _FENCE.finditer(text) if fence.group(1) == kind]
        if len(fences) > 1:
            yield fences[0].end(), fences[-1].start(), ""


def _opens_line(text: str, tag: re.Match[str]) -> bool:
    return tag.start() == 0 or text[tag.start() - 1] == "\n"


def _split(text: str) -> tuple[str, str]:
    """(instruction, the rest) of a prompt without delimiters."""
    for divider in ("\n\n", "\n", ": "):
        first, _, rest = text.strip().partition(divider)
        if rest.strip() and (_INSTRUCTION.match(first) or first.rstrip().endswith(":")) and len(first) < 600:
            return first, rest
    return (text, "") if _INSTRUCTION.match(text.strip()) and len(text) < 300 else ("", text)


def _joined(*texts: str) -> str:
    return "\n".join(text.strip() for text in texts if text.strip())
