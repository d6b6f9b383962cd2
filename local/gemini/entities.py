"""Who, where, what and when a text names: capitals and patterns, no model.

German writes every noun with a capital, so there a name must show what it names.
"""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from local.gemini import gazetteer
from local.gemini.dates import dates
from local.gemini.language import ALL_STOP_WORDS, PROFILES

_PARTICLE = r"(?:of|de|del|della|di|da|do|dos|du|la|le|van|von|der|den|am|bin|al|the|for)"
_CAPITAL = r"(?:[A-ZÀ-ÖØ-Þ][^\W\d_]*(?:[-&][^\W\d_]+|['’][A-ZÀ-Þ][^\W\d_]+|\.[A-Z])*|[A-Z]\.)"  # noqa: RUF001 - the typographic apostrophe is meant
_NAME = re.compile(rf"(?<![\w.@/'’]){_CAPITAL}(?: (?:{_PARTICLE} ){{0,2}}{_CAPITAL})*")  # noqa: RUF001
_PLACE_BEFORE = re.compile(r"\b(?:in|near|outside|nach|à|em)\s$", re.IGNORECASE)
_SPEAKS = re.compile(r"^,?\s(?:said|says|told|added|argued|explained|warned|wrote|sagte|dit|dijo|ha detto|disse|zei)\b")
_POSSESSIVE = re.compile(r"['’]s?$")  # noqa: RUF001
_INITIALS = re.compile(r"(?:[A-Z]\.)+[A-Z]")
_STARTS = re.compile(r"(?:^|[.!?…:\n][\"”’»)]*\s*[\"“‘«(]*)$")  # noqa: RUF001


@dataclass(frozen=True)
class Entity:
    name: str
    type: str  # person, organisation, place, date, event, other
    mentions: int
    start: int


@dataclass(frozen=True)
class _Mention:
    name: str
    start: int
    opens: bool  # at the start of a sentence, where any word has a capital
    hint: str  # what its surroundings say it is, or ""
    short: bool = False  # the last word of a longer name


def entities(text: str, language: str) -> list[Entity]:
    """Names and dates, the most mentioned first."""
    stop_words = PROFILES.get(language, ALL_STOP_WORDS)
    mentions = [mention for mention in _mentions(text, stop_words) if _is_name(mention, language)]
    known = {mention.name for mention in mentions if not mention.opens}
    # One word with a capital only at sentence starts is probably just a word.
    sure = [m for m in mentions if m.name in known or " " in m.name or _type_by_word(m.name) != "other"]
    named = [each for each in _named(_merged(sure), sure) if language != "de" or each.type != "other"]
    found = [*named, *_dated(text)]
    return sorted(found, key=_standing)


def _standing(entity: Entity) -> tuple[float, int]:
    """Most mentioned first; what could not be told apart counts half."""
    return -entity.mentions * (0.5 if entity.type == "other" else 1), entity.start


def _mentions(text: str, stop_words: frozenset[str]) -> Iterator[_Mention]:
    for match in _NAME.finditer(text):
        before, after = text[max(0, match.start() - 24) : match.start()], text[match.end() : match.end() + 24]
        opens = bool(_STARTS.search(before))
        name, start, title = _trimmed(match.group(), match.start(), stop_words if opens else frozenset())
        hint = "person" if title or _SPEAKS.match(after) else "place" if _PLACE_BEFORE.search(before) else ""
        if name:
            yield _Mention(name, start, opens and start == match.start(), hint)


def _trimmed(name: str, start: int, fillers: frozenset[str]) -> tuple[str, int, bool]:
    """Without titles and leading little words: (name, start, whether a title stood there)."""
    parts = name.split(" ")
    titles = [i for i, part in enumerate(parts) if _bare(part) in gazetteer.TITLES]
    drop = titles[-1] + 1 if titles else 0
    while drop < len(parts) and _is_filler(parts[drop], fillers if drop == 0 and len(parts) > 1 else frozenset()):
        drop += 1
    kept = parts[drop:]
    while kept and (_bare(kept[-1]) in gazetteer.NOT_NAMES or kept[-1].islower()):
        kept.pop()
    at = start + sum(len(part) + 1 for part in parts[:drop])
    plain = _POSSESSIVE.sub("", " ".join(kept)).rstrip(".")
    return plain + "." if _INITIALS.fullmatch(plain) else plain, at, bool(titles)


def _is_filler(part: str, fillers: frozenset[str]) -> bool:
    word = _bare(part)
    starts_sentence = bool(fillers) and (word in fillers or word.endswith("ing"))
    return starts_sentence or word in gazetteer.NOT_NAMES or part.islower()


def _bare(word: str) -> str:
    return _POSSESSIVE.sub("", word).strip(".").lower()


def _is_name(mention: _Mention, language: str) -> bool:
    low = mention.name.lower()
    if len(low) < 2 or low in gazetteer.NOT_NAMES or low in gazetteer.GENERIC_ACRONYMS:
        return False
    if mention.opens and low in PROFILES.get(language, ALL_STOP_WORDS):
        return False
    if language == "de" and " " not in mention.name:
        return mention.name.isupper() or _type_by_word(mention.name) != "other"
    return True


def _merged(mentions: Sequence[_Mention]) -> dict[str, str]:
    """Short form -> full form: a lone "Okafor" is the "Ada Okafor" of the same text."""
    full: dict[str, str] = {}
    for name in dict.fromkeys(mention.name for mention in mentions):
        parts = name.split(" ")
        for ending in (" ".join(parts[start:]) for start in range(1, len(parts))):
            if _type_by_word(ending) == "other":
                full.setdefault(ending.casefold(), name)
    return full


def _named(full: dict[str, str], mentions: Sequence[_Mention]) -> list[Entity]:
    groups: dict[str, list[_Mention]] = {}
    for mention in mentions:
        whole = full.get(mention.name.casefold(), mention.name)
        groups.setdefault(whole.casefold(), []).append(replace(mention, name=whole, short=mention.name != whole))
    return [_entity(group) for group in groups.values()]


def _entity(group: Sequence[_Mention]) -> Entity:
    # "VIENNA —" and "Vienna" are one: the spelling with small letters is the name.
    name = next((mention.name for mention in group if not mention.name.isupper()), group[0].name)
    by_word = _type_by_word(name)
    kind = by_word if by_word != "other" else _type_by_hints(name, group)
    return Entity(name, kind, len(group), min(mention.start for mention in group))


def _type_by_word(name: str) -> str:
    """What the name itself says, "other" where it says nothing."""
    low = name.lower().replace(".", "")
    if low in gazetteer.PLACES:
        return "place"
    if low in gazetteer.ORGANISATIONS:
        return "organisation"
    if " " in name:
        return _type_by_ends(low.split())
    return "organisation" if name.isupper() and 2 <= len(name) <= 6 else "other"


def _type_by_ends(parts: Sequence[str]) -> str:
    last = parts[-1]
    if last in gazetteer.ORGANISATION_ENDS or (
        parts[0] in gazetteer.ORGANISATION_ENDS and parts[1] in {"of", "for", "de"}
    ):
        return "organisation"
    if last in gazetteer.EVENT_ENDS:
        return "event"
    if last in gazetteer.PLACE_ENDS:
        return "place"
    return "person" if parts[0] in gazetteer.FIRST_NAMES and len(parts) <= 4 else "other"


def _type_by_hints(name: str, group: Sequence[_Mention]) -> str:
    hints, words_in_name = Counter(mention.hint for mention in group), len(name.split())
    # People are named in full once, then by their last name.
    surname = words_in_name in {2, 3} and any(mention.short for mention in group) and _may_be_a_person(name)
    if 2 <= words_in_name <= 4 and (hints["person"] or surname):
        return "person"
    return "place" if hints["place"] * 2 >= len(group) and words_in_name <= 3 else "other"


def _may_be_a_person(name: str) -> bool:
    return all(part[1:].islower() and _type_by_word(part) == "other" for part in name.split())


def _dated(text: str) -> list[Entity]:
    groups: dict[str, list[int]] = {}
    for each in dates(text):
        groups.setdefault(each.written, []).append(each.start)
    return [Entity(written, "date", len(starts), starts[0]) for written, starts in groups.items()]
