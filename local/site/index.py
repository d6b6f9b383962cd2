"""The page for a person: every address of the sample job and every poster, what it shows and how it should end."""

from html import escape
from itertools import groupby
from pathlib import Path
from string import Template
from typing import Any

from local.site.samples import Address, Line, address_of, read_expected, read_job, read_posters


def render_index(samples: Path, web: set[Address]) -> str:
    """Read anew each time, so the page never lags behind the files."""
    expected = read_expected(samples / "expected.yaml")
    job = read_job(samples / "urls.txt")
    groups = [
        f"<h2>{escape(heading)}</h2>\n{table(list(lines), expected, web)}"
        for heading, lines in groupby(job, key=lambda line: line.heading)
    ]
    groups.append(f"<h2>posters: samples/posters.jsonl</h2>\n{posters_table(samples, web)}")
    return Template((samples / "layouts" / "index.html").read_text("utf-8")).substitute(groups="\n".join(groups))


def table(lines: list[Line], expected: dict[str, dict[str, Any]], web: set[Address]) -> str:
    rows = "\n".join(row(line.url, expected.get(line.url, {}), web) for line in lines)
    return f"<table><tr><th>address</th><th>shows</th><th>should end as</th></tr>\n{rows}\n</table>"


def posters_table(samples: Path, web: set[Address]) -> str:
    expected = read_expected(samples / "expected_posters.yaml")
    posters = read_posters(samples / "posters.jsonl")
    return table(posters, {poster.url: expected.get(poster.heading, {}) for poster in posters}, web)


def row(url: str, entry: dict[str, Any], web: set[Address]) -> str:
    state, reason = entry.get("state", "?"), entry.get("reason", "")
    badge = f'<span class="badge {escape(state)}">{escape(state)}</span> {escape(reason)}'
    again = f"<br><small>again {escape(entry['duplicate_of'])}</small>" if "duplicate_of" in entry else ""
    return (
        f'<tr><td class="url">{link(url, web)}{again}</td>'
        f'<td>{escape(entry.get("shows", ""))}</td><td class="state">{badge}</td></tr>'
    )


def link(url: str, web: set[Address]) -> str:
    """A way to the page that needs no DNS, where this server has the page."""
    host, path = address_of(url)
    text = f"<code>{escape(url)}</code>"
    return f'<a href="/as/{host}{escape(path)}">{text}</a>' if (host, path) in web else text
