"""What a line of text is on a poster: its title, a rating mark, or some other text."""

import re
from collections.abc import Sequence

from local.gemini.vision.boxes import around
from local.gemini.vision.lines import Line

_TITLE_SHARE = 0.6  # of the tallest line's height: what is at least that tall is title too
_APART = 1.0  # lines of one title stand closer than this many of its tallest line's heights
_LOWEST_TITLE = 0.03  # of the picture's height: a poster whose tallest line is lower has no title
_MARKS = re.compile(
    r"(?:G|PG|PG ?-?13|R|NC ?-?17|TV-(?:Y7?|G|PG|14|MA)|U|12A|FSK ?\d{1,2}|(?:0|6|7|12|13|14|15|16|18)\+|U/?A ?\d*\+?)"
)


def title_of(lines: Sequence[Line], picture_height: float) -> list[Line]:
    """The lines of the title, from top to bottom: the tallest one and its like around it."""
    worded = [line for line in lines if not is_rating_mark(line.text) and any(map(str.isalnum, line.text))]
    if not worded:
        return []
    tallest = max(worded, key=lambda line: line.height)
    if tallest.height < _LOWEST_TITLE * picture_height:
        return []
    tall = [line for line in worded if line.height >= _TITLE_SHARE * tallest.height]
    return sorted(_beside(tallest, tall), key=lambda line: line.box[1])


def in_rows(lines: Sequence[Line]) -> list[Line]:
    """Pieces that share a row as one line each, from top to bottom."""
    rows: list[list[Line]] = []
    for line in sorted(lines, key=lambda line: line.box[1]):
        row = next((row for row in rows if _share_a_row(row[0], line)), None)
        row.append(line) if row else rows.append([line])
    return [_joined(sorted(row, key=lambda line: line.box[0])) for row in rows]


def _share_a_row(one: Line, other: Line) -> bool:
    both = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
    return both > 0.5 * min(one.height, other.height)


def _joined(lines: Sequence[Line]) -> Line:
    """The box around them, their texts, the least confidence."""
    return Line(
        around([line.box for line in lines]),
        " ".join(line.text for line in lines),
        min(line.confidence for line in lines),
    )


def _beside(tallest: Line, tall: Sequence[Line]) -> list[Line]:
    """Those that touch the tallest one over a chain of small gaps."""
    reached, gap = [tallest], _APART * tallest.height
    rest = [line for line in tall if line is not tallest]
    while near := [line for line in rest if any(_gap(line, other) <= gap for other in reached)]:
        reached += near
        rest = [line for line in rest if line not in near]
    return reached


def _gap(one: Line, other: Line) -> float:
    (a, b, c, d), (e, f, g, h) = one.box, other.box
    return max(e - c, a - g, f - d, b - h, 0.0)


def is_rating_mark(text: str) -> bool:
    """Whether the text is nothing but the mark of an age rating, as film boards write them."""
    return _MARKS.fullmatch(text.strip(" .,|-")) is not None
