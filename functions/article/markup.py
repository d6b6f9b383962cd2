"""What a page's markup says about the page: its title, its JSON-LD, how much of it is links.

HTML text -> Markup: a value the quality rules decide on
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lxml.html import HtmlElement  # type: ignore[import-untyped]

_ARTICLE_TYPE = re.compile(r"(?:\w*Article|BlogPosting|Report|Review|LiveBlogPosting)", re.ASCII)
_LIST_TYPES = frozenset({"CollectionPage", "ItemList", "SearchResultsPage", "ProfilePage"})
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_CONTROL_REFERENCE = re.compile(
    r"&#(?:0*(?:[1-8]|1[124-9]|2\d|3[01]|6553[45])(?!\d)|x0*(?:[1-8bcef]|1[\da-f]|fff[ef])(?![\da-f]));?",
    re.IGNORECASE | re.ASCII,
)
_UNSEEN = ("script", "style", "noscript", "template", "svg", "head", "iframe")
_LANGUAGE = re.compile(r"([a-z]{2})(?:[-_].*)?", re.IGNORECASE)
# Before the web no page was published: such dates are defaults of some software.
_FIRST_YEAR = 1990
_META_DATES = ("article:published_time", "og:article:published_time", "datepublished", "parsely-pub-date")


@dataclass(frozen=True)
class Markup:
    """What the page says about itself. `link_share` is link text over all text; `paragraphs`, each <p>'s text."""

    title: str
    heading: str
    visible: str
    paragraphs: tuple[str, ...]
    link_share: float
    language: str | None
    published_at: datetime | None
    is_article: bool
    is_list: bool
    is_free: bool
    declared_words: int
    elements: int
    raw: str


def without_controls(html: str) -> str:
    """The HTML text without characters that no page may have, written as themselves or as `&#3;`.

    lxml reads such references and then refuses to handle the text that it has made of them.
    """
    return _CONTROL_REFERENCE.sub("", _CONTROL.sub("", html))


def read_markup(html: str) -> Markup:
    """Of HTML `without_controls`. Raises ValueError when there is no element in it at all."""
    tree = _parse(html)
    meta = _meta(tree)
    linked = list(_linked_data(tree))
    types = {kind for thing in linked for kind in _types(thing)}
    articles = [thing for thing in linked if any(map(_ARTICLE_TYPE.fullmatch, _types(thing)))]
    title, heading, language = _first(tree, "//title"), _first(tree, "//h1"), _language(tree, meta)
    elements = sum(1 for _ in tree.iter())
    for unseen in list(tree.iter(*_UNSEEN)):
        if unseen.getparent() is not None:
            unseen.drop_tree()
    visible = _text(tree)
    return Markup(
        title=title or meta.get("og:title", ""),
        heading=heading,
        visible=visible,
        paragraphs=tuple(filter(None, map(_text, _innermost(tree, "p")))),
        link_share=sum(len(_text(link)) for link in _outermost(tree, "a")) / max(1, len(visible)),
        language=language,
        published_at=_published_at(articles, meta),
        is_article=bool(articles) or meta.get("og:type", "").lower() == "article",
        is_list=bool(types & _LIST_TYPES),
        is_free=not any(str(thing.get("isAccessibleForFree")).lower() == "false" for thing in articles),
        declared_words=max((_whole(thing.get("wordCount")) for thing in articles), default=0),
        elements=elements,
        raw=html,
    )


def _parse(html: str) -> "HtmlElement":
    # Imported with the first page, not at the cold start.
    from lxml.etree import LxmlError  # type: ignore[import-untyped]  # noqa: PLC0415
    from lxml.html import HTMLParser, document_fromstring  # noqa: PLC0415

    try:
        parser = HTMLParser(remove_comments=True, remove_pis=True)
        return document_fromstring(_XML_DECLARATION.sub("", html), parser=parser)
    except LxmlError as error:
        raise ValueError("no element in it") from error


# libxml2 lets paragraphs and links stand in each other, over a hundred deep: each would count the whole text anew.
def _innermost(tree: "HtmlElement", tag: str) -> Iterator["HtmlElement"]:
    return (element for element in tree.iter(tag) if next(element.iterdescendants(tag), None) is None)


def _outermost(tree: "HtmlElement", tag: str) -> Iterator["HtmlElement"]:
    return (element for element in tree.iter(tag) if next(element.iterancestors(tag), None) is None)


def _text(element: "HtmlElement") -> str:
    return " ".join("".join(element.itertext()).split())


def _first(tree: "HtmlElement", path: str) -> str:
    return next((text for element in tree.xpath(path) if (text := _text(element))), "")


def _meta(tree: "HtmlElement") -> dict[str, str]:
    named = ((tag.get("property") or tag.get("name") or tag.get("itemprop"), tag) for tag in tree.iter("meta"))
    return {name.lower(): (tag.get("content") or "").strip() for name, tag in named if name}


def _language(tree: "HtmlElement", meta: dict[str, str]) -> str | None:
    declared = tree.get("lang") or tree.get("xml:lang") or meta.get("og:locale") or meta.get("language") or ""
    found = _LANGUAGE.fullmatch(declared.strip())
    return found.group(1).lower() if found else None


def _linked_data(tree: "HtmlElement") -> Iterator[dict[str, Any]]:
    for script in tree.xpath("//script[@type='application/ld+json']"):
        try:
            yield from _things(json.loads(script.text or "", strict=False))
        except (ValueError, RecursionError):
            continue


def _things(data: Any) -> Iterator[dict[str, Any]]:
    """Every object at the top, in a list, or in a @graph."""
    if isinstance(data, list):
        for entry in data:
            yield from _things(entry)
    elif isinstance(data, dict):
        yield data
        yield from _things(data.get("@graph", []))
        yield from _things(data.get("mainEntity", []))


def _types(thing: dict[str, Any]) -> list[str]:
    kinds = thing.get("@type", [])
    return [str(kind) for kind in (kinds if isinstance(kinds, list) else [kinds])]


def _published_at(articles: list[dict[str, Any]], meta: dict[str, str]) -> datetime | None:
    dates = [thing.get("datePublished") for thing in articles] + [meta.get(name) for name in _META_DATES]
    return next(filter(None, map(moment, dates)), None)


def moment(value: Any) -> datetime | None:
    """An ISO 8601 date or time as a moment in UTC; None for anything else, and for 0001-01-01."""
    try:
        parsed = datetime.fromisoformat(str(value).strip())
        in_utc = (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    return in_utc if in_utc.year > _FIRST_YEAR else None


def _whole(value: Any) -> int:
    return int(value) if str(value).isdecimal() and len(str(value)) < 9 else 0
