"""The tone of a text, by counting words that carry one."""

import re
from dataclasses import dataclass
from functools import cache, lru_cache

from local.gemini.word_lists import sections

# A star stands for any ending.
_TONES = sections("tones")
_WORD = re.compile(r"[^\W\d_]+")
_NEGATION = re.compile(
    r"\b(?:not|no|never|without|hardly|\w+n['’]t|nicht|kein\w*|nie|ne|pas|jamais|non|mai|niet|geen|não|nunca|sin|sem|senza)"  # noqa: RUF001 - the typographic apostrophe is meant
    r"(?:\s+\w+){0,2}\s*$",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Tone:
    good: int
    bad: int
    words: int

    @property
    def score(self) -> float:
        """-1 (all bad) to 1 (all good); a text with few toned words stays near 0."""
        return (self.good - self.bad) / (self.good + self.bad + max(1.0, self.words / 100))

    @property
    def label(self) -> str:
        """positive, negative, mixed or neutral."""
        if min(self.good, self.bad) >= 4 and abs(self.score) < 0.2:
            return "mixed"
        if self.score > 0.2:
            return "positive"
        return "negative" if self.score < -0.2 else "neutral"


def tone(text: str, language: str) -> Tone:
    """Counts by the lexicon of the language, English where there is none."""
    known = language if f"{language} good" in _TONES else "en"
    found = [(match, sign) for match in _WORD.finditer(text) if (sign := _sign(match.group().lower(), known))]
    signs = [sign * _turned(text, match.start()) for match, sign in found]
    return Tone(signs.count(1), signs.count(-1), len(text.split()))


def _turned(text: str, at: int) -> int:
    return -1 if _NEGATION.search(text, max(0, at - 30), at) else 1


@lru_cache(maxsize=100_000)
def _sign(word: str, language: str) -> int:
    good, bad = _matcher(f"{language} good"), _matcher(f"{language} bad")
    return bool(good.fullmatch(word)) - bool(bad.fullmatch(word))


@cache
def _matcher(section: str) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(stem).replace(r"\*", r"\w*") for stem in sorted(_TONES[section])))
