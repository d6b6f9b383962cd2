"""poster_geometry: with the true boxes fed in, is the geometry exact? Judged by counting cells, not by formulas.

Every edge, of slots and of boxes, lies on a grid of 1000 x 1000 cells: areas are numbers of cells. Crops are compared
with windows at every thousandth. The posters are drawn from a seed that was not seen before.

    python -m bench.poster_geometry [SEED]
"""

import secrets
import sys
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from bench.posters.poster import poster
from bench.record import write
from functions.poster.crops import RATIOS, crops_of
from functions.poster.light import Light
from functions.poster.row import Crop, Element, Zone
from functions.poster.slots import SLOTS
from functions.poster.zones import zones_of

CELLS = 1000
POSTERS = 100
# How much of one element a safe slot hides; text never makes one unsafe.
LIMITS = {"face": 0.02, "title": 0.0, "logo": 0.05, "text": None}
# Fractions in a row have four digits.
ROUNDING = 1.01e-4
PLAIN = Light(np.zeros((300, 200, 3), dtype=np.uint8))
Grid = NDArray[np.bool_]


def elements_of(seed: int) -> tuple[tuple[int, int], list[Element]]:
    """The poster's size and its true boxes on the grid, grown to whole cells."""
    one = poster(seed)
    words = [box for _, box in one.words]
    kinds = [("face", one.faces), ("title", one.title), ("logo", words[:1]), ("text", words[1:])]
    return one.picture.size, [on_grid(kind, box, one.picture.size) for kind, boxes in kinds for box in boxes]


def on_grid(kind: str, box: Sequence[float], size: tuple[int, int]) -> Element:
    x0, x1 = (at * CELLS / size[0] for at in (box[0], box[2]))
    y0, y1 = (at * CELLS / size[1] for at in (box[1], box[3]))
    cells = (np.floor(x0), np.floor(y0), np.ceil(x1), np.ceil(y1))
    x0, y0, x1, y1 = (min(CELLS, max(0.0, float(at))) / CELLS for at in cells)
    return Element(type=kind, box=(x0, y0, x1, y1), text=None, language=None, confidence=None, source="model")


def cells(box: Sequence[float]) -> tuple[slice, slice]:
    """The rows and columns of the grid that the box covers."""
    x0, y0, x1, y1 = (round(at * CELLS) for at in box)
    return slice(y0, y1), slice(x0, x1)


def grids_of(elements: Sequence[Element]) -> dict[str, list[Grid]]:
    """By type, each element's cells."""
    grids: dict[str, list[Grid]] = {kind: [] for kind in LIMITS}
    for one in elements:
        grids[one.type].append(np.zeros((CELLS, CELLS), dtype=bool))
        grids[one.type][-1][cells(one.box)] = True
    return grids


def zone_errors(zone: Zone, grids: Mapping[str, Sequence[Grid]]) -> Iterator[tuple[float, bool]]:
    """Per type: how far the fractions are off, and whether the verdict contradicts the count."""
    slot = cells(zone.box)
    for kind, most in LIMITS.items():
        parts = [grid[slot] for grid in grids[kind]]
        filled = np.logical_or.reduce(parts).mean() if parts else 0.0
        hidden = max((part.sum() / grid.sum() for part, grid in zip(parts, grids[kind], strict=True)), default=0.0)
        off = max(abs(filled - zone.occlusion.get(kind, 0.0)), abs(hidden - zone.hidden.get(kind, 0.0)))
        yield float(off), most is not None and bool(hidden > most) != (f"covers_{kind}" in zone.reasons)


def crop_errors(crops: dict[str, Crop], elements: Sequence[Element]) -> Iterator[tuple[float, float]]:
    """Per ratio: how much more the best of 1001 windows keeps, and how far `kept` is off."""
    for ratio in RATIOS:
        crop = crops[ratio]
        width, height = crop.box[2] - crop.box[0], crop.box[3] - crop.box[1]
        starts = np.linspace(0, 1, CELLS + 1)
        windows = np.stack([starts * (1 - width), starts * (1 - height)], axis=1)
        best = max(kept(elements, (x, y, x + width, y + height)) for x, y in windows)
        yield best - kept(elements, crop.box), abs(kept(elements, crop.box) - crop.kept)


def kept(elements: Sequence[Element], window: Sequence[float]) -> float:
    """Faces and title weigh the same; each counts by its area in sight."""
    shares = []
    for kind in ("face", "title"):
        boxes = [one.box for one in elements if one.type == kind]
        if boxes:
            shares.append(sum(shared(box, window) for box in boxes) / sum(shared(box, box) for box in boxes))
    return sum(shares) / len(shares) if shares else 1.0


def shared(one: Sequence[float], other: Sequence[float]) -> float:
    across, down = (min(one[at + 2], other[at + 2]) - max(one[at], other[at]) for at in (0, 1))
    return max(0.0, across) * max(0.0, down)


def main() -> int:
    """Exit 1 when a verdict is wrong, or anything is off by more than its rounding."""
    first = int(sys.argv[1]) if len(sys.argv) > 1 else secrets.randbits(30)
    off, wrong, short, told = [0.0], [False], [0.0], [0.0]
    for seed in range(first, first + POSTERS):
        size, elements = elements_of(seed)
        grids = grids_of(elements)
        for zone in zones_of(SLOTS.all, elements, PLAIN):
            for error, contradicted in zone_errors(zone, grids):
                off.append(error)
                wrong.append(contradicted)
        for missed, misstated in crop_errors(dict(crops_of(*size, elements)), elements):
            short.append(missed)
            told.append(misstated)
    figures = {
        "seed": first,
        "posters": POSTERS,
        "verdicts": len(wrong) - 1,
        "wrong_verdicts": sum(wrong),
        "greatest_error_of_a_fraction": round(max(off), 6),
        "crops": len(short) - 1,
        "greatest_shortfall_of_a_crop": round(max(short), 6),
        "greatest_error_of_kept": round(max(told), 6),
    }
    write("poster_geometry", figures)
    return 1 if any(wrong) or max(off) > ROUNDING or max(short) > ROUNDING or max(told) > ROUNDING else 0


if __name__ == "__main__":
    sys.exit(main())
