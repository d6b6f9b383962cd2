"""The samples folder, read: which address gives which answer, and what the sample job expects."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from local.site import hostile
from local.site.answers import Answer, article_page, file, hesitate, plain, redirect, status
from local.site.articles import read_articles

Address = tuple[str, str]

POSTERS_HOST = "posters.test"
PICTURES = frozenset({".jpg", ".png", ".gif", ".webp"})

HOSTILE: dict[str, Callable[..., Answer]] = {
    "gzip_bomb": hostile.gzip_bomb,
    "endless": hostile.endless,
    "overdeclared": hostile.overdeclared,
    "drip": hostile.drip,
    "reset": hostile.reset,
}


def address_of(url: str) -> Address:
    """Host and path; scheme, query and fragment make no difference to this server."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.path


def read_web(samples: Path) -> dict[Address, Answer]:
    """Every address of the sample web. Raises KeyError for an answer that does not exist."""
    site = yaml.safe_load((samples / "site.yaml").read_text("utf-8"))
    web = {
        address_of(article.url): article_page(article, site["hosts"][address_of(article.url)[0]], samples / "layouts")
        for article in read_articles(samples / "articles")
    }
    web |= {(POSTERS_HOST, f"/{picture.name}"): file(picture) for picture in pictures_in(samples / "posters")}
    for url, wanted in site["pages"].items():
        web[address_of(url)] = make_answer(wanted, web.get(address_of(url)), samples)
    return robots_of({host for host, _ in web}, site["robots"]) | web


def robots_of(hosts: set[str], rules: dict[str, str]) -> dict[Address, Answer]:
    """The /robots.txt of each host: its own, or that of every host."""
    return {(host, "/robots.txt"): plain(rules.get(host, rules["every host"])) for host in hosts}


def pictures_in(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*") if path.suffix in PICTURES)


def make_answer(wanted: dict[str, Any], article: Answer | None, samples: Path) -> Answer:
    """`wanted` is an entry of site.yaml; `article` is what articles/ has at the same address."""
    match wanted:
        case {"answer": "file", "name": name, **arguments}:
            return file(samples / "pages" / name, **arguments)
        case {"answer": "swollen_jpeg", "name": name, **arguments}:
            return hostile.swollen_jpeg(samples / "posters" / name, **arguments)
        case {"answer": "status", **arguments}:
            return status(**arguments)
        case {"answer": "redirect", **arguments}:
            return redirect(**arguments)
        case {"answer": "hesitate", **arguments} if article:
            return hesitate(article, **arguments)
        case {"answer": name, **arguments}:
            return HOSTILE[name](**arguments)
    raise ValueError(f"site.yaml: no answer in {wanted}")


@dataclass(frozen=True)
class Line:
    """One line of the sample job, with the heading it stands under."""

    heading: str
    url: str


def read_job(path: Path) -> list[Line]:
    """The addresses of urls.txt; a comment is the heading of what follows."""
    lines, heading = [], ""
    for text in path.read_text("utf-8").splitlines():
        if text.startswith("#"):
            heading = text.lstrip("# ")
        elif text:
            lines.append(Line(heading, text))
    return lines


def read_posters(path: Path) -> list[Line]:
    """The addresses of posters.jsonl, headed by their content id."""
    posters = [json.loads(text) for text in path.read_text("utf-8").splitlines()]
    return [Line(poster["content_id"], poster["url"]) for poster in posters]


def read_expected(path: Path) -> dict[str, dict[str, Any]]:
    """Per address of urls.txt, or content id of posters.jsonl: state, shows, and more where it applies."""
    expected: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text("utf-8"))
    return expected
