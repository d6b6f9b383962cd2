"""A Reading: everything computed about one text, each part when it is first asked for."""

import re
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from local.gemini.dates import Dated, dates
from local.gemini.entities import Entity, entities
from local.gemini.language import ALL_STOP_WORDS, PROFILES, language
from local.gemini.rank import Vectors, picked, salience, weighed, words
from local.gemini.sentences import sentences, shortened
from local.gemini.sentiment import Tone, tone
from local.gemini.topics import topics

LONGEST_IN_CHARACTERS = 200_000
MOST_SENTENCES = 300
_TITLE_LINE = re.compile(r"^\s*(?:#{1,3}\s+|(?:title|headline|titre|titel|título|titolo)\s*:\s*)(.+)$", re.IGNORECASE)
_FIELD_LINE = re.compile(
    r"^\s*(?:url|link|source|author|by|date|published|published at|language|site|tags?)\s*:.*$", re.IGNORECASE
)
_BYLINE = re.compile(
    r"(?m)^\s*(?:written\s+)?(?:by|von|par|por|di|door|author|autor|auteur)\s*:?\s+"
    r"((?:[A-ZÀ-ÖØ-Þ][\w'’.-]+\s?){2,4})\s*(?:$|[|,·–—-])",  # noqa: RUF001 - dashes as bylines have them
    re.IGNORECASE | re.MULTILINE,
)
_QUOTE = re.compile(r"[\"“„«]\s?([^\"“”„»]{12,400}?)\s?[\"”“»]")
# A page that talks to its reader's machine is data like any other, but it is not news.
_TO_THE_MODEL = re.compile(
    r"\b(?:ignore|disregard|forget|override)\b.{0,40}\b(?:instruction|prompt|above|previous|rules)"
    r"|\bsystem prompt\b|\byou are (?:now )?(?:an? )?(?:ai|assistant|chatbot|language model)\b"
    r"|\bas an ai\b|\b(?:reply|respond|answer|output) (?:only )?with\b|\bnew instructions?\b",
    re.IGNORECASE,
)


class Reading:
    """One text. `title` overrides what the text calls itself, `language` spares guessing it."""

    def __init__(self, text: str, title: str = "", language: str = "") -> None:
        self.text = text[:LONGEST_IN_CHARACTERS]
        self._given_title = title
        self._given_language = language

    @cached_property
    def language(self) -> str:
        return self._given_language or language(self.text)

    def part(self, text: str) -> "Reading":
        """A reading of a piece of this text."""
        return Reading(text, language=self.language)

    @cached_property
    def stop_words(self) -> frozenset[str]:
        return PROFILES.get(self.language, ALL_STOP_WORDS)

    @cached_property
    def _heading(self) -> tuple[str, str]:
        """(title, text without it). A title is a marked first line, or one too short to be a paragraph."""
        first, _, rest = self.text.strip().partition("\n")
        marked = _TITLE_LINE.match(first)
        if marked:
            return marked.group(1).strip(), rest
        if rest.strip() and 0 < len(first) <= 140 and not re.search(r"[.:;,]\s*$", first):
            return first.strip(), rest
        return "", self.text

    @cached_property
    def title(self) -> str:
        if self._given_title or self._heading[0]:
            return self._given_title or self._heading[0]
        best = self.ranked[:1]
        return shortened(self.sentences[best[0]], 90).rstrip(".") if best else ""

    @cached_property
    def body(self) -> str:
        return "\n".join(line for line in self._heading[1].splitlines() if not _FIELD_LINE.match(line)).strip()

    @cached_property
    def sentences(self) -> list[str]:
        once = dict.fromkeys(sentences(self.body or self.text.strip()))
        return [each for each in once if not _TO_THE_MODEL.search(each)][:MOST_SENTENCES]

    @cached_property
    def vectors(self) -> Vectors:
        return weighed(self.sentences, self.stop_words)

    @cached_property
    def salience(self) -> NDArray[np.float32]:
        return salience(self.sentences, self.vectors)

    @cached_property
    def ranked(self) -> list[int]:
        """Sentence numbers, the most telling first, without repetition."""
        return picked(self.salience, self.vectors, 30) if self.sentences else []

    def best(self, count: int) -> list[str]:
        return [self.sentences[i] for i in self.ranked[:count]]

    def summary(self, count: int) -> str:
        """The best `count` sentences in reading order."""
        return " ".join(self.sentences[i] for i in sorted(self.ranked[:count]))

    def points(self, count: int, after: int = 0) -> list[str]:
        """Short points: what ranks next after the `after` sentences of a summary, then those of the summary."""
        order = [*self.ranked[after:], *self.ranked[:after]]
        return list(dict.fromkeys(shortened(self.sentences[i]) for i in order))[:count]

    def about(self, asked: Sequence[str], count: int = 1) -> list[str]:
        """Sentences that share the most telling words with what is asked; none where nothing is shared."""
        wanted = {_stem(word) for word in asked} - {""}
        scores = [sum(1 for stem in map(_stem, set(words(each))) if stem in wanted) for each in self.sentences]
        order = sorted(range(len(scores)), key=lambda i: (-scores[i], -float(self.salience[i])))
        return [self.sentences[i] for i in order[:count] if scores[i]]

    @cached_property
    def tone(self) -> Tone:
        return tone(self.text, self.language)

    @cached_property
    def entities(self) -> list[Entity]:
        return entities(f"{self.title}\n" + "\n".join(self.sentences), self.language)

    def topics(self, count: int) -> list[str]:
        heading = self._given_title or self._heading[0]
        return topics(" . ".join([heading, *self.sentences]), heading, self.stop_words, count)

    @cached_property
    def dates(self) -> list[Dated]:
        return dates(self.text)

    @cached_property
    def quotes(self) -> list[str]:
        return list(dict.fromkeys(_QUOTE.findall(self.text)))

    @cached_property
    def author(self) -> str | None:
        match = _BYLINE.search(self.text[:4_000])
        return match.group(1).strip() if match else None

    @cached_property
    def word_count(self) -> int:
        return len(self.text.split())


def _stem(word: str) -> str:
    low = word.lower()
    return low[:6].rstrip("aeis") if len(low) > 2 and low not in ALL_STOP_WORDS else ""
