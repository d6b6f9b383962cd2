"""Text into sentences, and sentences into shorter ones."""

import re

from local.gemini.word_lists import sections

SHORTEST_IN_WORDS = 4
_ABBREVIATIONS = sections("abbreviations")["abbreviations"]
_END = re.compile(r"[.!?…]+[\"”’»)\]]*\s+(?=[\"“‘«¿¡(\[]*[A-ZÀ-ÖØ-Þ0-9])|[。！？]")  # noqa: RUF001 - CJK stops are meant
_MARKUP = re.compile(r"^\s*(?:[#>*\-•]+|\d{1,2}[.)])\s+")
_ASIDE = re.compile(r"\s*(?:\([^()]*\)|\[[^\[\]]*\]|[—–]\s[^—–]{3,60}\s[—–])")  # noqa: RUF001 - dashes are meant
_OPENER = re.compile(
    r"^(?:However|Meanwhile|Moreover|Furthermore|In addition|But|And|So|Still|Yet|Instead|Also|Therefore|Indeed),?\s+",
)
_SUBORDINATE = re.compile(
    r"^(?:Once|When|While|As|If|Because|Although|Though|After|Before|Since|Until|Having"
    r"|Despite|In|At|By|For|With)\b[^,]*,\s+"
)
_CLAUSE = re.compile(r"(?:;|\s[—–-]\s|,\s(?:which|who|while|although|because|but|and|where|with|as|whose)\b)")  # noqa: RUF001
_DATELINE = re.compile(
    r"^(?:[A-ZÀ-Þ][A-ZÀ-Þ .,'-]{2,30}|[A-ZÀ-Þ]{3,}[\w .,]{0,20})\s*"
    r"(?:\([^()]{2,30}\)\s*)?[—–-]+\s+"  # noqa: RUF001 - dashes are meant
)


def sentences(text: str) -> list[str]:
    """Sentences in reading order. Headings and menu entries are left out, unless nothing else is there."""
    found = [
        sentence for line in text.splitlines() for sentence in _split(_DATELINE.sub("", _MARKUP.sub("", line).strip()))
    ]
    whole = [sentence for sentence in found if _is_whole(sentence)]
    return whole or found


def shortened(sentence: str, longest: int = 160) -> str:
    """The sentence without asides, cut at a clause where it is longer than `longest` characters."""
    plain = _OPENER.sub("", _ASIDE.sub("", sentence)).strip()
    if len(plain) > longest and len(_SUBORDINATE.sub("", plain)) >= longest // 3:
        plain = _SUBORDINATE.sub("", plain)
    plain = plain[:1].upper() + plain[1:]
    if len(plain) <= longest:
        return plain
    cuts = [match.start() for match in _CLAUSE.finditer(plain) if longest // 3 <= match.start() <= longest]
    return plain[: cuts[-1]].rstrip() + "." if cuts else clipped(plain, longest)


def clipped(text: str, longest: int) -> str:
    """At most `longest` characters, ending after a word where that is possible."""
    if len(text) <= longest:
        return text
    if longest < 2:
        return text[:longest]
    head = text[: longest - 1]
    before_word = head.rsplit(None, 1)[0] if " " in head else head
    return before_word.rstrip(" ,;:") + "…"


def _split(line: str) -> list[str]:
    pieces, start = [], 0
    for end in _END.finditer(line):
        if not _is_abbreviation(line[start : end.start()], end.group()):
            pieces.append(line[start : end.end()].strip())
            start = end.end()
    return [piece for piece in [*pieces, line[start:].strip()] if piece]


def _is_abbreviation(before: str, stop: str) -> bool:
    word = before.rsplit(None, 1)[-1].lower().lstrip("(\"'“‘") if before.strip() else ""  # noqa: RUF001 - quotation marks are meant
    initial = len(word) == 1 and word.isalpha() and word not in {"i", "a"}
    return stop.lstrip(".").isspace() and stop.startswith(".") and (initial or word in _ABBREVIATIONS)


def _is_whole(sentence: str) -> bool:
    return len(sentence.split()) >= SHORTEST_IN_WORDS or bool(re.search(r"[。！？]$", sentence))  # noqa: RUF001
