"""Marks: words and numbers as HTML, and boxes as SVG. The picture is 100 units wide, whatever the poster is."""

import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any

Row = Mapping[str, Any]
UNSEEN = re.compile(r"[^\n\x20-\x7e\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
DATA_IMAGE = re.compile(r"data:image/(?:jpeg|png|webp);base64,[A-Za-z0-9+/=]+")
# Of a name on a zone: how wide a letter and how high a line is.
LETTER, LINE = 1.25, 2.8
WORDS = {
    "covers_face": "covers a face", "covers_title": "covers the title", "covers_logo": "covers a logo",
    "covers_person": "covers a person", "covers_text": "covers text", "covers_rating_mark": "covers a rating mark",
    "covers_object": "covers an object", "low_contrast": "too little contrast", "busy": "busy background",
    "low_res": "few pixels", "letterbox": "letterboxed", "borders": "has borders", "blur": "blurred",
    "upscaled": "upscaled",
}  # fmt: skip


def text(value: Any) -> str:
    """Safe inside an element and inside an attribute."""
    return escape(UNSEEN.sub(" ", "" if value is None else str(value)), quote=True)


def words(codes: Iterable[str]) -> str:
    """Reason codes as people say them."""
    return ", ".join(WORDS.get(code, str(code).replace("_", " ")) for code in codes)


def spoken(slot: str) -> str:
    return str(slot).replace("_", " ")


def per_cent(fraction: float) -> str:
    return f"{fraction * 100:.0f}"


def height_of(row: Row) -> float:
    """Of the picture that is 100 wide."""
    facts = row["image"]
    height: float = 100.0 * facts["height"] / facts["width"]
    return round(max(10.0, min(1000.0, height)), 2)


def rectangle(box: Iterable[float], height: float) -> str:
    x0, y0, x1, y1 = box
    at = f'x="{x0 * 100:.2f}" y="{y0 * height:.2f}"'
    return f'<rect {at} width="{(x1 - x0) * 100:.2f}" height="{(y1 - y0) * height:.2f}"/>'


def area(box: Iterable[float]) -> float:
    x0, y0, x1, y1 = box
    return float((x1 - x0) * (y1 - y0))


def score_of(row: Row) -> float:
    """The mean score of its zones, as the API has it."""
    scores = [float(zone["score"]) for zone in row["zones"]]
    return sum(scores) / len(scores) if scores else 0.0


def tone(score: float) -> str:
    """The class of a score: zones are safe from 0.5 on."""
    return "good" if score >= 0.7 else "fair" if score >= 0.5 else "poor"


def picture(row: Row, label: str) -> str:
    """The poster with everything on it; style sheets decide what is seen."""
    height = height_of(row)
    zones = sorted(row["zones"], key=lambda zone: -area(zone["box"]))
    return (
        f'<svg class="poster" viewBox="0 0 100 {height}" role="img" aria-label="{text(label)}">'
        f"{image(row, height)}"
        f'<g class="elements">{"".join(element(one, height) for one in row["elements"])}</g>'
        f'<g class="zones">{"".join(labelled(zones, height))}</g></svg>'
    )


def image(row: Row, height: float) -> str:
    href = str(row["thumbnail"])
    if not DATA_IMAGE.fullmatch(href):
        return f'<rect class="blank" width="100" height="{height}"/>'
    return f'<image href="{href}" width="100" height="{height}" preserveAspectRatio="none"/>'


def element(one: Row, height: float) -> str:
    said = f": {one['text']}" if one.get("text") else ""
    name = f"<title>{text(spoken(one['type']) + said)}</title>"
    return f'<g class="element {text(one["type"])}">{name}{rectangle(one["box"], height)}</g>'


def labelled(zones: Iterable[Row], height: float) -> Iterator[str]:
    """The zones, each with its name in the first of its corners where no other name stands."""
    taken: list[tuple[float, float, float, float]] = []
    for one in zones:
        mark = f"{'✓' if one['safe'] else '✕'} {spoken(one['slot'])}"
        places = list(corners(one["box"], height, LETTER * len(mark)))
        place = next((here for here in places if not any(touches(here, other) for other in taken)), places[0])
        taken.append(place)
        yield zone(one, height, mark, place)


def corners(box: Iterable[float], height: float, width: float) -> Iterator[tuple[float, float, float, float]]:
    """Where a name of this width may stand, as x, y, width and height."""
    x0, y0, x1, y1 = box
    left, right = x0 * 100 + 0.8, max(x0 * 100 + 0.8, x1 * 100 - width - 0.8)
    for x in (left, right, (left + right) / 2):
        for y in (y0 * height + 0.5, y1 * height - LINE - 0.5):
            yield (min(x, 100 - width), max(0.0, y), width, LINE)


def touches(one: tuple[float, ...], other: tuple[float, ...]) -> bool:
    apart = one[0] + one[2] <= other[0] or other[0] + other[2] <= one[0]
    return not (apart or one[1] + one[3] <= other[1] or other[1] + other[3] <= one[1])


def zone(one: Row, height: float, mark: str, place: tuple[float, float, float, float]) -> str:
    verdict = "safe" if one["safe"] else "unsafe"
    why = f", {words(one['reasons'])}" if one["reasons"] else ""
    name = f"{spoken(one['slot'])}: {'safe' if one['safe'] else 'not safe'}, score {per_cent(one['score'])}{why}"
    return (
        f'<g class="zone {verdict}" data-slot="{text(one["slot"])}"><title>{text(name)}</title>'
        f"{rectangle(one['box'], height)}"
        f'<text x="{place[0]:.2f}" y="{place[1] + 2.2:.2f}">{text(mark)}</text></g>'
    )


def crop(row: Row, ratio: str, one: Row) -> str:
    """What is left of the poster in this ratio."""
    height = height_of(row)
    x0, y0, x1, y1 = one["box"]
    view = f"{x0 * 100:.2f} {y0 * height:.2f} {(x1 - x0) * 100:.2f} {(y1 - y0) * height:.2f}"
    loses = "; ".join(f"{spoken(part['type'])} {per_cent(part['fraction'])}%" for part in one["loses"])
    said = f"loses {loses}" if loses else "loses nothing that counts"
    return (
        f'<figure class="crop"><svg viewBox="{view}" role="img" aria-label="Cropped to {text(ratio)}">'
        f"{image(row, height)}</svg><figcaption><b>{text(ratio)}</b> {text(said)}</figcaption></figure>"
    )
