"""Boxes in pixels, (x0, y0, x1, y1), and what is asked of them."""

from collections.abc import Sequence

Box = tuple[float, float, float, float]


def area(box: Box) -> float:
    return max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1])


def shared(one: Box, other: Box) -> float:
    """The area that both cover."""
    return area((max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])))


def iou(one: Box, other: Box) -> float:
    """Intersection over union, 0..1."""
    both = shared(one, other)
    return both / max(1e-9, area(one) + area(other) - both)


def around(boxes: Sequence[Box]) -> Box:
    """The smallest box that holds all of them."""
    return (
        min(box[0] for box in boxes),
        min(box[1] for box in boxes),
        max(box[2] for box in boxes),
        max(box[3] for box in boxes),
    )


def within(box: Box, width: float, height: float) -> Box:
    """The part of the box that lies in a picture of that size."""
    return (
        min(max(box[0], 0.0), width),
        min(max(box[1], 0.0), height),
        min(max(box[2], 0.0), width),
        min(max(box[3], 0.0), height),
    )


def strongest(boxes: Sequence[Box], scores: Sequence[float], most_shared: float) -> list[int]:
    """Non-maximum suppression: which boxes stay when each removes the weaker ones that share more IoU with it."""
    kept: list[int] = []
    for number in sorted(range(len(boxes)), key=lambda i: -scores[i]):
        if all(iou(boxes[number], boxes[better]) <= most_shared for better in kept):
            kept.append(number)
    return kept
