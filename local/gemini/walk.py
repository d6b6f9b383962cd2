"""From schema and subject to a value that conforms to the schema, whatever the schema is."""

import math
import re
from dataclasses import dataclass
from typing import Any

from local.gemini.choose import chosen
from local.gemini.lists import subjects
from local.gemini.problems import bad_request
from local.gemini.schema import Schema
from local.gemini.seen import field_of
from local.gemini.sentences import clipped
from local.gemini.steer import NUMBERS, STRINGS, asked, steered
from local.gemini.subject import Subject
from local.gemini.vision.eyes import Element

_MOST_RECURSION = 2
_NOTHING = "Nothing to say: the prompt held no text."
_EMPTY_FORMATS = {
    "date": "1970-01-01",
    "date-time": "1970-01-01T00:00:00Z",
    "time": "00:00:00",
    "uri": "about:blank",
}


@dataclass(frozen=True)
class Filled:
    """A conforming value, and whether the text told it or the schema merely wanted one."""

    value: Any
    known: bool


def fill(schema: Schema, subject: Subject) -> Filled:
    """Raises Problem (400) for a schema that no finite value satisfies."""
    return _seen(schema, subject, subject.element) if subject.element else _told(schema, subject)


def _seen(schema: Schema, subject: Subject, element: Element) -> Filled:
    """A thing in a picture, or a field of it."""
    if schema.branches:
        filled = fill(schema.branches[0], subject)
    elif schema.kinds == ("object",):
        filled = _object(schema, subject)
    else:
        filled = Filled(*field_of(element, schema))
    return Filled(None, known=False) if schema.nullable and not filled.known else filled


def _told(schema: Schema, subject: Subject) -> Filled:
    """What a text tells."""
    if schema.is_null:
        return Filled(None, known=True)
    if schema.nullable and schema.recursion > _MOST_RECURSION:
        return Filled(None, known=False)
    if schema.choices is not None:
        value, known = chosen(schema, subject)
        return Filled(value, known)
    if schema.branches:
        return _first_known(schema, schema.branches, subject)
    if len(schema.kinds) > 1:
        each_kind = [
            Schema({**schema.raw, "type": kind}, schema.root, schema.name, schema.above) for kind in schema.kinds
        ]
        return _first_known(schema, each_kind, subject)
    filled = _BY_KIND[schema.kinds[0] if schema.kinds else "string"](schema, subject)
    return Filled(None, known=False) if schema.nullable and not filled.known else filled


def _first_known(schema: Schema, branches: list[Schema], subject: Subject) -> Filled:
    filled = Filled(None, known=False)
    for number, branch in enumerate(branches):
        tried = fill(branch, subject)
        if tried.known:
            return tried
        filled = tried if number == 0 else filled
    return Filled(None, known=False) if schema.nullable else filled


def _object(schema: Schema, subject: Subject) -> Filled:
    whole: dict[str, Any] = {}
    known = False
    for name, part in schema.properties.items():
        if name not in schema.required and part.recursion > _MOST_RECURSION:
            continue
        filled = fill(part, subject)
        known = known or filled.known
        if filled.known or name in schema.required or part.nullable:
            whole[name] = filled.value
    if not schema.properties:
        whole, known = _mapped(schema, subject)
    return Filled(whole, known)


def _mapped(schema: Schema, subject: Subject) -> tuple[dict[str, Any], bool]:
    """A map without fixed keys: what the text names, each with what is asked of it."""
    values = schema.raw.get("additionalProperties")
    if not isinstance(values, dict):
        return {}, False
    found = {each.label: fill(schema.under(values), each).value for each in subjects(schema, subject)}
    return found, bool(found)


def _array(schema: Schema, subject: Subject) -> Filled:
    least, most = schema.whole("minItems", 0), schema.whole("maxItems", 1_000)
    if least > 1_000:
        raise bad_request("The specified schema wants more than 1000 items.")
    if schema.raw.get("prefixItems"):
        return _tuple(schema, subject)
    if schema.recursion > _MOST_RECURSION and not least:
        return Filled([], known=False)
    found = [fill(schema.items, each).value for each in subjects(schema, subject)]
    values = _distinct(found) if schema.raw.get("uniqueItems") else found
    known = bool(values) or bool(subject.pictures)
    while len(values) < least:
        values.append(_padding(schema, subject, values))
    return Filled(values[:most], known)


def _padding(schema: Schema, subject: Subject, values: list[Any]) -> Any:
    value = fill(schema.items, subject).value
    if not schema.raw.get("uniqueItems") or value not in values:
        return value
    number = len(values) + 1
    return (
        value + number if isinstance(value, int | float) else f"{value} {number}" if isinstance(value, str) else value
    )


def _tuple(schema: Schema, subject: Subject) -> Filled:
    parts = [fill(schema.under(each), subject) for each in schema.raw["prefixItems"]]
    return Filled([part.value for part in parts], any(part.known for part in parts))


def _distinct(values: list[Any]) -> list[Any]:
    return [value for number, value in enumerate(values) if value not in values[:number]]


def _string(schema: Schema, subject: Subject) -> Filled:
    found = _written(schema, subject)
    pattern, form = schema.raw.get("pattern"), str(schema.raw.get("format") or "")
    if pattern:
        found = _matching(str(pattern), found, subject)
    elif form in _EMPTY_FORMATS and not _fits(form, found):
        found = None
    text = found if found is not None else _EMPTY_FORMATS.get(form, "")
    return Filled(_sized(text, schema), found is not None)


def _written(schema: Schema, subject: Subject) -> str | None:
    if subject.is_empty:
        return None
    found = steered(STRINGS, schema, subject)
    if found is None and not any(pattern.search(" ".join(asked(schema))) for pattern, _ in STRINGS):
        found = subject.label or next(iter(subject.reading.about(asked(schema))), None) or subject.reading.summary(1)
    return str(found) if found else None


def _matching(pattern: str, found: str | None, subject: Subject) -> str | None:
    """A value that the pattern accepts: what was found, else the first such piece of the text."""
    try:
        wanted = re.compile(pattern)
    except re.error as error:
        raise bad_request(f"The specified schema holds an invalid pattern: {error}") from error
    if found is not None and wanted.search(found):
        return found
    pieces = re.findall(r"[\w@./:+-]*\w", subject.reading.text[:20_000])
    return next((piece for piece in pieces if wanted.search(piece)), None)


def _fits(form: str, found: str | None) -> bool:
    shapes = {
        "date": r"\d{4}-\d\d-\d\d",
        "date-time": r"\d{4}-\d\d-\d\dT.+",
        "time": r"\d\d:\d\d.*",
        "uri": r"\w+:.+",
    }
    return found is not None and re.fullmatch(shapes[form], found) is not None


def _sized(text: str, schema: Schema) -> str:
    least, most = schema.whole("minLength", 0), schema.whole("maxLength", 1_000_000)
    if len(text) < least:
        text = f"{text} {_NOTHING}".strip() if len(text) + len(_NOTHING) < least or not text else text
        text = text.ljust(least, ".")
    cut = clipped(text, most)
    return cut if len(cut) >= least else text[:most]


def _number(schema: Schema, subject: Subject) -> Filled:
    found = None if subject.is_empty else steered(NUMBERS, schema, subject)
    return Filled(_bounded(schema, float(found or 0)), found is not None)


def _integer(schema: Schema, subject: Subject) -> Filled:
    found = None if subject.is_empty else steered(NUMBERS, schema, subject)
    low, high = schema.bounds
    least, most = math.ceil(low), math.floor(high)
    value = min(max(round(found or 0), least + (least in schema.open_ends)), most - (most in schema.open_ends))
    step = schema.whole("multipleOf", 1)
    below = value // step * step if step > 1 else value
    return Filled(below if below >= least else below + step, found is not None)


def _bounded(schema: Schema, value: float) -> float:
    low, high = schema.bounds
    kept = min(max(value, low), high)
    if kept not in schema.open_ends:
        return kept
    # An end that is itself excluded: a little inside.
    step = min(1.0, (high - low) / 2)
    return kept + step if kept == low else kept - step


def _boolean(schema: Schema, subject: Subject) -> Filled:
    """Whether the text speaks of what the field's name says."""
    return Filled(bool(subject.reading.about(_name_words(schema))), not subject.is_empty)


def _name_words(schema: Schema) -> list[str]:
    return [
        word for word in re.findall(r"[a-z]+", schema.name.lower()) if word not in {"is", "has", "contains", "mentions"}
    ]


def _null(_schema: Schema, _subject: Subject) -> Filled:
    return Filled(None, known=True)


_BY_KIND = {
    "object": _object,
    "array": _array,
    "string": _string,
    "integer": _integer,
    "number": _number,
    "boolean": _boolean,
    "null": _null,
}
