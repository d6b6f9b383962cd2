"""How well article reads real news pages, by the measure of the public article-extraction-benchmark.

Texts are compared as bags of 4-word shingles; precision and recall are means over pages, F1 is their harmonic
mean. Appends a line to bench/results/extraction.jsonl. Without the pages (../shared/data/articles) it skips.

    python -m bench.extraction
"""

import gzip
import json
import re
import statistics
import sys
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from functions.article.reading import Article, read_page
from shared.errors import Outcome
from shared.pages import Page

ROOT = Path(__file__).parents[1]
PAGES = ROOT.parent / "shared" / "data" / "articles"
RESULTS = ROOT / "bench" / "results" / "extraction.jsonl"
# What trafilatura 2.0.0 scores in the benchmark's own table.
PUBLISHED_F1 = 0.958


@dataclass(frozen=True)
class Sample:
    """One real page and the text people marked as its article."""

    name: str
    url: str
    body: bytes
    truth: str

    def page(self) -> Page:
        return Page(self.url, self.url, 200, "text/html", None, self.body, None, None, datetime.now(UTC))


@dataclass(frozen=True)
class Score:
    """The shared shingles over those of the reading (precision) and over those of the truth (recall)."""

    precision: float
    recall: float

    @property
    def f1(self) -> float:
        return 2 * self.precision * self.recall / max(1e-9, self.precision + self.recall)


def samples() -> Iterator[Sample]:
    """Every page of the data set; none where it is absent."""
    truths = PAGES / "ground-truth.json"
    for name, known in json.loads(truths.read_text()).items() if truths.exists() else ():
        body = gzip.decompress((PAGES / "html" / f"{name}.html.gz").read_bytes())
        yield Sample(name, known["url"], body, known["articleBody"])


def score(truth: str, text: str) -> Score:
    """Compare a reading with the truth, regardless of order and of spacing."""
    known, read = _shingles(truth), _shingles(text)
    shared = (known & read).total()
    return Score(shared / max(1, read.total()), shared / max(1, known.total()))


def mean(scores: list[Score]) -> Score:
    """The means over pages: a long page weighs as much as a short one."""
    return Score(statistics.mean(s.precision for s in scores), statistics.mean(s.recall for s in scores))


def _shingles(text: str) -> Counter[tuple[str, ...]]:
    words = re.findall(r"\w+", text)
    return Counter(tuple(words[start : start + 4]) for start in range(max(1, len(words) - 3)) if words)


def measure() -> dict[str, object] | None:
    """Read and score every page; None when there are none."""
    scores, qualities, seconds, skipped = [], [], [], Counter[str]()
    for sample in samples():
        page, started = sample.page(), time.perf_counter()
        try:
            article: Article | None = read_page(page)
        except Outcome as outcome:
            article = None
            skipped[outcome.reason] += 1
        seconds.append(time.perf_counter() - started)
        scores.append(score(sample.truth, article.text if article else ""))
        qualities.append(article.extraction_quality if article else 0.0)
    if not scores:
        return None
    total = mean(scores)
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "pages": len(scores),
        "f1": round(total.f1, 4),
        "precision": round(total.precision, 4),
        "recall": round(total.recall, 4),
        "mean_page_f1": round(statistics.mean(each.f1 for each in scores), 4),
        "published_f1": PUBLISHED_F1,
        "skipped": dict(skipped),
        "ms_median": round(statistics.median(seconds) * 1000, 1),
        "ms_p95": round(statistics.quantiles(seconds, n=20)[-1] * 1000, 1),
        "quality_median": statistics.median(qualities),
    }


def main() -> int:
    result = measure()
    if result is None:
        print(f"skipped: no pages in {PAGES}")
        return 0
    line = json.dumps(result)
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("a") as results:
        results.write(line + "\n")
    print(line)
    return 0


if __name__ == "__main__":
    sys.exit(main())
