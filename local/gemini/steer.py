"""A field's name, then its description, say what is computed for it. None where the text tells nothing.

A table per JSON type: the first rule whose words stand in the name wins; if none does, the description is read.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from local.gemini.language import NAMES
from local.gemini.schema import Schema
from local.gemini.sentences import clipped
from local.gemini.subject import Subject

Finder = Callable[[Subject, Schema], Any]
Rules = Sequence[tuple[re.Pattern[str], Finder]]

_PARTS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
_NUMBER = r"(\d{1,4}|" + "|".join(_WORDS[1:]) + r")"
_URL = re.compile(r"https?://[^\s<>\"')\]]+")
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+\.[\w.]*\w")
_MONEY = re.compile(
    r"[$€£¥]\s?\d[\d.,]*(?:\s?(?:million|billion|m|bn|k)\b)?"
    r"|\d[\d.,]*\s?(?:(?:million|billion|Millionen|Milliarden)\s)?(?:euros?|dollars|pounds|USD|EUR|GBP)\b",
    re.IGNORECASE,
)
_FIGURE = re.compile(r"(?<![\w.])[-+]?\d+(?:[.,]\d+)*")
_YEAR = re.compile(r"\b(?:1[5-9]|20)\d\d\b")
_WORDS_PER_MINUTE = 230


def words_of(name: str) -> list[str]:
    return [word.lower() for word in _PARTS.findall(name)]


def asked(schema: Schema) -> list[str]:
    """The words of a field's name and description."""
    return [*words_of(schema.name), *re.findall(r"[^\W_]+", schema.description.lower())]


def steered(rules: Rules, schema: Schema, subject: Subject) -> Any:
    for text in (" ".join(words_of(schema.name)), schema.description.lower()):
        for pattern, finder in rules:
            if text and pattern.search(text):
                return finder(subject, schema)
    return None


def count(schema: Schema, unit: str, default: int) -> int:
    """The larger number a description gives for a unit: "3-4 sentences", "up to five points", "60 words"."""
    pattern = rf"\b{_NUMBER}(?:\s?(?:-|–|to|or|and)\s?{_NUMBER})?\s+(?:\w+\s+){{0,2}}?(?:{unit})"  # noqa: RUF001
    found = re.search(pattern, schema.description.lower())
    return max(_figure(each) for each in found.groups() if each) if found else default


def _figure(word: str) -> int:
    return int(word) if word.isdigit() else _WORDS.index(word)


def _rules(*rows: tuple[str, Finder]) -> Rules:
    return [(re.compile(rf"\b(?:{words})\b"), finder) for words, finder in rows]


def _seen(subject: Subject) -> str:
    """What was measured of the images, where they are all there is."""
    alone = not subject.reading.sentences
    return " ".join(picture.described for picture in subject.pictures) if alone else ""


def _summary(subject: Subject, schema: Schema) -> str | None:
    if seen := _seen(subject):
        return seen
    text = subject.reading.summary(count(schema, "sentences?", 3)) or subject.label
    longest = count(schema, "words", 0)
    return (" ".join(text.split()[:longest]) if longest else text) or None


def _title(subject: Subject, schema: Schema) -> str | None:
    text = subject.label or subject.reading.title
    return clipped(text, count(schema, "characters", 200)) or None


def _language(subject: Subject, schema: Schema) -> str:
    code = subject.reading.language
    named = re.search(r"\bname\b|english, ", schema.description.lower()) and "code" not in schema.description.lower()
    return NAMES.get(code, code) if named else code


def _first_entity(*kinds: str) -> Finder:
    def find(subject: Subject, _schema: Schema) -> str | None:
        if subject.label and subject.kind in kinds:
            return subject.label
        return next((entity.name for entity in subject.reading.entities if entity.type in kinds), None)

    return find


def _name(subject: Subject, _schema: Schema) -> str | None:
    if subject.label:
        return subject.label
    return next((entity.name for entity in subject.reading.entities if entity.type != "date"), None)


def _date(subject: Subject, schema: Schema) -> str | None:
    found = subject.reading.dates
    whole = next((each.day for each in found if each.day), None)
    if schema.raw.get("format") == "date-time":
        return f"{whole.isoformat()}T00:00:00Z" if whole else None
    if schema.raw.get("format") == "date" or whole:
        return whole.isoformat() if whole else None
    return found[0].written if found else None


def _matched(pattern: re.Pattern[str]) -> Finder:
    def find(subject: Subject, _schema: Schema) -> str | None:
        match = pattern.search(subject.reading.text)
        return match.group().rstrip(".,;:") if match else None

    return find


def _about(subject: Subject, schema: Schema) -> str | None:
    best = subject.reading.about(asked(schema))
    return _seen(subject) or (best[0] if best else subject.reading.summary(1)) or None


def _quote(subject: Subject, _schema: Schema) -> str | None:
    return subject.reading.quotes[0] if subject.reading.quotes else None


def _topic(subject: Subject, _schema: Schema) -> str | None:
    return subject.label or next(iter(subject.reading.topics(1)), None)


STRINGS = _rules(
    ("language|lang|locale", _language),
    ("summary|abstract|overview|tldr|synopsis|gist|answer|lede|teaser|text description|caption", _summary),
    ("sentiment|tone|mood|polarity", lambda subject, _: subject.reading.tone.label),
    ("titles?|headline|heading", _title),
    ("author|byline|writer|reporter", lambda subject, _: subject.reading.author),
    ("email|e mail", _matched(_EMAIL)),
    ("url|uri|link|href", _matched(_URL)),
    ("date|dated|published|when|day|timestamp", _date),
    ("price|cost|amount|budget|revenue", _matched(_MONEY)),
    ("quote|quotation", _quote),
    ("type|kind|class", lambda subject, _: subject.kind or None),
    ("place|location|city|country|where|region", _first_entity("place")),
    ("organi[sz]ation|company|publisher|institution|employer", _first_entity("organisation")),
    ("person|people|who|speaker|politician", _first_entity("person")),
    ("event", _first_entity("event")),
    ("name|label|entity|term|point|value|item", _name),
    ("topic|category|section|keyword|subject|tag|theme", _topic),
    ("reason|explanation|context|evidence|why|cause|description|detail|how|note|text|content", _about),
)


def _score(subject: Subject, schema: Schema) -> float:
    low, high = schema.limit("minimum"), schema.limit("maximum")
    score = subject.reading.tone.score
    return score if low is None or high is None or low < 0 else low + (score + 1) / 2 * (high - low)


def _volume(subject: Subject, _schema: Schema) -> float:
    """How much text there was to go by, 0..1: the only certainty an extract has."""
    return round(min(1.0, subject.reading.word_count / 250), 3)


def _near(subject: Subject, schema: Schema) -> float | None:
    """The figure closest to a word of the field's name or description."""
    wanted = [word[:6] for word in asked(schema) if len(word) > 3]
    text = subject.reading.text.lower()
    spots = [match.start() for word in wanted for match in re.finditer(rf"\b{re.escape(word)}", text)]
    figures = [(match.start(), match.group()) for match in _FIGURE.finditer(text)]
    near = [(abs(at - spot), figure) for at, figure in figures for spot in spots if abs(at - spot) < 60]
    return _value(min(near)[1]) if near else None


def _value(figure: str) -> float:
    plain = re.sub(r"[.,](?=\d{3}\b)", "", figure).replace(",", ".")
    return float(plain) if plain.count(".") <= 1 else float(plain.replace(".", ""))


def _year(subject: Subject, _schema: Schema) -> int | None:
    match = _YEAR.search(subject.reading.text)
    return int(match.group()) if match else None


NUMBERS = _rules(
    ("sentiment|polarity|tone", _score),
    ("confidence|certainty|probability|quality", _volume),
    ("word count|words|number of words|length", lambda subject, _: subject.reading.word_count),
    (
        "reading time|minutes",
        lambda subject, _: max(1, round(subject.reading.word_count / _WORDS_PER_MINUTE)),
    ),
    ("sentence count|sentences", lambda subject, _: len(subject.reading.sentences)),
    (
        "mentions|count|frequency|occurrences",
        lambda subject, schema: subject.mentions or _near(subject, schema),
    ),
    ("year", _year),
    ("width", lambda subject, _: subject.pictures[0].width if subject.pictures else None),
    ("height", lambda subject, _: subject.pictures[0].height if subject.pictures else None),
    ("", _near),
)
