"""Crops: the largest part of a poster with another ratio that keeps most of its faces and its title, exactly. Pure.

The window fills one side of the poster and slides along the other. What it keeps is a piecewise linear function of
where it stands, so that the best place is one where an edge of the window meets an edge of an element.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from functions.poster.geometry import Boxes, areas, bounding, boxes_of, intersections
from functions.poster.row import Box, Crop, Element, Loss, Ratio

RATIOS: dict[Ratio, float] = {"2:3": 2 / 3, "3:4": 3 / 4, "1:1": 1.0, "16:9": 16 / 9}
KEPT = ("face", "title")
# A smaller part gone is a rounding of the model's boxes.
LEAST_LOSS = 0.001


def crops_of(width: int, height: int, elements: Sequence[Element]) -> dict[Ratio, Crop]:
    """A crop for each ratio; `width` and `height` in pixels."""
    worth, boxes = _worth(elements)
    every = boxes_of(element.box for element in elements)
    return {
        ratio: _crop(aspect * height / width, elements, every, boxes, worth, bounding(boxes))
        for ratio, aspect in RATIOS.items()
    }


def _crop(  # noqa: PLR0913
    aspect: float,
    elements: Sequence[Element],
    every: Boxes,
    boxes: Boxes,
    worth: NDArray[np.float64],
    keep: Boxes | None,
) -> Crop:
    """`aspect`: the ratio wanted, over that of the poster; below 1 the window slides sideways, else up and down."""
    axis, size = (0, min(1.0, aspect)) if aspect < 1 else (1, 1 / aspect)
    start = _best_start(boxes, worth, axis, size, _middle(keep, axis) - size / 2)
    window = [0.0, 0.0, 1.0, 1.0]
    window[axis], window[axis + 2] = start, min(1.0, start + size)
    return Crop(
        box=_told(window),
        keep=None if keep is None else _told(keep),
        kept=round(min(1.0, float(_kept(boxes, window) @ worth)), 4) if len(worth) else 1.0,
        loses=_losses(elements, every, window),
    )


def _worth(elements: Sequence[Element]) -> tuple[NDArray[np.float64], Boxes]:
    """Faces and titles, with what each is worth: as much as its share of all faces, or titles, and all together 1."""
    kept = [element for element in elements if element.type in KEPT]
    boxes, kinds = boxes_of(element.box for element in kept), [element.type for element in kept]
    size, shares = areas(boxes), np.zeros(len(kept))
    for kind in set(kinds):
        alike = np.array([one == kind for one in kinds])
        shares[alike] = size[alike] / size[alike].sum()
    return shares / max(1, len(set(kinds))), boxes


def _best_start(boxes: Boxes, worth: NDArray[np.float64], axis: int, size: float, wanted: float) -> float:
    """Where the window keeps most; of such places the one nearest to `wanted`."""
    near, far = boxes[:, axis], boxes[:, axis + 2]
    places = np.concatenate([near, far - size, far, near - size, [wanted, 0.0, 1 - size]]).clip(0, 1 - size)
    shared = np.minimum(far, places[:, None] + size) - np.maximum(near, places[:, None])
    kept = (shared.clip(0) / np.maximum(far - near, 1e-12)) @ worth
    best = places[kept >= kept.max() - 1e-9]
    return float(best[np.argmin(np.abs(best - wanted))])


def _kept(boxes: Boxes, window: Sequence[float]) -> NDArray[np.float64]:
    """(n,) the fraction of each box within the window."""
    inside: NDArray[np.float64] = areas(intersections(boxes, boxes_of([window])))[:, 0]
    return inside / np.maximum(areas(boxes), 1e-12)


def _losses(elements: Sequence[Element], boxes: Boxes, window: Sequence[float]) -> list[Loss]:
    gone = 1 - _kept(boxes, window)
    return [
        Loss(type=element.type, text=element.text, box=element.box, fraction=round(min(1.0, float(lost)), 4))
        for element, lost in zip(elements, gone, strict=True)
        if lost > LEAST_LOSS
    ]


def _middle(keep: "Boxes | None", axis: int) -> float:
    return 0.5 if keep is None else float(keep[axis] + keep[axis + 2]) / 2


def _told(box: Iterable[float]) -> Box:
    x0, y0, x1, y1 = (min(1.0, max(0.0, round(float(one), 6))) for one in box)
    return x0, y0, x1, y1
