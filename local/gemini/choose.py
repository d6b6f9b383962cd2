"""One value out of an enum: the tone, the kind, the language; else the label nearest to the text."""

import re
from collections.abc import Sequence
from typing import Any

from local.gemini.schema import Schema
from local.gemini.steer import words_of
from local.gemini.subject import Subject

_TONES = {
    "positive": r"positive|pos|good|favou?rable|happy|optimistic|bullish",
    "negative": r"negative|neg|bad|unfavou?rable|sad|pessimistic|bearish",
    "neutral": r"neutral|none|objective|balanced",
    "mixed": r"mixed|ambivalent|both",
}
_ENTITY_KINDS = {
    "person": r"persons?|people|human|per|individual",
    "organisation": r"organi[sz]ations?|orgs?|company|companies|institution|business",
    "place": r"places?|locations?|loc|gpe|city|country|geo\w*",
    "date": r"dates?|time|temporal",
    "event": r"events?",
    "other": r"others?|misc\w*|unknown|thing|none",
}
_UNDECIDED = re.compile(r"neutral|other|unknown|none|unspecified|misc\w*|general|und(?:efined)?|n/?a", re.IGNORECASE)
_TOO_FAR = 0.08


def chosen(schema: Schema, subject: Subject) -> tuple[Any, bool]:
    """(value, whether the text told it)."""
    options = [each for each in schema.choices or [] if each is not None]
    if len(options) < 2:
        return (options[0] if options else None), True
    if subject.is_empty:
        return _undecided(options), False
    return _told(schema, options, subject)


def has_kind(choices: Sequence[Any], kind: str) -> bool:
    """Whether an enum has a word for this kind of entity."""
    return any(re.fullmatch(_ENTITY_KINDS[kind], str(each).lower()) for each in choices)


def _told(schema: Schema, options: Sequence[Any], subject: Subject) -> tuple[Any, bool]:
    labels = [str(option) for option in options]
    name = set(words_of(schema.name))
    number: int | None = None
    if subject.kind:
        number = _index(labels, _ENTITY_KINDS, subject.kind, "other")
    elif _is_tone(name, labels):
        number = _index(labels, _TONES, subject.reading.tone.label, "neutral")
    elif name & {"language", "lang", "locale"}:
        number = _language(labels, subject)
    return (options[number], True) if number is not None else _nearest(schema, options, labels, subject)


def _is_tone(name: set[str], labels: Sequence[str]) -> bool:
    kinds = {kind for kind, words in _TONES.items() for label in labels if re.fullmatch(words, label.lower())}
    return {"positive", "negative"} <= kinds or bool(name & {"sentiment", "tone", "polarity"} and kinds)


def _index(labels: Sequence[str], table: dict[str, str], kind: str, fallback: str) -> int | None:
    for each in (kind, fallback):
        for number, label in enumerate(labels):
            if re.fullmatch(table.get(each, re.escape(each)), label.lower()):
                return number
    return None


def _language(labels: Sequence[str], subject: Subject) -> int | None:
    code = subject.reading.language
    return next((i for i, label in enumerate(labels) if label.lower().split("-")[0] == code), None)


def _nearest(schema: Schema, options: Sequence[Any], labels: Sequence[str], subject: Subject) -> tuple[Any, bool]:
    """A label the text itself uses most; else by meaning."""
    text = subject.reading.text.lower()
    plain = [" ".join(words_of(label)) or label.lower() for label in labels]
    used = [len(re.findall(rf"\b{re.escape(label)}", text)) for label in plain]
    if max(used) > 1 and used.count(max(used)) == 1:
        return options[used.index(max(used))], True
    # "category: sports" is nearer to a report of a match than the bare word.
    named = [f"{' '.join(words_of(schema.name)) or 'about'}: {label}" for label in plain]
    number, cosine = subject.closest(subject.reading.best(8) or [subject.reading.text[:900]], named)
    return (options[number], True) if cosine > _TOO_FAR else (_undecided(options), False)


def _undecided(options: Sequence[Any]) -> Any:
    return next((option for option in options if _UNDECIDED.fullmatch(str(option))), options[0])
