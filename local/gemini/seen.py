"""Boxes in an answer: which things a schema asks to be shown in a picture, and each field of one such thing.

A list of objects with a box (`box_2d`: [ymin, xmin, ymax, xmax] in 0..1000, as Gemini gives them) is how a request
for things in a picture is recognised; its items' enum, else the list's own name, tells of which kinds.
"""

import math
import re
from collections.abc import Iterator
from typing import Any

from local.gemini.language import language
from local.gemini.schema import Schema
from local.gemini.steer import words_of
from local.gemini.vision.eyes import KINDS, Element

GRID = 1000
_BOX = re.compile(r"box_?2d|bounding_?box|bbox|box", re.IGNORECASE)
_TYPE = re.compile(r"type|kind|class|category|label", re.IGNORECASE)
_WORDS = {
    "face": r"faces?|human faces?|heads?",
    "title": r"titles?|title text|movie title|headlines?|headings?",
    "text": r"texts?|words?|lines?|other text|credits?|captions?|lettering",
    "rating_mark": r"rating(?: mark)?s?|age ratings?|certificates?|rating badges?",
    "object": r"objects?|key objects?|main objects?|main subjects?|things?|products?",
}
_NONE_OF_THEM = re.compile(r"\b(?:logos?|persons?|people|animals?|regions?|zones?|signatures?|barcodes?)\b")
_DEEPEST = 6


def wanted_kinds(schema: Schema) -> frozenset[str]:
    """What must be looked for to answer by this schema; nothing where it asks for no boxes."""
    return frozenset(kind for listed in _lists(schema) for kind in kinds_in(listed))


def _lists(schema: Schema, depth: int = 0) -> Iterator[Schema]:
    if depth > _DEEPEST:
        return
    if has_boxes(schema):
        yield schema
    parts = [*schema.properties.values(), *schema.branches, *([schema.items] if schema.raw.get("items") else [])]
    for part in parts:
        yield from _lists(part, depth + 1)


def has_boxes(schema: Schema) -> bool:
    """Whether this is a list of things with a box each."""
    return bool(schema.raw.get("items")) and any(is_box(part) for part in schema.items.properties.values())


def is_box(schema: Schema) -> bool:
    return _BOX.fullmatch(schema.name) is not None and (schema.kinds == ("array",) or not schema.kinds)


def kinds_in(listed: Schema) -> frozenset[str]:
    """The kinds that such a list may hold, of those that can be seen."""
    enums = [part.choices for part in listed.items.properties.values() if _TYPE.fullmatch(part.name) and part.choices]
    if enums:
        return frozenset(kind for choice in enums[0] if (kind := _kind(choice)))
    name = " ".join(words_of(listed.name))
    named = frozenset(kind for kind, words in _WORDS.items() if re.search(rf"\b(?:{words})\b", name))
    if named:
        return named | ({"title", "rating_mark"} if "text" in named else frozenset())
    return frozenset() if _NONE_OF_THEM.search(name) else frozenset(KINDS)


def _kind(choice: Any) -> str | None:
    name = " ".join(words_of(str(choice))).lower()
    return next((kind for kind, words in _WORDS.items() if re.fullmatch(words, name)), None)


def field_of(element: Element, schema: Schema) -> tuple[Any, bool]:
    """(value, whether the picture told it) of one field of a seen thing."""
    if is_box(schema):
        return _grid_box(element, schema), True
    if schema.choices is not None:
        return _choice(element, schema.choices)
    kind = schema.kinds[0] if schema.kinds else "string"
    if kind in {"integer", "number"}:
        return _certainty(element, schema, whole=kind == "integer")
    if kind == "string":
        return _words(element, schema.name)
    return {"array": [], "object": {}, "boolean": False}.get(kind), False


def _grid_box(element: Element, schema: Schema) -> list[float]:
    """The smallest box on the grid that holds the element: edges go outwards."""
    top = schema.items.limit("maximum") or GRID
    x0, y0, x1, y1 = element.box
    if schema.items.kinds == ("number",) and top <= 1:
        return [y0, x0, y1, x1]
    return [math.floor(y0 * top), math.floor(x0 * top), math.ceil(y1 * top), math.ceil(x1 * top)]


def _choice(element: Element, choices: list[Any]) -> tuple[Any, bool]:
    mine = [choice for choice in choices if _kind(choice) == element.kind]
    spoken = [choice for choice in choices if str(choice).lower() == (_language(element) or None)]
    found = mine or spoken
    return (found[0], True) if found else (next((choice for choice in choices if choice), None), False)


def _certainty(element: Element, schema: Schema, *, whole: bool) -> tuple[float, bool]:
    """The confidence, stretched to 0..maximum where that is another scale."""
    top = schema.limit("maximum") or (100 if whole else 1)
    value = element.confidence * top
    return (round(value) if whole else round(value, 4)), bool(
        re.search(r"conf|score|prob|certain", schema.name.lower())
    )


def _words(element: Element, name: str) -> tuple[str, bool]:
    asked = set(words_of(name))
    if asked & {"language", "lang", "locale"}:
        return _language(element), bool(_language(element))
    if asked & {"type", "kind", "class", "category"}:
        return element.kind, True
    if element.text or asked & {"text", "content", "transcription", "transcript", "words"}:
        return element.text, bool(element.text)
    return element.kind.replace("_", " "), True


def _language(element: Element) -> str:
    """Of its words, where they tell; a line of names, which are all capitalised, is in none."""
    if element.kind != "title" and not any(word.islower() for word in element.text.split()):
        return ""
    return code if (code := language(element.text)) != "und" else ""
