"""Which sentences stand for a text: closeness to its centre, early position, and no repetition.

score = (v · centre) * (1 + lead * e^(-i/3)), then maximal marginal relevance (Carbonell and Goldstein, 1998).
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Vectors = NDArray[np.float32]

LEAD_OF_NEWS = 2.0
SPREAD = 0.3
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")  # noqa: RUF001 - the typographic apostrophe is meant


def words(text: str) -> list[str]:
    return _WORD.findall(text.lower())


def weighed(texts: Sequence[str], stop_words: frozenset[str]) -> Vectors:
    """One unit vector of tf-idf weights per text (zero where a text has only stop words)."""
    bags = [Counter(word for word in words(text) if word not in stop_words and len(word) > 2) for text in texts]
    spread = Counter(word for bag in bags for word in bag)
    column = {word: i for i, word in enumerate(spread)}
    vectors = np.zeros((len(texts), max(1, len(column))), np.float32)
    for row, bag in enumerate(bags):
        for word, times in bag.items():
            vectors[row, column[word]] = (1 + np.log(times)) * np.log(1 + len(texts) / spread[word])
    norms = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(norms, 1e-9), np.float32)


def salience(texts: Sequence[str], vectors: Vectors, lead: float = LEAD_OF_NEWS) -> NDArray[np.float32]:
    """How well each sentence stands for all of them, 0..1."""
    position = 1 + lead * np.exp(-np.arange(len(texts)) / 3)
    form = np.array([_form(text) for text in texts])
    return scaled((vectors @ vectors.mean(axis=0)) * position * form)


def _form(text: str) -> float:
    """Less for a sentence that is very short or long, or that holds half of a quotation."""
    length = 1.0 if 8 <= len(text.split()) <= 45 else 0.6
    whole = text.count("“") == text.count("”") and text.count('"') % 2 == 0
    return length if whole else length * 0.6


def scaled(scores: Iterable[float] | NDArray[np.floating]) -> NDArray[np.float32]:
    """The same order within 0..1."""
    values = np.asarray(list(scores), np.float32)
    if not values.size or np.ptp(values) == 0:
        return np.ones_like(values)
    return np.asarray((values - values.min()) / np.ptp(values), np.float32)


def picked(scores: NDArray[np.float32], vectors: Vectors, count: int, spread: float = SPREAD) -> list[int]:
    """Indices of the best `count`, best first; each choice costs those that say the same."""
    left = scores.astype(np.float64)
    chosen: list[int] = []
    for _ in range(min(count, len(left))):
        best = int(left.argmax())
        chosen.append(best)
        left = left - spread * np.maximum(vectors @ vectors[best], 0)
        left[chosen] = -np.inf
    return chosen
