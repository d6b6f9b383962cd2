"""What the items of a list are: entities, points, topics, quotations; else the sentences that answer best."""

import re
from collections.abc import Callable

from local.gemini.choose import has_kind
from local.gemini.schema import Schema
from local.gemini.seen import has_boxes, kinds_in
from local.gemini.steer import asked, count, words_of
from local.gemini.subject import Subject

_UNITS = (
    "points?|items?|topics?|keywords?|tags?|entities|names?|phrases?|sentences?|facts?|quotes?|subjects?|entries"
    "|takeaways?"
)
_LONGEST_SUMMARY = 4  # sentences; points begin after them
Find = Callable[[], list[Subject]]
_KINDS = {
    "person": r"people|persons?|politicians|speakers|individuals|authors",
    "organisation": r"organi[sz]ations?|companies|institutions|publishers",
    "place": r"places?|locations?|cities|countries|regions",
    "date": r"dates?|timeline",
    "event": r"events",
}
# Lists of what only eyes could find: without boxes nothing was looked for, and they stay empty.
_SEEN = re.compile(r"\b(?:box(?:es)?|faces?|objects?|zones?|regions?|detections?|polygons?|bounding|logos?)\b")


def subjects(schema: Schema, subject: Subject) -> list[Subject]:
    """One subject per item, the best first."""
    if subject.pictures and has_boxes(schema):
        return [subject.of_element(each) for each in subject.seen if each.kind in kinds_in(schema)]
    if subject.label and not subject.reading.text:
        return []
    text = " ".join([*words_of(schema.name), schema.description.lower()])
    if subject.pictures and (_SEEN.search(text) or not subject.reading.sentences):
        return []
    return _found(schema, subject, text)[: _most(schema)]


def _most(schema: Schema) -> int:
    entities = re.search(r"entit", schema.name.lower())
    wanted = count(schema, _UNITS, 10 if entities else 5)
    return max(schema.whole("minItems", 0), min(wanted, schema.whole("maxItems", wanted)))


def _found(schema: Schema, subject: Subject, text: str) -> list[Subject]:
    rules: tuple[tuple[str, Find], ...] = (
        (r"entities|named", lambda: _named(schema, subject)),
        (
            r"topics?|keywords?|tags?|themes?|subjects?|key ?phrases?|categories",
            lambda: _topics(schema, subject),
        ),
        (r"quot(?:es?|ations?)", lambda: [subject.of_text(each) for each in subject.reading.quotes]),
        *((words, lambda kind=kind: _entities(subject, kind)) for kind, words in _KINDS.items()),
        (
            r"points?|highlights|takeaways|facts|bullets|findings|claims|arguments",
            lambda: _points(schema, subject),
        ),
    )
    for part in (" ".join(words_of(schema.name)), text):
        for words, find in rules:
            if re.search(rf"\b(?:{words})\b", part):
                return find()
    return _answers(schema, subject)


def _named(schema: Schema, subject: Subject) -> list[Subject]:
    """All entities; dates only where the schema has a kind for them."""
    kinds = next((part for name, part in schema.items.properties.items() if name in {"type", "kind"}), None)
    dated = kinds is None or kinds.choices is None or has_kind(kinds.choices, "date")
    return [each for each in _entities(subject) if dated or each.kind != "date"]


def _entities(subject: Subject, kind: str = "") -> list[Subject]:
    return [subject.of_entity(entity) for entity in subject.reading.entities if kind in {"", entity.type}]


def _topics(schema: Schema, subject: Subject) -> list[Subject]:
    return [subject.of_text(topic) for topic in subject.reading.topics(_most(schema))]


def _points(schema: Schema, subject: Subject) -> list[Subject]:
    return [subject.of_text(point) for point in subject.reading.points(_most(schema), after=_LONGEST_SUMMARY)]


def _answers(schema: Schema, subject: Subject) -> list[Subject]:
    """Sentences that share words with the field; where the items are objects with names, entities."""
    if {"name", "type"} <= schema.items.properties.keys():
        return _named(schema, subject)
    best = subject.reading.about(asked(schema), _most(schema))
    return [subject.of_text(each) for each in best] if best else _points(schema, subject)
