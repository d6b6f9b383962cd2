"""Cards: one for each analysed poster, with what its enlargement shows; and a table of those that came to nothing."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from cli.report.marks import Row, crop, per_cent, picture, score_of, spoken, text, tone, words

NONE = "-"
ROLES = ("badge", "title", "rating")


def card(result: Row, place: int) -> str:
    """One poster. What sorting and filtering look at stands in its data attributes."""
    row = result["analysis"]
    score, name = score_of(row), name_of(result)
    safe = [zone["slot"] for zone in row["zones"] if zone["safe"]]
    told = f"{name}: score {per_cent(score)}, {len(safe)} of {len(row['zones'])} slots safe"
    known = {
        "place": place, "score": f"{score:.4f}", "name": name.lower(), "state": result["state"],
        "find": f"{name} {result['content_id']}".lower(), "safe": " ".join(safe),
        "slots": " ".join(zone["slot"] for zone in row["zones"]),
    }  # fmt: skip
    data = " ".join(f'data-{key}="{text(value)}"' for key, value in known.items())
    return (
        f'<article class="card" {data}><button type="button" class="open" aria-label="{text(told)}. Show details">'
        f"{picture(row, told)}</button>"
        f'<div class="foot"><div class="who"><h2>{text(name)}</h2><p>{text(result["content_id"])}</p></div>'
        f"{ring(score)}</div>"
        f'<p class="chips">{chips(row, len(safe))}</p>'
        f"<template>{details(result)}</template></article>"
    )


def ring(score: float) -> str:
    return f'<span class="score {tone(score)}" style="--score:{score:.3f}" aria-hidden="true">{per_cent(score)}</span>'


def name_of(result: Row) -> str:
    read = (result["analysis"] or {}).get("title") or {}
    return str(result.get("title") or read.get("text") or result["content_id"])


def chips(row: Row, safe: int) -> str:
    found = [f'<span class="chip">{safe}/{len(row["zones"])} safe</span>']
    picks = row["recommended"]
    for role in ROLES:
        if role in picks:
            good = picks[role]["safe"]
            mark, verdict = ("✓", "safe") if good else ("✕", "no safe slot")
            said = f"{role}: {verdict}, best is {spoken(picks[role]['slot'])}"
            found.append(
                f'<span class="chip {"yes" if good else "no"}" title="{text(said)}">{mark} {text(role)}</span>'
            )
    found += [f'<span class="chip flag">{text(words([flag]))}</span>' for flag in row["quality"]["flags"]]
    return "".join(found)


def details(result: Row) -> str:
    row = result["analysis"]
    crops = "".join(crop(row, ratio, one) for ratio, one in row["crops"].items())
    return (
        f'<h2 id="large-title">{text(name_of(result))}</h2><p class="facts">{text(facts(result))}</p>'
        f"{recommended(row)}"
        f"<h3>Slots</h3>{zones_table(row['zones'])}"
        f"<h3>What is on it</h3>{elements_table(row['elements'])}"
        f'<h3>Crops</h3><div class="crops">{crops}</div>'
    )


def facts(result: Row) -> str:
    row, picture_of = result["analysis"], result["analysis"]["image"]
    legible = row["title"]["legible"] if row.get("title") else None
    told = {True: "title legible on a thumbnail", False: "title not legible on a thumbnail", None: "no title on it"}
    parts = [
        str(result["content_id"]), f"{picture_of['width']} x {picture_of['height']} {picture_of['format']}",
        told[legible], words(row["quality"]["flags"]), str(row["model"]),
    ]  # fmt: skip
    return " · ".join(part for part in parts if part)


def recommended(row: Row) -> str:
    picks = row["recommended"].items()
    lines = "".join(
        f'<li class="{"yes" if pick["safe"] else "no"}"><b>{text(role)}</b> {text(spoken(pick["slot"]))} '
        f"<span>{'safe' if pick['safe'] else 'best, but not safe'}, {per_cent(pick['score'])}</span></li>"
        for role, pick in picks
    )
    return f'<h3>Best slots</h3><ul class="picks">{lines}</ul>' if lines else ""


def zones_table(zones: Sequence[Row]) -> str:
    rows = (
        f'<tr data-slot="{text(zone["slot"])}" tabindex="0"><th scope="row">{text(spoken(zone["slot"]))}</th>'
        f'<td class="{"yes" if zone["safe"] else "no"}">{"✓ safe" if zone["safe"] else "✕ not safe"}</td>'
        f'<td class="number">{per_cent(zone["score"])}</td><td>{text(words(zone["reasons"])) or NONE}</td>'
        f'<td class="number">{float(zone["contrast"]):.1f}</td><td>{ink(zone)}</td></tr>'
        for zone in sorted(zones, key=lambda zone: -zone["score"])
    )
    return table(("Slot", "Verdict", "Score", "Why", "Contrast", "Text"), rows)


def ink(zone: Row) -> str:
    name = {"#ffffff": "white", "#000000": "black"}.get(zone["text_color"], "")
    return f'<span class="ink {name}">{name or text(zone["text_color"])}</span>'


def elements_table(elements: Sequence[Row]) -> str:
    if not elements:
        return '<p class="facts">Nothing that an overlay could hide.</p>'
    rows = (
        f'<tr><th scope="row">{text(spoken(one["type"]))}</th><td>{text(one.get("text")) or NONE}</td>'
        f'<td class="number">{sure(one)}</td><td class="number">{edges(one["box"])}</td></tr>'
        for one in elements
    )
    return table(("What", "Text", "Sure", "Box, %"), rows)


def edges(box: Iterable[float]) -> str:
    return ", ".join(map(per_cent, box))


def sure(one: Row) -> str:
    return NONE if one.get("confidence") is None else per_cent(one["confidence"])


def table(columns: Sequence[str], rows: Iterable[str]) -> str:
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>'


def failures(results: Sequence[Mapping[str, Any]]) -> str:
    """Those without an analysis, each with its reason. Nothing where there are none."""
    if not results:
        return ""
    rows = (
        f'<tr data-state="{text(one["state"])}" data-find="{text(find_in(one))}">'
        f'<th scope="row">{text(one.get("title") or one["content_id"])}<small>{text(one["content_id"])}</small></th>'
        f'<td><span class="state {text(one["state"])}">{text(one["state"])}</span></td>'
        f"<td><code>{text(one['reason']) or NONE}</code></td><td>{text(one['error']) or NONE}</td>"
        f'<td class="address">{text(one["url"])}</td></tr>'
        for one in results
    )
    listed = table(("Poster", "State", "Reason", "What happened", "Address"), rows)
    return f'<section class="failures" aria-labelledby="failed"><h2 id="failed">Not analysed</h2>{listed}</section>'


def find_in(result: Mapping[str, Any]) -> str:
    return f"{result.get('title') or ''} {result['content_id']}".lower()
