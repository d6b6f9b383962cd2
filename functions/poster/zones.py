"""Zones: what an overlay in each slot would hide, whether it could be read there, and which slot is best. Pure.

Safe: no face hidden by more than 2 % of itself, nothing of the title, no logo by more than 5 %, and a contrast of 4.5:1
within reach.
"""

from collections.abc import Sequence

import numpy as np

from functions.poster.geometry import HAIR, areas, boxes_of, intersections, union_area
from functions.poster.light import Light
from functions.poster.row import Element, ElementType, Fractions, Pick, Reason, Zone
from functions.poster.slots import Slot

# How much of one element an overlay may hide. More, and the slot is not safe ...
UNSAFE: dict[ElementType, tuple[float, Reason]] = {
    "face": (0.02, "covers_face"),
    "title": (0.0, "covers_title"),
    "logo": (0.05, "covers_logo"),
}
# ... or, of these, and it costs points.
UNWELCOME: dict[ElementType, tuple[float, Reason]] = {
    "rating_mark": (0.05, "covers_rating_mark"),
    "text": (0.05, "covers_text"),
    "object": (0.25, "covers_object"),
    "person": (0.25, "covers_person"),
}
LEAST_CONTRAST = 4.5
# Where contrast stops to matter: WCAG's stricter level.
AMPLE_CONTRAST = 7.0
BUSY_BELOW = 0.5
# What a slot that is filled by such elements loses of its score's part for being clear.
WEIGHTS: dict[ElementType, float] = {
    "face": 1.0, "title": 1.0, "logo": 1.0, "rating_mark": 1.0, "text": 0.8, "object": 0.5, "person": 0.4,
}  # fmt: skip


def zones_of(slots: Sequence[Slot], elements: Sequence[Element], light: Light) -> list[Zone]:
    """A zone for every slot, in the order of the slots."""
    if not slots:
        return []
    boxes, places = boxes_of(element.box for element in elements), boxes_of(slot.box for slot in slots)
    shared = intersections(places, boxes)
    covered, own, whole = areas(shared), areas(boxes), areas(places)
    hidden = np.divide(covered, own, out=np.zeros_like(covered), where=own > 0).clip(0, 1)
    kinds = {kind: [n for n, element in enumerate(elements) if element.type == kind] for kind in WEIGHTS}
    zones = []
    for slot, parts, on_slot, of_element, area in zip(
        slots, shared, covered.tolist(), hidden.tolist(), whole.tolist(), strict=True
    ):
        met = {kind: there for kind, those in kinds.items() if (there := [n for n in those if on_slot[n] > 0])}
        # Where two elements of a kind overlap, what they fill counts once.
        filled = {kind: min(1.0, union_area(parts[there]) / area) for kind, there in met.items()}
        worst = {kind: max(of_element[n] for n in there) for kind, there in met.items()}
        zones.append(_zone(slot, filled, worst, light))
    return zones


def recommended(zones: Sequence[Zone]) -> dict[str, Pick]:
    """The best slot of each role, even when none is safe; of equals the first."""
    best: dict[str, Zone] = {}
    for zone in zones:
        if zone.role not in best or zone.score > best[zone.role].score:
            best[zone.role] = zone
    return {role: Pick(slot=zone.slot, safe=zone.safe, score=zone.score) for role, zone in best.items()}


def _zone(slot: Slot, filled: Fractions, hidden: Fractions, light: Light) -> Zone:
    brightness, flatness = light.brightness(slot.box), light.flatness(slot.box)
    color, contrast = brightness.best_text()
    blocking = _reasons(UNSAFE, hidden)
    if contrast < LEAST_CONTRAST:
        blocking.append("low_contrast")
    remarks = _reasons(UNWELCOME, hidden)
    if flatness < BUSY_BELOW:
        remarks.append("busy")
    return Zone(
        slot=slot.name,
        role=slot.role,
        box=slot.box,
        safe=not blocking,
        score=_score(filled, hidden, flatness, contrast, safe=not blocking),
        reasons=[*blocking, *remarks],
        occlusion=_rounded(filled),
        hidden=_rounded(hidden),
        flatness=round(flatness, 4),
        luminance=round(brightness.mean, 4),
        text_color="#ffffff" if color == "#ffffff" else "#000000",
        contrast=_floored(contrast),
    )


def _reasons(rules: dict[ElementType, tuple[float, Reason]], hidden: Fractions) -> list[Reason]:
    return [reason for kind, (most, reason) in rules.items() if hidden.get(kind, 0.0) > most + HAIR]


def _score(filled: Fractions, hidden: Fractions, flatness: float, contrast: float, *, safe: bool) -> float:
    """Half for how clear the slot is, the rest for flatness and contrast; the upper half is for safe slots.

    An unsafe slot loses besides what it hides of a face, the title or a logo: the least harm comes first.
    """
    clear = 1 - min(1.0, sum(weight * filled.get(kind, 0.0) for kind, weight in WEIGHTS.items()))
    legible = min(1.0, (contrast - 1) / (AMPLE_CONTRAST - 1))
    good = 0.5 * clear + 0.3 * flatness + 0.2 * legible
    if safe:
        return round(0.5 + good / 2, 4)
    harm = max((hidden.get(kind, 0.0) for kind in UNSAFE), default=0.0)
    return min(0.4999, round(good * (1 - harm) / 2, 4))


def _rounded(fractions: Fractions) -> Fractions:
    """What is there is never written as 0."""
    return {kind: max(round(value, 4), 0.0001) for kind, value in fractions.items()}


def _floored(contrast: float) -> float:
    """Two digits, cut rather than rounded: 4.497 is no 4.5."""
    return min(21.0, max(1.0, int(contrast * 100 + 1e-6) / 100))
