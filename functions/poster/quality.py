"""Quality: what is wrong with the picture itself, whatever is on it. Pure.

low_res    a side below 500 pixels, or the longer below 750
letterbox  plain bars at two opposite sides        borders   plain bars at all four
blur       not one spot in focus, or enlarged      busy      hardly a calm spot anywhere
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from functions.poster.light import RESTLESS, Light, Values
from functions.poster.row import Defect, Quality

LEAST_SHORT, LEAST_LONG = 500, 750
# A bar is plain to within this lightness, and this thick at least, of the side that it takes away from.
PLAIN, LEAST_BAR = 0.03, 0.008
# Most pictures are below after a Gaussian of 2 pixels, or when enlarged to four or five times their size.
BLURRED_BELOW = 0.06
BUSY_FROM = 0.5
_CELLS_DOWN, _CELLS_ACROSS = 12, 8
_TILE, _TILES_ACROSS, _TILES_DOWN = 64, 4, 6
# Below this spread of grey levels there is nothing in a tile that could be sharp.
_LEAST_SPREAD = 10.0


def quality_of(pixels: Image.Image, light: Light, width: int, height: int) -> Quality:
    """`pixels` as they were decoded: what was scaled down looks sharp."""
    bars = _bars(light.lightness)
    sharpness, busyness = _sharpness(pixels), _busyness(light)
    return Quality(
        flags=list(_flags(width, height, bars, sharpness, busyness)),
        sharpness=round(sharpness, 4),
        busyness=round(busyness, 4),
        bars=bars,
    )


def _flags(
    width: int, height: int, bars: tuple[float, float, float, float], sharpness: float, busyness: float
) -> Iterator[Defect]:
    left, top, right, bottom = (bar >= LEAST_BAR for bar in bars)
    if min(width, height) < LEAST_SHORT or max(width, height) < LEAST_LONG:
        yield "low_res"
    if left and top and right and bottom:
        yield "borders"
    elif (left and right) or (top and bottom):
        yield "letterbox"
    if sharpness < BLURRED_BELOW:
        yield "blur"
    if busyness >= BUSY_FROM:
        yield "busy"


def _bars(seen: Values) -> tuple[float, float, float, float]:
    """Left, top, right, bottom: how far the plain bar there reaches, 0 to 1."""
    sides = (seen.T, seen, seen.T[::-1], seen[::-1])
    left, top, right, bottom = (round(_bar(side), 4) for side in sides)
    return left, top, right, bottom


def _bar(rows: Values) -> float:
    """The part of the rows, from the first on, that are of one colour and end at an edge as wide as they are.

    A plain ground without that edge is a design, not a bar.
    """
    ground = np.median(rows[0])
    if _broken(rows[:1], ground)[0]:
        return 0.0
    near = rows[: max(1, int(0.45 * len(rows)))]
    broken = np.flatnonzero(_broken(near, ground))
    if not len(broken):
        return 0.0
    # An edge is soft for a row or two; what changes more slowly is a gradient.
    end = int(broken[0])
    jump = np.abs(near[min(end + 2, len(near) - 1)] - near[end - 1]) > PLAIN
    return end / len(rows) if jump.mean() > 0.6 else 0.0


def _broken(rows: Values, ground: float) -> NDArray[np.bool_]:
    """Which of the rows are not of this one colour."""
    broken: NDArray[np.bool_] = (np.abs(rows - ground) > PLAIN).mean(axis=1) > 0.02
    return broken


def _busyness(light: Light) -> float:
    """0 to 1: how restless the middling one of 96 parts of the picture is. A few sharp edges make no busy poster."""
    energy = light.restlessness
    down, across = max(1, energy.shape[0] // _CELLS_DOWN), max(1, energy.shape[1] // _CELLS_ACROSS)
    cut = energy[: energy.shape[0] // down * down, : energy.shape[1] // across * across]
    parts = cut.reshape(cut.shape[0] // down, down, cut.shape[1] // across, across).mean(axis=(1, 3))
    return float(min(1.0, np.sqrt(np.median(parts)) / RESTLESS))


def _sharpness(pixels: Image.Image) -> float:
    """0 to 1: how fast grey changes, against how much it does, at the sharpest of 24 spots; 1 for one plain colour.

    The second difference of a step is as large as the step, that of a soft slope small.
    """
    grey = np.stack(list(_tiles(pixels))).astype(np.int16)
    spread = grey.std(axis=(1, 2), dtype=np.float32)
    second = 4 * grey[:, 1:-1, 1:-1] - grey[:, :-2, 1:-1] - grey[:, 2:, 1:-1] - grey[:, 1:-1, :-2] - grey[:, 1:-1, 2:]
    ratios = np.sqrt(np.square(second, dtype=np.float32).mean(axis=(1, 2))) / (4 * np.maximum(spread, _LEAST_SPREAD))
    told = ratios[spread >= _LEAST_SPREAD]
    return min(1.0, float(np.percentile(told, 90))) if len(told) else 1.0


def _tiles(pixels: Image.Image) -> Iterator[NDArray[np.uint8]]:
    """Spots spread over the picture, in grey."""
    width, height = min(_TILE, pixels.width), min(_TILE, pixels.height)
    lefts = np.linspace(0, pixels.width - width, _TILES_ACROSS, dtype=int)
    for top in np.linspace(0, pixels.height - height, _TILES_DOWN, dtype=int):
        # A few calls for large parts: each call costs more than the pixels between the spots.
        strip = np.asarray(pixels.crop((0, int(top), pixels.width, int(top) + height)).convert("L"))
        yield from (strip[:, left : left + width] for left in lefts)
