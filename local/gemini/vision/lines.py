"""Lines of text by PP-OCRv6, as RapidOCR runs it, their boxes drawn in to the ink.

The settings differ from RapidOCR's own because posters are not pages: its turning of upside-down lines spoils
small credits, and its dilation joins lines that stand close.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from local.gemini.vision.boxes import Box, iou, within
from local.gemini.vision.weights import TEXT_LETTERS, TEXT_LINES

Array = NDArray[Any]
_LOWEST_SNAPPED = 28  # pixels: below it the box is as close as it gets
_SAME_LINE = 0.45
_FEWEST = 2  # signs in a row that are no word yet
_LEAST_DIFFERENCE = 12.0  # between the colours of ink and ground: below it, noise
_LEAST_INK = 0.03  # share of a row or column that must be ink


@dataclass(frozen=True)
class Line:
    box: Box
    text: str
    confidence: float

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]


class LineReader:
    """Loads its weights at the first picture: 0.6 s, of which most is RapidOCR's import."""

    @cached_property
    def _ocr(self) -> Any:
        from rapidocr import RapidOCR  # noqa: PLC0415 - only pictures need it

        return RapidOCR(
            params={
                "Global.log_level": "error",
                "Global.use_cls": False,
                "Det.use_dilation": False,
                "Det.unclip_ratio": 1.3,
                # Named, so that it has no reason to look for them elsewhere.
                "Det.model_path": str(TEXT_LINES.path()),
                "Rec.model_path": str(TEXT_LETTERS.path()),
                # One thread has nobody to spin for.
                "EngineConfig.onnxruntime.intra_op_num_threads": 1,
                "EngineConfig.onnxruntime.inter_op_num_threads": 1,
            }
        )

    def read(self, picture: Image.Image) -> list[Line]:
        """From top to bottom."""
        pixels = np.asarray(picture)
        found = self._ocr(np.ascontiguousarray(pixels[:, :, ::-1]))
        if found.boxes is None:
            return []
        lines = [
            Line(close_around_ink(pixels, _upright(corners)), str(text).strip(), float(score))
            for corners, text, score in zip(found.boxes, found.txts, found.scores, strict=True)
        ]
        return sorted(without_stray_signs(lines), key=lambda line: line.box[1])


def without_stray_signs(lines: list[Line]) -> list[Line]:
    """Without single signs, unless several share a row: a sun or an eye is read as O, a spaced-out word by letters."""
    signs = [line for line in lines if len(line.text) == 1]
    return [line for line in lines if len(line.text) > 1 or sum(_same_row(line, sign) for sign in signs) > _FEWEST]


def _same_row(one: Line, other: Line) -> bool:
    middle = (one.box[1] + one.box[3]) / 2
    return other.box[1] < middle < other.box[3] and 0.5 < one.height / max(1.0, other.height) < 2


def _upright(corners: Any) -> Box:
    points = np.asarray(corners, float)
    (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
    return x0, y0, x1, y1


def close_around_ink(pixels: Array, box: Box) -> Box:
    """The box of the ink in and just around the box; the box itself where ink and ground are not told apart."""
    if box[3] - box[1] < _LOWEST_SNAPPED:
        return box
    height, width = pixels.shape[:2]
    x0, y0, x1, y1 = (round(edge) for edge in within((box[0] - 2, box[1] - 2, box[2] + 2, box[3] + 2), width, height))
    ink = _ink(pixels[y0:y1, x0:x1].astype(np.float32))
    rows, columns = (np.flatnonzero(ink.mean(axis=axis) > _LEAST_INK) for axis in (1, 0))
    if len(rows) < 3 or len(columns) < 3:
        return box
    close: Box = (
        float(x0 + columns[0]),
        float(y0 + rows[0]),
        float(x0 + columns[-1] + 1),
        float(y0 + rows[-1] + 1),
    )
    return close if iou(close, box) > _SAME_LINE else box


def _ink(cut: Array) -> Array:
    """Which pixels differ from the colour at the edge more than the others do."""
    edge = np.concatenate([cut[:2].reshape(-1, 3), cut[-2:].reshape(-1, 3), cut[:, :2].reshape(-1, 3)])
    distance = np.linalg.norm(cut - np.median(edge, axis=0), axis=2)
    ink: Array = distance > max(_threshold(distance), _LEAST_DIFFERENCE)
    return ink


def _threshold(values: Array) -> float:
    """Otsu's: the value that parts them into the two groups furthest apart."""
    counts, edges = np.histogram(values, 128)
    below = np.cumsum(counts)
    above = below[-1] - below
    middles = (edges[:-1] + edges[1:]) / 2
    sums = np.cumsum(counts * middles)
    apart = sums / np.maximum(below, 1) - (sums[-1] - sums) / np.maximum(above, 1)
    return float(edges[1:][np.argmax(below * above * apart**2)])
