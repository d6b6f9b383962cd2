"""An article as it is written: front matter and a little Markdown, in samples/articles/*.md."""

from dataclasses import dataclass
from datetime import datetime
from html import escape
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True, kw_only=True)
class Article:
    """One news article and how its page is to be served."""

    url: str
    title: str
    standfirst: str
    author: str
    published: datetime
    language: str
    section: str
    layout: str
    text: str
    robots: str = ""
    encoding: str = "utf-8"
    header_charset: str | None = "utf-8"
    junk_bytes: int = 0
    nested_replies: int = 0

    @property
    def body(self) -> str:
        """The text as HTML."""
        return "\n".join(block_html(block) for block in self.text.split("\n\n"))


def block_html(block: str) -> str:
    """`## ` opens a subheading, `<` passes through as it is, all else is a paragraph."""
    if block.startswith("## "):
        return f"<h2>{escape(block[3:])}</h2>"
    if block.startswith("<"):
        return block
    return f"<p>{escape(block, quote=False)}</p>"


def parse_article(source: str) -> Article:
    """Read `---`, YAML, `---`, text. Raises ValueError or TypeError when a part is missing."""
    _, front, text = source.split("---\n", 2)
    fields: dict[str, Any] = yaml.safe_load(front)
    return Article(text=text.strip(), **fields)


def read_articles(folder: Path) -> list[Article]:
    return [parse_article(path.read_text("utf-8")) for path in sorted(folder.glob("*.md"))]
