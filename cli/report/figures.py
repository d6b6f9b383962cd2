"""Figures: what all posters say together, above them."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from cli.report.marks import Row, per_cent, score_of, spoken, text, tone


@dataclass(frozen=True)
class Figures:
    """`slots`: (slot, on how many posters it is safe), the safest first; `states`: (state, how many)."""

    posters: int
    analysed: int
    median_score: float
    cost_usd: float
    faces: int
    slots: Sequence[tuple[str, int]]
    states: Sequence[tuple[str, int]]


def figures_of(every: Sequence[Row], done: Sequence[Row]) -> Figures:
    rows = [one["analysis"] for one in done]
    slots = Counter({zone["slot"]: 0 for row in rows for zone in row["zones"]})
    slots.update(zone["slot"] for row in rows for zone in row["zones"] if zone["safe"])
    states = Counter(str(one["state"]) for one in every)
    return Figures(
        posters=len(every),
        analysed=len(done),
        median_score=median(map(score_of, rows)) if rows else 0.0,
        cost_usd=sum(float(row.get("cost_usd") or 0) for row in rows),
        faces=sum(any(one["type"] == "face" for one in row["elements"]) for row in rows),
        slots=sorted(slots.items(), key=lambda slot: (-slot[1], slot[0])),
        states=sorted(states.items()),
    )


def tiles(figures: Figures) -> str:
    failed = figures.posters - figures.analysed
    told = (
        ("Analysed", f"{figures.analysed}", f"of {figures.posters} posters" if failed else "all of them"),
        ("Median score", per_cent(figures.median_score), "of 100"),
        ("With faces", f"{figures.faces}", f"of {figures.analysed}"),
        ("Cost", f"${figures.cost_usd:.4f}", "for these posters"),
    )
    numbers = "".join(
        f'<div class="tile"><dt>{name}</dt><dd><b>{value}</b> <span>{more}</span></dd></div>'
        for name, value, more in told
    )
    return f'<dl class="tiles">{numbers}</dl>{slot_bars(figures)}'


def slot_bars(figures: Figures) -> str:
    """How often each slot is safe: a list of buttons that also filter."""
    if not figures.analysed:
        return ""
    bars = "".join(
        f'<li><button type="button" data-slot="{text(slot)}" aria-pressed="false" '
        f'aria-label="{text(spoken(slot))}: safe on {count} of {figures.analysed} posters">'
        f'<span class="label">{text(spoken(slot))}</span>'
        f'<span class="track"><span class="fill {tone(count / figures.analysed)}" '
        f'style="--share:{count / figures.analysed:.3f}"></span></span>'
        f'<span class="number">{per_cent(count / figures.analysed)}%</span></button></li>'
        for slot, count in figures.slots
    )
    return f'<div class="shares"><h2>How often each slot is safe</h2><ul>{bars}</ul></div>'


def slot_options(figures: Figures) -> str:
    return "".join(f'<option value="{text(slot)}">{text(spoken(slot))}</option>' for slot, _ in sorted(figures.slots))
