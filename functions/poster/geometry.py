"""Boxes and what they share, exactly. A box is [x0, y0, x1, y1] in fractions of width and height; boxes are (n, 4)."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

Boxes = NDArray[np.float64]
# Overlaps of two edges below this are rounding errors.
HAIR = 1e-9


def boxes_of(boxes: Iterable[Sequence[float]]) -> Boxes:
    return np.array(list(boxes), dtype=np.float64).reshape(-1, 4)


def areas(boxes: Boxes) -> NDArray[np.float64]:
    """(n,) areas; of what is turned inside out, 0."""
    sides = boxes[..., 2:] - boxes[..., :2]
    return np.where((sides > HAIR).all(axis=-1), sides.prod(axis=-1), 0.0)


def intersections(these: Boxes, those: Boxes) -> Boxes:
    """(n, m, 4): where each of these meets each of those; inside out where they do not meet."""
    near = np.maximum(these[:, None, :2], those[None, :, :2])
    far = np.minimum(these[:, None, 2:], those[None, :, 2:])
    return np.concatenate([near, far], axis=-1)


def union_area(boxes: Boxes) -> float:
    """The area that the boxes cover together, each spot counted once: cells of the grid that all their edges make."""
    boxes = boxes[areas(boxes) > 0]
    if len(boxes) < 3:
        twice = float(areas(intersections(boxes[:1], boxes[1:])).sum())
        return float(areas(boxes).sum()) - twice
    xs, ys = np.unique(boxes[:, [0, 2]]), np.unique(boxes[:, [1, 3]])
    across = (boxes[:, 0, None] <= xs[:-1]) & (xs[1:] <= boxes[:, 2, None])
    down = (boxes[:, 1, None] <= ys[:-1]) & (ys[1:] <= boxes[:, 3, None])
    covered = (down[:, :, None] & across[:, None, :]).any(axis=0)
    return float(np.diff(ys) @ covered @ np.diff(xs))


def bounding(boxes: Boxes) -> Boxes | None:
    """The smallest box that holds all; None of none."""
    if not len(boxes):
        return None
    return np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
