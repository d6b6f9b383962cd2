"""Areas are exact: they are compared with counted cells of a grid on which all edges lie."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from functions.poster.geometry import areas, bounding, boxes_of, intersections, union_area

CELLS = 40


@st.composite
def gridded(draw):
    """A box whose edges lie on the grid; it may have no area."""
    x0, x1 = sorted(draw(st.tuples(st.integers(0, CELLS), st.integers(0, CELLS))))
    y0, y1 = sorted(draw(st.tuples(st.integers(0, CELLS), st.integers(0, CELLS))))
    return x0 / CELLS, y0 / CELLS, x1 / CELLS, y1 / CELLS


def cells(box):
    x0, y0, x1, y1 = (round(one * CELLS) for one in box)
    grid = np.zeros((CELLS, CELLS), dtype=bool)
    grid[y0:y1, x0:x1] = True
    return grid


@settings(deadline=None)
@given(st.lists(gridded(), max_size=8))
def test_a_union_counts_each_spot_once(boxes):
    counted = np.zeros((CELLS, CELLS), dtype=bool)
    for box in boxes:
        counted |= cells(box)

    area = union_area(boxes_of(boxes))

    assert abs(area - counted.mean()) < 1e-9


@settings(deadline=None)
@given(gridded(), gridded())
def test_an_intersection_is_what_both_cover(one, other):
    shared = areas(intersections(boxes_of([one]), boxes_of([other])))

    assert abs(shared[0, 0] - (cells(one) & cells(other)).mean()) < 1e-9


def test_boxes_that_touch_do_not_overlap():
    left, right = (0.0, 0.0, 0.1 + 0.2, 1.0), (0.3, 0.0, 1.0, 1.0)

    assert areas(intersections(boxes_of([left]), boxes_of([right])))[0, 0] == 0


def test_the_bounding_box_holds_all_and_of_none_there_is_none():
    assert bounding(boxes_of([(0.1, 0.5, 0.2, 0.6), (0.4, 0.2, 0.5, 0.3)])).tolist() == [0.1, 0.2, 0.5, 0.6]
    assert bounding(boxes_of([])) is None
