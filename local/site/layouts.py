"""An article in its newspaper's clothes: one of samples/layouts/*.html, filled in."""

import json
import random
from base64 import b64encode
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import Any

import yaml

from local.site.articles import Article


def render(article: Article, site: str, layouts: Path) -> str:
    """The whole page, with what surrounds the article in the article's language."""
    template = Template((layouts / f"{article.layout}.html").read_text("utf-8"))
    words = surroundings(read_words(layouts / "words.yaml")[article.language])
    page = template.substitute(article_fields(article, site) | words)
    page = page.replace("</head>", f"{junk(article.junk_bytes)}</head>")
    return page.replace("</body>", f"{nested_replies(article.nested_replies)}</body>")


@cache
def read_words(path: Path) -> dict[str, dict[str, Any]]:
    words: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text("utf-8"))
    return words


def article_fields(article: Article, site: str) -> dict[str, str]:
    plain = {
        "url": article.url,
        "title": article.title,
        "standfirst": article.standfirst,
        "author": article.author,
        "published": article.published.isoformat(),
        "day": f"{article.published:%d.%m.%Y}",
        "language": article.language,
        "section": article.section,
        "charset": article.encoding,
        "site": site,
    }
    robots = f'<meta name="robots" content="{escape(article.robots)}">' if article.robots else ""
    ready = {"body": article.body, "json_ld": json_ld(article, site), "robots": robots}
    return {name: escape(value) for name, value in plain.items()} | ready


def json_ld(article: Article, site: str) -> str:
    """A schema.org NewsArticle."""
    thing = {
        "@context": "https://schema.org",
        "@type": "NewsArticle",
        "headline": article.title,
        "description": article.standfirst,
        "datePublished": article.published.isoformat(),
        "author": [{"@type": "Person", "name": article.author}],
        "publisher": {"@type": "Organization", "name": site},
        "inLanguage": article.language,
        "isAccessibleForFree": True,
        "mainEntityOfPage": article.url,
    }
    return json.dumps(thing, ensure_ascii=False).replace("</", "<\\/")


def surroundings(words: dict[str, Any]) -> dict[str, str]:
    """Menu, teasers, comments and the rest: lists become markup, single words stay words."""
    single = {name: escape(text) for name, text in words.items() if isinstance(text, str)}
    sections, teasers, comments = words["sections"], words["teasers"], words["comment_texts"]
    return single | {
        "nav": " ".join(f'<a href="/{number}/">{escape(text)}</a>' for number, text in enumerate(sections)),
        "menu": "".join(f"<span><b>{escape(text)}</b></span>" for text in sections),
        "teasers": "".join(f'<li><a href="/more/">{escape(text)}</a></li>' for text in teasers),
        "comment_list": "".join(f'<div class="comment">{escape(text)}</div>' for text in comments),
    }


def junk(length: int) -> str:
    """An inlined font and an inlined state, as careless pages carry them; always the same bytes."""
    if not length:
        return ""
    half = b64encode(random.Random(length).randbytes(length * 3 // 8)).decode()
    font = f"<style>@font-face{{font-family:Own;src:url(data:font/woff2;base64,{half})}}</style>"
    return f'{font}\n<script>window.__STATE__ = {{"cache": "{half}"}};</script>\n'


def nested_replies(depth: int) -> str:
    """A discussion in which everyone answered the one before, one level deeper each time."""
    replies = "".join(f'<div class="reply"><span>No, {number}.</span>' for number in range(depth))
    return replies + "</div>" * depth
