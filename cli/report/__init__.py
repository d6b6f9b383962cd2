"""The report: posters with their overlays on one page that needs nothing else, and opens from a file.

results ─> cards, failures, figures (cards.py, figures.py) ─> page.css and page.js around them ─> one HTML text
"""

import base64
import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from cli.report.cards import card, failures
from cli.report.figures import Figures, figures_of, slot_options, tiles
from cli.report.marks import text

FOLDER = Path(__file__).parent
Result = dict[str, Any]


def page(results: Iterable[Result], *, made_at: datetime, source: str) -> str:
    """The whole page. `results`: {content_id, title, url, state, reason, error, analysis (a row, or None)}."""
    every = list(results)
    done = [one for one in every if one["analysis"]]
    figures = figures_of(every, done)
    return PAGE.format(
        policy=policy(),
        style=style(),
        script=script(),
        summary=f"{text(source)} · {made_at:%d %B %Y, %H:%M} UTC",
        tiles=tiles(figures),
        slots=slot_options(figures),
        states=options(figures),
        cards="\n".join(card(one, place) for place, one in enumerate(done)),
        failures=failures([one for one in every if not one["analysis"]]),
        count=len(done),
        empty="" if done else '<p class="nothing">No poster was analysed.</p>',
    )


def style() -> str:
    return (FOLDER / "page.css").read_text(encoding="utf-8")


def script() -> str:
    return (FOLDER / "page.js").read_text(encoding="utf-8")


def policy() -> str:
    """Nothing is loaded, and no script runs but ours: what stands on posters comes from the web."""
    digest = base64.b64encode(hashlib.sha256(script().encode()).digest()).decode()
    return (
        f"default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'; base-uri 'none'"
    )


def options(figures: Figures) -> str:
    return "".join(f'<option value="{text(state)}">{text(state)} ({count})</option>' for state, count in figures.states)


def write(file: Path, content: str) -> None:
    """The file appears whole, or not at all. Raises OSError."""
    draft = file.with_name(f"{file.name}.part")
    try:
        draft.write_text(content, encoding="utf-8")
        draft.replace(file)
    finally:
        draft.unlink(missing_ok=True)


def of_items(items: Sequence[Result]) -> list[Result]:
    """Items of a batch, as the API gives them, in the shape of a report."""
    return [
        {
            **{name: (item.get("input") or {}).get(name) for name in ("content_id", "title", "url")},
            **{name: item.get(name) for name in ("state", "reason", "error")},
            "analysis": item.get("result"),
        }
        for item in items
    ]


PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Poster overlays</title>
<style>{style}</style>
</head>
<body>
<svg class="defs" aria-hidden="true"><defs>
<pattern id="hatch" width="3" height="3" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<rect width="3" height="3" class="hatch-ground"/><rect width="1" height="3" class="hatch-line"/></pattern>
</defs></svg>
<a class="skip" href="#posters">Skip to the posters</a>
<header class="top">
<div class="name"><h1>Poster overlays</h1><p>{summary}</p></div>
<button type="button" class="theme" id="theme" aria-label="Switch between light and dark">◐</button>
</header>
<main>
<section class="figures" aria-label="In figures">{tiles}</section>
<form class="tools" role="search" aria-label="Sort and filter posters">
<label class="find"><span>Find</span>
<input type="search" id="find" placeholder="Title or id" autocomplete="off"></label>
<label><span>Sort</span><select id="sort">
<option value="score-down">Best score first</option><option value="score-up">Worst score first</option>
<option value="name">Title</option><option value="place">As submitted</option></select></label>
<label><span>Slot</span><select id="slot"><option value="">Any slot</option>{slots}</select></label>
<label><span>Verdict</span><select id="verdict"><option value="">Safe or not</option>
<option value="safe">Safe</option><option value="unsafe">Not safe</option></select></label>
<label><span>State</span><select id="state"><option value="">All</option>{states}</select></label>
<fieldset><legend>Show</legend>
<label class="tick"><input type="checkbox" id="zones" checked><span>Zones</span></label>
<label class="tick"><input type="checkbox" id="elements"><span>Elements</span></label></fieldset>
</form>
<div class="legend"><i class="key safe"></i>safe for an overlay <i class="key unsafe"></i>not safe
<i class="key element"></i>what is there <span class="count" role="status" id="count">{count} posters</span></div>
<section id="posters" class="grid" aria-label="Posters" tabindex="-1">
{cards}
</section>
{empty}
{failures}
</main>
<dialog id="large" aria-labelledby="large-title">
<div class="bar"><button type="button" id="before" aria-label="Previous poster">←</button>
<button type="button" id="next" aria-label="Next poster">→</button>
<span class="where" id="where" role="status"></span>
<button type="button" id="close" aria-label="Close">✕</button></div>
<div class="body"><div class="big" id="big"></div><div class="about" id="about"></div></div>
</dialog>
<script>{script}</script>
</body>
</html>
"""
