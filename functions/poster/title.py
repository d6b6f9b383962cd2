"""The poster's title: which of its texts it is, and whether it could still be read on a thumbnail. Pure."""

import difflib
import unicodedata
from collections.abc import Sequence

import numpy as np

from functions.poster.geometry import bounding, boxes_of
from functions.poster.light import Light, contrast_ratio
from functions.poster.row import Box, Element, Title

THUMBNAIL_HEIGHT = 240
LEGIBLE_PX = 10.0
LEGIBLE_CONTRAST = 3.0
# Alike enough to be the same title, read by somebody else.
ALIKE = 0.85
# Letters fill a part of their box: so much of it is surely letters, and surely ground.
_EDGE = 5


def with_title(elements: Sequence[Element], given: str | None) -> list[Element]:
    """The elements; text that says the given title is title too, where the model saw another one, or none."""
    if not given or alike(_joined(_titles(elements)), given) >= ALIKE:
        return list(elements)
    lines = _lines_of(elements, given)
    return [
        element.model_copy(update={"type": "title", "source": "title_match"}) if element in lines else element
        for element in elements
    ]


def title_of(elements: Sequence[Element], given: str | None, light: Light) -> Title | None:
    """All title elements as one; None on a textless poster."""
    lines = _titles(elements)
    if not lines:
        return None
    tallest = max(lines, key=lambda line: line.box[3] - line.box[1])
    height = (tallest.box[3] - tallest.box[1]) * THUMBNAIL_HEIGHT
    contrast = _contrast(tallest.box, light)
    return Title(
        text=_joined(lines) or None,
        box=_around(lines),
        lines=len(lines),
        match=round(alike(_joined(lines), given), 4) if given else None,
        thumbnail_px=round(height, 1),
        contrast=round(contrast, 2),
        legible=height >= LEGIBLE_PX and contrast >= LEGIBLE_CONTRAST,
    )


def alike(one: str, other: str) -> float:
    """0 to 1: how much two texts have in common, whatever their case, accents and signs.

    Signs count where neither has anything else: a film may be called "$".
    """
    pair = _bare(one), _bare(other)
    if not any(pair):
        pair = one.casefold(), other.casefold()
    return difflib.SequenceMatcher(None, *pair, autojunk=False).ratio()


def _titles(elements: Sequence[Element]) -> list[Element]:
    """Title elements in reading order."""
    return sorted((one for one in elements if one.type == "title"), key=lambda one: (one.box[1], one.box[0]))


def _lines_of(elements: Sequence[Element], given: str) -> list[Element]:
    """The text, or the lines together, that say the given title; none where no text does."""
    texts = [one for one in elements if one.type == "text" and one.text]
    whole = [one for one in texts if alike(one.text or "", given) >= ALIKE]
    if whole:
        return [max(whole, key=lambda one: one.box[3] - one.box[1])]
    words = set(_bare(given).split())
    spoken = ((one, set(_bare(one.text or "").split())) for one in texts)
    parts = sorted((one for one, said in spoken if said and words >= said), key=lambda one: one.box[1])
    return parts if alike(_joined(parts), given) >= ALIKE else []


def _joined(lines: Sequence[Element]) -> str:
    return " ".join(line.text for line in lines if line.text)


def _bare(text: str) -> str:
    split = unicodedata.normalize("NFKD", text.casefold())
    kept = (one for one in split if not unicodedata.combining(one) and not _is_selector(one))
    return " ".join("".join(one if one.isalnum() or _is_vowel_sign(one) else " " for one in kept).split())


def _is_vowel_sign(sign: str) -> bool:
    """Vowels of Thai, Devanagari and their like: marks, which are no accents."""
    return unicodedata.category(sign) in ("Mn", "Mc")


def _is_selector(sign: str) -> bool:
    """A mark that has no look of its own, and chooses that of the sign before it."""
    return "\ufe00" <= sign <= "\ufe0f"


def _contrast(box: Box, light: Light) -> float:
    dark, bright = np.percentile(light.luminance[light.window(box)], (_EDGE, 100 - _EDGE))
    return contrast_ratio(float(bright), float(dark))


def _around(lines: Sequence[Element]) -> Box:
    x0, y0, x1, y1 = map(float, bounding(boxes_of(line.box for line in lines)))  # type: ignore[arg-type]
    return x0, y0, x1, y1
