"""What a text is about, in one to three words each: phrases between stop words, weighed by their returns."""

import re
from collections import Counter
from collections.abc import Iterator

_RUN = re.compile(r"[^\W\d_]+(?:[-'’][^\W\d_]+)*|[^\w\s]|\d+")  # noqa: RUF001 - the typographic apostrophe is meant
_POSSESSIVE = re.compile(r"['’]s$")  # noqa: RUF001
_LONGEST_IN_WORDS = 3


def topics(text: str, title: str, stop_words: frozenset[str], count: int) -> list[str]:
    """Key phrases in lower case, the weightiest first; none is part of another."""
    phrases = Counter(_grams(text, stop_words))
    in_title = set(_grams(title, stop_words))
    weights = {
        phrase: times * (1 + 1.2 * phrase.count(" ")) * (2.0 if phrase in in_title else 1.0)
        for phrase, times in phrases.items()
        if times > 1
    } or dict.fromkeys(phrases, 1.0)
    chosen: list[str] = []
    for phrase in sorted(weights, key=lambda each: -weights[each]):
        if len(chosen) < count and not any(_overlap(phrase, other) for other in chosen):
            chosen.append(phrase)
    return chosen


def _overlap(phrase: str, other: str) -> bool:
    mine, theirs = ({word.rstrip("s") for word in each.split()} for each in (phrase, other))
    return bool(mine & theirs)


def _grams(text: str, stop_words: frozenset[str]) -> Iterator[str]:
    run: list[str] = []
    for token in [*_RUN.findall(text), "."]:
        word = _POSSESSIVE.sub("", token).lower()
        if len(word) > 2 and word[0].isalpha() and word not in stop_words:
            run.append(word)
            yield from (" ".join(run[-size:]) for size in range(1, min(_LONGEST_IN_WORDS, len(run)) + 1))
        else:
            run = []
