"""Which language a text is in, by the little words every sentence needs."""

import re
from collections import Counter

from local.gemini.word_lists import sections

NAMES = {
    "en": "English",
    "de": "German",
    "fr": "French",
    "es": "Spanish",
    "it": "Italian",
    "pt": "Portuguese",
    "nl": "Dutch",
    "sv": "Swedish",
    "pl": "Polish",
    "id": "Indonesian",
    "ru": "Russian",
    "uk": "Ukrainian",
    "el": "Greek",
    "ar": "Arabic",
    "he": "Hebrew",
    "hi": "Hindi",
    "th": "Thai",
    "ko": "Korean",
    "ja": "Japanese",
    "zh": "Chinese",
}

PROFILES = sections("stop_words")
ALL_STOP_WORDS = frozenset().union(*PROFILES.values())

_SCRIPTS = (
    ("uk", re.compile(r"[іїєґІЇЄҐ]")),
    ("ru", re.compile(r"[Ѐ-ӿ]")),
    ("el", re.compile(r"[Ͱ-Ͽ]")),
    ("ar", re.compile(r"[؀-ۿ]")),
    ("he", re.compile(r"[֐-׿]")),
    ("hi", re.compile(r"[ऀ-ॿ]")),
    ("th", re.compile(r"[฀-๿]")),
    ("ko", re.compile(r"[가-힯]")),
    ("ja", re.compile(r"[぀-ヿ]")),
    ("zh", re.compile(r"[一-鿿]")),
)
_LETTER = re.compile(r"[^\W\d_]+")
_SAMPLE = 6_000
_LEAST_SHARE = 0.12


def language(text: str) -> str:
    """ISO 639-1 code of the text's language, "und" where nothing tells."""
    sample = text[:_SAMPLE]
    return _by_script(sample) or _by_profile(sample) or "und"


def _by_script(sample: str) -> str | None:
    letters = sum(map(len, _LETTER.findall(sample)))
    for code, script in _SCRIPTS:
        share = len(script.findall(sample)) / max(1, letters)
        # Russian and Ukrainian share an alphabet but for four letters; Japanese mixes in Chinese signs.
        if share > {"uk": 0.02, "ja": 0.1}.get(code, 0.4):
            return code
    return None


def _by_profile(sample: str) -> str | None:
    counts = Counter(word.lower() for word in _LETTER.findall(sample))
    hits = {code: sum(counts[word] for word in profile) for code, profile in PROFILES.items()}
    best = max(hits, key=lambda code: hits[code])
    # Running text has about 40 in 100; a language without a profile shares a few with one that has.
    return best if hits[best] > _LEAST_SHARE * counts.total() else None
