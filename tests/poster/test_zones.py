"""Whether an overlay may go into a slot."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.poster.light import Light, contrast_ratio
from functions.poster.row import Element
from functions.poster.slots import SLOTS, Slot
from functions.poster.zones import recommended, zones_of

from .pictures import element

DARK = Light(np.full((300, 200, 3), 20, dtype=np.uint8))
KINDS = ["face", "person", "title", "text", "logo", "rating_mark", "object"]
SLOT = Slot("here", "badge", (0.2, 0.2, 0.6, 0.4))


@st.composite
def boxes(draw):
    x0, x1 = sorted(draw(st.tuples(st.integers(0, 1000), st.integers(0, 1000)).filter(lambda ends: ends[0] != ends[1])))
    y0, y1 = sorted(draw(st.tuples(st.integers(0, 1000), st.integers(0, 1000)).filter(lambda ends: ends[0] != ends[1])))
    return x0 / 1000, y0 / 1000, x1 / 1000, y1 / 1000


ELEMENTS = st.lists(st.builds(element, st.sampled_from(KINDS), boxes()), max_size=12)


def zone(*elements, light=DARK, slot=SLOT):
    (found,) = zones_of([slot], elements, light)
    return found


# Any poster


@settings(deadline=None)
@given(ELEMENTS)
def test_fractions_stay_within_0_and_1_and_the_score_tells_safe_from_unsafe(elements):
    for zone in zones_of(SLOTS.all, elements, DARK):
        assert all(0 < fraction <= 1 for fraction in [*zone.occlusion.values(), *zone.hidden.values()])
        assert set(zone.occlusion) == set(zone.hidden)
        assert 0 <= zone.score <= 1
        assert zone.safe == (zone.score >= 0.5)


@settings(deadline=None)
@given(ELEMENTS)
def test_a_mirrored_poster_has_mirrored_zones(elements):
    slots = [slot for slot in SLOTS.all if slot.name.startswith(("badge", "rating"))]
    mirrored = [one.model_copy(update={"box": flipped(one.box)}) for one in elements]

    zones = {zone.slot: zone for zone in zones_of(slots, elements, DARK)}
    mirror = {zone.slot: zone for zone in zones_of(slots, mirrored, DARK)}

    for here, there in (("badge_top_left", "badge_top_right"), ("rating_left", "rating_right")):
        assert zones[here].safe == mirror[there].safe
        assert zones[here].reasons == mirror[there].reasons
        assert zones[here].occlusion == pytest.approx(mirror[there].occlusion, abs=2e-4)


@settings(deadline=None)
@given(ELEMENTS, st.sampled_from(SLOTS.all))
def test_no_slot_is_safe_with_a_face_or_the_title_in_it(elements, slot):
    x0, y0, x1, y1 = slot.box
    inside = (x0 + (x1 - x0) / 4, y0 + (y1 - y0) / 4, x1 - (x1 - x0) / 4, y1 - (y1 - y0) / 4)

    for kind, reason in (("face", "covers_face"), ("title", "covers_title")):
        found = zone(*elements, element(kind, inside), slot=slot)
        assert not found.safe
        assert reason in found.reasons
        assert found.hidden[kind] == 1


@settings(deadline=None)
@given(ELEMENTS, boxes())
def test_one_element_more_never_makes_a_slot_safer(elements, box):
    for kind in KINDS:
        before, after = zone(*elements), zone(*elements, element(kind, box))

        assert after.score <= before.score
        assert before.safe or not after.safe


def flipped(box):
    x0, y0, x1, y1 = box
    return round(1 - x1, 3), y0, round(1 - x0, 3), y1


# The limits


@pytest.mark.parametrize(
    ("kind", "hidden", "safe"),
    [
        ("face", 0.02, True), ("face", 0.021, False),
        ("title", 0.0, True), ("title", 0.001, False),
        ("logo", 0.05, True), ("logo", 0.051, False),
        ("person", 1.0, True), ("text", 1.0, True), ("object", 1.0, True), ("rating_mark", 1.0, True),
    ],
)  # fmt: skip
def test_so_much_of_an_element_may_be_hidden(kind, hidden, safe):
    # A strip as high as the slot; `hidden` of its width is within.
    start = 0.6 - 0.2 * hidden
    strip = element(kind, (start, 0.25, start + 0.2, 0.35))

    found = zone(strip)

    assert found.safe == safe
    assert found.hidden.get(kind, 0) == pytest.approx(hidden, abs=1e-4)
    assert (f"covers_{kind}" in found.reasons) == (not safe or hidden == 1.0)


def test_occlusion_is_the_part_of_the_slot_and_overlaps_count_once():
    left, right = element("person", (0.2, 0.2, 0.5, 0.4)), element("person", (0.4, 0.2, 0.6, 0.3))

    assert zone(left, right).occlusion == {"person": pytest.approx(0.75 + 0.125)}


def test_nothing_in_the_way_costs_nothing():
    found = zone()

    assert (found.safe, found.reasons, found.occlusion, found.hidden) == (True, [], {}, {})
    assert (found.score, found.flatness) == (1, 1)


# Light


@pytest.mark.parametrize(
    ("grey", "color", "contrast"), [(0, "#ffffff", 21.0), (255, "#000000", 21.0), (118, "#000000", 4.62)]
)
def test_the_text_colour_with_more_contrast_is_suggested(grey, color, contrast):
    found = zone(light=Light(np.full((300, 200, 3), grey, dtype=np.uint8)))

    assert (found.text_color, found.contrast) == (color, contrast)
    assert found.safe


@pytest.mark.parametrize(
    ("one", "other", "ratio"), [("#ffffff", "#767676", 4.54), ("#ffffff", "#777777", 4.48), ("#ff0000", "#ffffff", 4.0)]
)
def test_contrast_is_that_of_the_known_pairs(one, other, ratio):
    """As published checkers of WCAG contrast have them."""
    levels = [[int(color[at : at + 2], 16) for at in (1, 3, 5)] for color in (one, other)]
    luminances = [float(Light(np.array([[level]], dtype=np.uint8)).luminance[0, 0]) for level in levels]

    assert contrast_ratio(*luminances) == pytest.approx(ratio, abs=0.005)


def test_contrast_is_what_nine_tenths_of_the_pixels_reach():
    """Black, but for so many white pixels: below a tenth they do not count, above it they spoil it."""

    def contrast(white):
        pixels = np.zeros((100, 100, 3), dtype=np.uint8)
        pixels.reshape(-1, 3)[: round(white * 10_000)] = 255
        return zone(light=Light(pixels), slot=Slot("all", "badge", (0, 0, 1, 1)))

    assert contrast(0.09).contrast == 21.0
    assert contrast(0.11).contrast == 1.0
    assert "low_contrast" in contrast(0.11).reasons


def test_a_chequered_ground_is_busy_and_a_plain_one_is_flat():
    chequered = np.indices((300, 200)).sum(axis=0) % 2 * 255
    light = Light(np.repeat(chequered[..., None], 3, axis=2).astype(np.uint8))

    found = zone(light=light)

    assert found.flatness == 0
    assert found.reasons == ["low_contrast", "busy"]


def test_light_is_measured_within_the_slot_alone():
    pixels = np.full((300, 200, 3), 255, dtype=np.uint8)
    pixels[60:120, 40:120] = 0

    found = zone(light=Light(pixels))

    assert found.luminance == 0
    assert found.text_color == "#ffffff"


# Recommended


def test_the_best_slot_of_each_role_is_recommended():
    zones = zones_of(SLOTS.all, [element("face", (0.0, 0.0, 0.4, 0.7))], DARK)

    best = recommended(zones)

    assert best["badge"].slot == "badge_top_right"
    assert best["rating"].slot == "rating_right"
    assert best["title"].slot == "title_bottom"
    assert all(best[role].safe for role in ("badge", "rating", "title"))


def test_even_when_none_is_safe_the_least_bad_is_named():
    faces = [element("face", (0.0, 0.0, 1.0, 0.25)), element("face", (0.68, 0.0, 1.0, 0.1))]

    best = recommended(zones_of(SLOTS.all, faces, DARK))["badge"]

    assert (best.slot, best.safe) == ("badge_top_left", False)
    assert best.score < 0.5


def test_a_poster_without_elements_and_slots_has_no_zones():
    assert zones_of([], [element("face", (0, 0, 1, 1))], DARK) == []
    assert recommended([]) == {}


def test_an_element_is_a_value():
    one = element("face", (0, 0, 1, 1))

    with pytest.raises(ValueError, match="frozen"):
        one.text = "changed"
    assert isinstance(one, Element)
