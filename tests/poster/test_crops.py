"""Crops keep as much of faces and title as any window of their shape could."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.poster.crops import RATIOS, crops_of

from .pictures import element
from .test_zones import boxes

KEPT = st.lists(st.builds(element, st.sampled_from(["face", "title"]), boxes()), max_size=6)
SIZES = st.sampled_from([(1000, 1500), (1500, 1000), (1000, 1000), (1920, 1080), (500, 3000)])


def kept_in(elements, window):
    """By the definition: what is in sight of each face and title, faces and titles weighing the same."""
    parts = []
    for kind in {"face", "title"} & {one.type for one in elements}:
        alike = [one.box for one in elements if one.type == kind]
        seen = sum(area(meet(box, window)) for box in alike)
        parts.append(seen / sum(map(area, alike)))
    return sum(parts) / len(parts) if parts else 1.0


def meet(one, other):
    return max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])


def area(box):
    return max(0, box[2] - box[0]) * max(0, box[3] - box[1])


@settings(deadline=None)
@given(KEPT, SIZES)
def test_a_crop_has_its_ratio_and_is_as_large_as_can_be(elements, size):
    for ratio, crop in crops_of(*size, elements).items():
        x0, y0, x1, y1 = crop.box

        assert (x1 - x0) * size[0] / ((y1 - y0) * size[1]) == pytest.approx(RATIOS[ratio], rel=1e-4)
        assert max(x1 - x0, y1 - y0) == pytest.approx(1)
        assert min(x0, y0) >= 0
        assert max(x1, y1) <= 1


@settings(deadline=None)
@given(KEPT, SIZES)
def test_no_other_window_keeps_more(elements, size):
    for crop in crops_of(*size, elements).values():
        x0, y0, x1, y1 = crop.box
        across, down = 1 - (x1 - x0), 1 - (y1 - y0)
        windows = [
            (across * at, down * at, across * at + x1 - x0, down * at + y1 - y0) for at in np.linspace(0, 1, 101)
        ]

        assert kept_in(elements, crop.box) == pytest.approx(crop.kept, abs=2e-3)
        assert crop.kept >= max(kept_in(elements, window) for window in windows) - 1e-3


def test_what_is_cut_is_named_with_how_much_of_it_is_gone():
    title, face = element("title", (0.1, 0.8, 0.9, 0.9), "NIGHT FERRY"), element("face", (0.4, 0.05, 0.6, 0.2))

    crop = crops_of(1000, 1500, [title, face])["16:9"]

    assert crop.keep == (0.1, 0.05, 0.9, 0.9)
    assert crop.kept == 0.5
    assert [(loss.text, loss.fraction) for loss in crop.loses] in ([("NIGHT FERRY", 1)], [(None, 1)])


def test_a_crop_of_the_posters_own_shape_loses_nothing():
    crop = crops_of(1000, 1500, [element("face", (0, 0, 1, 1))])["2:3"]

    assert (crop.box, crop.kept, crop.loses) == ((0, 0, 1, 1), 1, [])


def test_the_window_stands_around_what_has_to_be_kept():
    face = element("face", (0.3, 0.5, 0.5, 0.6))

    crop = crops_of(1000, 1500, [face])["1:1"]

    assert crop.box == pytest.approx((0, 0.55 - 1 / 3, 1, 0.55 + 1 / 3), abs=1e-5)


def test_without_faces_and_title_the_middle_is_kept():
    crop = crops_of(1500, 1000, [element("object", (0, 0, 0.1, 0.1), "a lamp")])["1:1"]

    assert crop.box == pytest.approx((1 / 6, 0, 5 / 6, 1), abs=1e-5)
    assert (crop.keep, crop.kept) == (None, 1)
    assert [loss.type for loss in crop.loses] == ["object"]
