"""The overlay: a poster's analysis as one SVG picture, drawn from its row alone.

row ─> image, boxes of elements, zones in green and red ─> what hovering and screen readers tell of each
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Any
from urllib.parse import urlsplit

Row = Mapping[str, Any]
Place = tuple[float, float, float]
WIDTH = 600
# Of a name on a zone: how wide a letter and how high its ground is.
LETTER, LINE = 6.6, 16
# What XML has no character for.
NO_XML = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
DATA_IMAGE = re.compile(r"data:image/(?:jpeg|png|webp);base64,[A-Za-z0-9+/=]+")
ORIGIN = re.compile(r"https?://[A-Za-z0-9.\-:\[\]]+")
STYLE = """
text { font: 600 11px system-ui, sans-serif; fill: #fff; }
.zone rect { stroke-width: 2; }
.safe > rect { fill: #22c55e; fill-opacity: .2; stroke: #15803d; }
.unsafe > rect { fill: #ef4444; fill-opacity: .16; stroke: #dc2626; stroke-dasharray: 6 4; }
.safe .tag { fill: #15803d; fill-opacity: .92; stroke: none; }
.unsafe .tag { fill: #b91c1c; fill-opacity: .92; stroke: none; }
.element rect { fill: transparent; stroke: #fff; stroke-width: 1.5; stroke-dasharray: 2 3; }
.zone:hover > rect:first-of-type { fill-opacity: .45; }
.element:hover rect { stroke-width: 3; }
"""
WORDS = {
    "covers_face": "covers a face", "covers_title": "covers the title", "covers_logo": "covers a logo",
    "covers_person": "covers a person", "covers_text": "covers text", "covers_rating_mark": "covers a rating mark",
    "covers_object": "covers an object", "low_contrast": "too little contrast for text", "busy": "busy background",
}  # fmt: skip


def overlay_svg(known: Row, *, from_url: bool = False) -> str:
    """The picture of a poster as poster_v1 gives it. `from_url`: the image itself, instead of the row's thumbnail."""
    row = known["analysis"]
    height = height_of(row["image"])
    zones = sorted(row["zones"], key=lambda zone: -area(zone["box"]))
    size = f'viewBox="0 0 {WIDTH} {height}" width="{WIDTH}" height="{height}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img" aria-labelledby="title desc">',
        f'<title id="title">{text(name_of(known))}</title>',
        f'<desc id="desc">{text(" ".join(sentences(zones)))}</desc>',
        f"<style>{STYLE}</style>",
        f'<rect width="{WIDTH}" height="{height}" fill="#888"/>',
        image(row, height, from_url=from_url),
        *(element(one, height) for one in row["elements"]),
        *labelled(zones, height),
        "</svg>",
    ]
    return "\n".join(part for part in parts if part)


def security_policy(known: Row, *, from_url: bool = False) -> str:
    """Content-Security-Policy: nothing runs, and nothing is loaded but the image."""
    parts = urlsplit(str(known["analysis"]["url"])) if from_url else None
    origin = f"{parts.scheme}://{parts.netloc}" if parts else "data:"
    source = origin if not parts or ORIGIN.fullmatch(origin) else "'none'"
    return f"default-src 'none'; img-src {source}; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"


def height_of(facts: Row) -> int:
    """So that the picture has the poster's shape, within what a screen can show."""
    height: float = WIDTH * facts["height"] / facts["width"]
    return max(60, min(6000, round(height)))


def name_of(known: Row) -> str:
    title = known.get("title") or (known["analysis"].get("title") or {}).get("text")
    return f"Overlay zones on the poster of {title or known['content_id']}"


def sentences(zones: Iterable[Row]) -> Iterable[str]:
    """What the picture shows, for who does not see it."""
    return (f"{sentence(zone)}." for zone in sorted(zones, key=lambda zone: (not zone["safe"], -zone["score"])))


def sentence(zone: Row) -> str:
    verdict = "safe" if zone["safe"] else "not safe"
    why = [WORDS.get(reason, str(reason)) for reason in zone["reasons"]]
    return ", ".join([f"{zone['slot']}: {verdict}", f"score {zone['score']:.2f}", *why])


def image(row: Row, height: int, *, from_url: bool) -> str:
    href = str(row["url"] if from_url else row["thumbnail"])
    allowed = href.startswith(("http://", "https://")) if from_url else DATA_IMAGE.fullmatch(href)
    if not allowed:
        return ""
    return f'<image href="{text(href)}" width="{WIDTH}" height="{height}" preserveAspectRatio="none"/>'


def element(one: Row, height: int) -> str:
    sure = f", confidence {one['confidence']:.2f}" if one.get("confidence") is not None else ""
    said = f": {one['text']}" if one.get("text") else ""
    return f'<g class="element"><title>{text(one["type"] + said + sure)}</title>{rectangle(one["box"], height)}</g>'


def labelled(zones: Iterable[Row], height: int) -> Iterator[str]:
    """The zones, each with its name in the first of its corners where no other name stands."""
    taken: list[Place] = []
    for one in zones:
        tag = f"{'✓' if one['safe'] else '✕'} {one['slot']} {one['score']:.2f}"
        places = list(corners(one["box"], height, LETTER * len(tag) + 8))
        place = next((here for here in places if not any(touches(here, other) for other in taken)), places[0])
        taken.append(place)
        yield zone(one, height, tag, place)


def corners(box: Iterable[float], height: int, width: float) -> Iterator[Place]:
    """Where a name of this width may stand, within the picture: (x, y, width)."""
    x0, y0, x1, y1 = box
    for x in (x0 * WIDTH, x1 * WIDTH - width):
        for y in (y0 * height, y1 * height - LINE):
            yield max(0.0, min(x, WIDTH - width)), max(0.0, min(y, height - LINE)), width


def touches(one: Place, other: Place) -> bool:
    beside = one[0] + one[2] <= other[0] or other[0] + other[2] <= one[0]
    return not beside and abs(one[1] - other[1]) < LINE


def zone(one: Row, height: int, tag: str, place: Place) -> str:
    x, y, width = place
    ground = f'<rect class="tag" x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{LINE}"/>'
    return (
        f'<g class="zone {"safe" if one["safe"] else "unsafe"}"><title>{text(sentence(one))}</title>'
        f"{rectangle(one['box'], height)}{ground}"
        f'<text x="{x + 4:.1f}" y="{y + 12:.1f}">{text(tag)}</text></g>'
    )


def rectangle(box: Iterable[float], height: int) -> str:
    x0, y0, x1, y1 = box
    at = f'x="{x0 * WIDTH:.1f}" y="{y0 * height:.1f}"'
    return f'<rect {at} width="{(x1 - x0) * WIDTH:.1f}" height="{(y1 - y0) * height:.1f}"/>'


def area(box: Iterable[float]) -> float:
    x0, y0, x1, y1 = box
    return (x1 - x0) * (y1 - y0)


def text(value: Any) -> str:
    """Safe inside an element and inside an attribute."""
    return escape(NO_XML.sub(" ", str(value)), quote=True)
