"""Vision: what the model fills in. The class is the schema that is sent, and tidies what comes back.

A box whose corners are swapped is mended, one that reaches out of the picture is cut, one without an area is dropped.
An answer with a box of other than four numbers, or a type that was not offered, is refused whole (and asked for again):
leaving out a face would call a spot safe that is not.
"""

import re
import unicodedata
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

from functions.poster.row import Box, Element, ElementType

SCALE = 1000
MOST_ELEMENTS = 200
MOST_CHARACTERS = 300
# The first are kept where there are too many.
IMPORTANCE: tuple[ElementType, ...] = ("face", "title", "logo", "rating_mark", "person", "text", "object")
# What no JSON column takes, or no reader sees.
_UNSEEN = {"Cc", "Cs", "Co", "Cn"}


def _whole(value: Any) -> Any:
    """A model that was asked for whole numbers may write 512.0; what is no number is left for the type to refuse."""
    return round(value) if isinstance(value, float) and abs(value) < 1e9 else value


def _line(value: Any) -> Any:
    """Text on one line, without what cannot be shown; None for none."""
    if not isinstance(value, str):
        return value
    shown = "".join(" " if one in "\t\r\n" else one for one in value if one in "\t\r\n" or _is_shown(one))
    return " ".join(shown.split())[:MOST_CHARACTERS] or None


def _is_shown(character: str) -> bool:
    return unicodedata.category(character) not in _UNSEEN


def _language(value: Any) -> Any:
    """ISO 639-1 of "en", "EN" or "en-GB"; None for what names no language."""
    found = re.match(r"([a-z]{2})(?:[-_]|$)", value.strip().lower()) if isinstance(value, str) else None
    return found.group(1) if found else None


def _fraction(value: Any) -> Any:
    """A confidence, also in percent; None for what is none: it decides nothing."""
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value <= 100:
        return None
    return value / 100 if value > 1 else value


Coordinate = Annotated[int, BeforeValidator(_whole)]


class Seen(BaseModel):
    """One thing to see on the poster, and where."""

    model_config = ConfigDict(frozen=True)

    type: ElementType = Field(description="What it is.")
    box_2d: list[Coordinate] = Field(
        min_length=4, max_length=4, description="[ymin, xmin, ymax, xmax], each 0 to 1000, tightly around it."
    )
    text: Annotated[str | None, BeforeValidator(_line)] = Field(
        default=None, description="Of text: what is written, letter by letter. Else: a word or two for what it is."
    )
    language: Annotated[str | None, BeforeValidator(_language)] = Field(
        default=None, description="Of text: ISO 639-1 code of its language, such as en."
    )
    confidence: Annotated[float | None, BeforeValidator(_fraction)] = Field(
        default=None, description="How sure you are, 0 to 1."
    )

    def box(self) -> Box | None:
        """[x0, y0, x1, y1], 0 to 1, within the picture; None where nothing is left of it."""
        top, left, bottom, right = (min(SCALE, max(0, one)) for one in self.box_2d)
        x0, x1 = sorted((left, right))
        y0, y1 = sorted((top, bottom))
        if x0 == x1 or y0 == y1:
            return None
        return x0 / SCALE, y0 / SCALE, x1 / SCALE, y1 / SCALE


class Vision(BaseModel):
    """All that is to see on a poster."""

    model_config = ConfigDict(frozen=True)

    elements: list[Seen] = Field(description="Every face, person, line of text, logo, rating mark and key object.")


def elements_of(said: Vision) -> list[Element]:
    """The boxes that hold; at most 200, the most important ones."""
    found = [
        Element(type=one.type, box=box, text=one.text, language=one.language, confidence=one.confidence, source="model")
        for one in said.elements
        if (box := one.box())
    ]
    if len(found) <= MOST_ELEMENTS:
        return found
    return sorted(found, key=lambda one: IMPORTANCE.index(one.type))[:MOST_ELEMENTS]
