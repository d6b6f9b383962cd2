"""Is this page an article worth paying for? Rules on what was read, in the order in which they are sure.

captcha -> consent wall -> gone -> paywall -> list page -> no content
"""

import re
from dataclasses import dataclass

from functions.article import phrases
from functions.article.markup import Markup
from shared.errors import Skipped
from shared.pages import Page
from shared.urls import script_route

# A wall's teaser rarely shows more. Beyond this a page is believed over its phrases.
SHORT_WORDS = 250
ENOUGH_WORDS = 120
# News in brief are this short, and real: below ENOUGH_WORDS a page must say itself that it is an article.
BRIEF_WORDS = 50
# What is fetched is the address before it: often the shell that the page's scripts fill in a browser.
SCRIPTED = "The address names a route for the page's scripts (#!), which are not run."

_SPACELESS = re.compile(r"[\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff]")
_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
_SENTENCE_END = re.compile(r"[.!?…。！？।؟][\"')\]»”’」]*$")  # noqa: RUF001 - the stops of other scripts
_STRAIGHT = str.maketrans({"\u2019": "'", "\u2018": "'", "\xa0": " "})


@dataclass(frozen=True)
class Reading:
    """A page with what was read of it: the material of every rule here."""

    page: Page
    markup: Markup
    text: str
    words: int


def count_words(text: str) -> int:
    """Words; two characters count as one where a script writes no spaces (Chinese, Japanese, Thai, ...)."""
    spaceless = len(_SPACELESS.findall(text))
    return len(_WORD.findall(_SPACELESS.sub(" ", text))) + (spaceless + 1) // 2


def check(reading: Reading) -> None:
    """Raises Skipped with the reason why this page is no article worth reading; returns for one that is."""
    host = reading.page.final_url.split("/")[2]
    for rule, reason, what in _RULES:
        if rule(reading):
            detail = f"{host} {what} ({reading.words} words could be read)."
            raise Skipped(reason, f"{detail} {SCRIPTED}" if script_route(reading.page.url) else detail)


def extraction_quality(reading: Reading) -> float:
    """How far the extracted text can be trusted, from 0 to 1: 0.5 prose + 0.3 kept + 0.2 length.

    prose   share of the text's characters that stand in lines ending as a sentence does
    kept    share of the page's first 200 paragraphs (of 80 characters and more) that the text holds; 1 if none
    length  words / 300, at most 1
    """
    prose, length = prose_share(reading.text), min(1.0, reading.words / 300)
    return round(0.5 * prose + 0.3 * _kept_share(reading) + 0.2 * length, 3)


def prose_share(text: str) -> float:
    """The share of characters in lines of 40 or more which end as a sentence does. 0 for no text."""
    lines = [line.strip() for line in text.splitlines()]
    prose = sum(len(line) for line in lines if _is_prose(line))
    return prose / max(1, sum(map(len, lines)))


def _is_prose(line: str) -> bool:
    enough = 40 if not _SPACELESS.search(line) else 20
    return len(line) >= enough and _SENTENCE_END.search(line) is not None


def _kept_share(reading: Reading) -> float:
    squeezed = "".join(reading.text.split())
    long = [paragraph for paragraph in reading.markup.paragraphs if len(paragraph) >= 80][:200]
    kept = sum("".join(paragraph.split())[:60] in squeezed for paragraph in long)
    return kept / len(long) if long else 1.0


def _is_captcha(reading: Reading) -> bool:
    markup = reading.markup
    title, seen = _straight(markup.title), _straight(markup.visible[:5000])
    says = phrases.CAPTCHA_TITLE.search(title) or phrases.CAPTCHA_TEXT.search(seen)
    if reading.words >= ENOUGH_WORDS or markup.is_article:
        return False
    return bool(says or (reading.words < BRIEF_WORDS and phrases.CAPTCHA_MARKUP.search(markup.raw)))


def _is_consent_wall(reading: Reading) -> bool:
    if phrases.CONSENT_URL.search(reading.page.final_url):
        return True
    if reading.markup.is_article:
        return False
    said = len(phrases.CONSENT.findall(_straight(reading.text)))
    shown = len(phrases.CONSENT.findall(_straight(reading.markup.visible[:20_000])))
    managed = phrases.CONSENT_MARKUP.search(reading.markup.raw) is not None
    if reading.words < ENOUGH_WORDS:
        return shown >= 3 and (managed or said >= 3)
    # A consent dialog that was taken for the article speaks of little else.
    return managed and said >= 6 and said * 25 >= reading.words


def _is_gone(reading: Reading) -> bool:
    titles = (_straight(reading.markup.title), _straight(reading.markup.heading))
    says = any(phrases.GONE_TITLE.search(title) for title in titles)
    return (says and reading.words < SHORT_WORDS and not reading.markup.is_article) or _is_sent_home(reading)


def _is_sent_home(reading: Reading) -> bool:
    """Publishers redirect what they took down to their front page."""
    asked, came = reading.page.url.split("/", 3), reading.page.final_url.split("/", 3)
    had_path = len(asked) == 4 and bool(asked[3].strip("/"))
    at_home = len(came) < 4 or not came[3].split("#")[0].split("?")[0].strip("/")
    return had_path and at_home and "?" not in reading.page.url and not reading.markup.is_article


def _is_paywall(reading: Reading) -> bool:
    markup, words = reading.markup, reading.words
    if not markup.is_free and (words < SHORT_WORDS or words * 2 < markup.declared_words):
        return True
    ending = _straight(reading.text[-600:])
    if words < SHORT_WORDS and phrases.PAYWALL.search(ending):
        return True
    return words < ENOUGH_WORDS and phrases.PAYWALL.search(_straight(markup.visible)) is not None


def _is_list_page(reading: Reading) -> bool:
    """Section fronts: mostly links, and what text there is are headlines without full stops."""
    markup, prose = reading.markup, prose_share(reading.text)
    if markup.is_article and prose >= 0.2:
        return False
    mostly_links = markup.link_share >= 0.5 and prose < 0.4
    return mostly_links or (markup.is_list and not markup.is_article and prose < 0.6)


def _is_thin(reading: Reading) -> bool:
    brief = reading.words >= BRIEF_WORDS and (reading.markup.is_article or prose_share(reading.text) >= 0.6)
    return reading.words < ENOUGH_WORDS and not brief


def _straight(text: str) -> str:
    return text.translate(_STRAIGHT)


_RULES = (
    (_is_captcha, "captcha", "asks its visitors to prove that they are human"),
    (_is_consent_wall, "consent_wall", "shows its consent dialog instead of the page"),
    (_is_gone, "gone", "no longer has this page"),
    (_is_paywall, "paywall", "shows this article to subscribers only"),
    (_is_list_page, "list_page", "has a list of articles here, not one"),
    (_is_thin, "no_content", "has too little text here to be worth a summary"),
)
