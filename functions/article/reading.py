"""Page -> Article: the readable text of a news page and what the page says about it. Pure; no network.

decode -> markup + text (trafilatura) -> quality rules -> Article
"""

import hashlib
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from functions.article.charset import decode
from functions.article.markup import moment, read_markup, without_controls
from functions.article.quality import ENOUGH_WORDS, Reading, check, count_words, extraction_quality
from shared.errors import Rejected, Skipped
from shared.pages import Page

if TYPE_CHECKING:
    from trafilatura.settings import Document

# A page's markup grows faster than its text: what lies beyond is scripts and recommendations.
MAX_HTML_CHARACTERS = 5_000_000
# Extraction takes up to 0.06 ms an element. Real news pages have about 700, the largest we know 1,700.
MAX_ELEMENTS = 30_000


@dataclass(frozen=True)
class Article:
    """What was read. `language` is what the page declares (ISO 639-1); `published_at` is in UTC.

    `content_hash` is the SHA-256 of the text in NFC with white space collapsed: same words, same hash.
    """

    text: str
    title: str
    author: str | None
    published_at: datetime | None
    language: str | None
    word_count: int
    extraction_quality: float
    content_hash: str


def read_page(page: Page) -> Article:
    """The article on a page.

    Raises Skipped: not_html, captcha, consent_wall, gone, paywall, list_page, no_content; Rejected: too_large.
    """
    if _is_binary(page.body):
        raise Skipped("not_html", f"{page.final_url} says it is HTML and is not.")
    html = without_controls(decode(page.body, page.charset)[:MAX_HTML_CHARACTERS])
    try:
        markup = read_markup(html)
    except ValueError as error:
        raise Skipped("no_content", f"{page.final_url} is an empty page.") from error
    if markup.elements > MAX_ELEMENTS:
        raise Rejected("too_large", f"{page.final_url} has {markup.elements} elements, too many to read.")
    document = extract(html, page.final_url)
    text = _clean(document.text or "") if document else ""
    reading = Reading(page, markup, text, count_words(text))
    check(reading)
    return Article(
        text=text,
        title=_line(document.title if document else None) or _line(markup.heading) or _line(markup.title) or "",
        author=_line(document.author if document else None),
        published_at=markup.published_at or moment(document.date if document else None),
        language=markup.language,
        word_count=reading.words,
        extraction_quality=extraction_quality(reading),
        content_hash=content_hash(text),
    )


def content_hash(text: str) -> str:
    """The identity of what a page says, whatever its spacing."""
    normal = " ".join(unicodedata.normalize("NFC", text).split())
    return hashlib.sha256(normal.encode()).hexdigest()


def extract(html: str, url: str) -> "Document | None":
    """trafilatura's reading. Precision first (measured best on real pages); its default when that is thin."""
    precise = _extract(html, url, precision=True)
    if precise and count_words(precise.text or "") >= ENOUGH_WORDS:
        return precise
    default = _extract(html, url, precision=False)
    return max(precise, default, key=lambda document: len(document.text or "") if document else -1)


def _extract(html: str, url: str, *, precision: bool) -> "Document | None":
    from trafilatura import bare_extraction  # noqa: PLC0415 - 140 ms, not at the cold start

    try:
        document = bare_extraction(html, url, favor_precision=precision, include_comments=False, with_metadata=True)
    except Exception as error:
        # Pages nobody could foresee go through three parsers; none of their errors goes away with a retry.
        raise Skipped("no_content", f"{url} could not be made sense of.") from error
    return document if document is None or not isinstance(document, dict) else None


def _is_binary(body: bytes) -> bool:
    start = body[:1024]
    wide = start.startswith((b"\xff\xfe", b"\xfe\xff"))
    return start.startswith((b"%PDF", b"\x89PNG", b"\xff\xd8\xff", b"PK\x03\x04", b"\x1f\x8b")) or (
        b"\0" in start and not wide
    )


def _clean(text: str) -> str:
    return "\n".join(line for line in map(str.strip, text.splitlines()) if line)


def _line(text: str | None) -> str | None:
    return " ".join(text.split())[:500] if text else None
