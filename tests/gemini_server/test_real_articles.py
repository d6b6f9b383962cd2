"""Real news pages, where they are at hand: ../shared/data beside the repository. They are no part of the project."""

import json
from pathlib import Path

import pytest

from local.gemini.reading import Reading

ARTICLES = Path(__file__).parents[3] / "shared" / "data" / "articles" / "ground-truth.json"

pytestmark = pytest.mark.skipif(not ARTICLES.exists(), reason="no ../shared/data/articles beside the repository")


@pytest.fixture(scope="module")
def readings():
    return [Reading(entry["articleBody"]) for entry in json.loads(ARTICLES.read_text()).values()]


def test_every_article_has_a_title_a_summary_and_a_language(readings):
    for reading in readings:
        assert reading.title
        assert reading.summary(3)
    unknown = [reading.title for reading in readings if reading.language == "und"]
    assert len(unknown) <= 2, unknown


def test_a_summary_covers_the_article_better_than_its_last_sentences(readings):
    better = 0
    for reading in readings:
        own, last = reading.summary(3), " ".join(reading.sentences[-3:])
        better += coverage(own, reading) > coverage(last, reading)

    assert better / len(readings) > 0.75


def coverage(text, reading):
    """Share of the article's topic words that a text holds."""
    topics = reading.topics(12)
    return sum(topic.split()[0] in text.lower() for topic in topics) / max(1, len(topics))
