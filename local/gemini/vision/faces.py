"""Faces by CenterFace (Xu et al., 2019): a heat map of face centres, and the size of the face at each.

The file fixes its input at 10 pictures of 32 x 32; the sizes are loosened when it is loaded, which the
network, being convolutions only, does not mind.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from local.gemini.vision.boxes import Box, strongest, within
from local.gemini.vision.weights import CENTERFACE, opened

Array = NDArray[Any]
_STRIDE = 4  # pixels of the picture per cell of the maps
_GRID = 32  # the network halves five times
# Small faces show in the large view; a large, smooth (drawn or airbrushed) face only in the small one.
_LONG_SIDES = (960, 640, 320, 160)
# The network marks the upper forehead as little as its teachers did: over 250 drawn faces its boxes begin below the
# hairline by this share of their height, on average.
_FOREHEAD = 0.1
_SUREST_ENOUGH = 0.45
_MOST_SHARED = 0.3
_MAPS = ("537", "538", "539", "540")  # the file's names of: centres, sizes, offsets, landmarks


@dataclass(frozen=True)
class Face:
    box: Box
    confidence: float


class FaceFinder:
    """Loads its weights at the first picture."""

    @cached_property
    def _session(self) -> Any:
        return opened(_with_free_sizes())

    def find(self, picture: Image.Image) -> list[Face]:
        """The surest first, from chin to hairline."""
        found = [face for long_side in _LONG_SIDES for face in self._seen(picture, long_side)]
        boxes, scores = [face.box for face in found], [face.confidence for face in found]
        return [found[number] for number in strongest(boxes, scores, _MOST_SHARED)]

    def _seen(self, picture: Image.Image, long_side: int) -> list[Face]:
        scale = min(1.0, long_side / max(picture.size))
        wide, high = _fitted(picture.width * scale), _fitted(picture.height * scale)
        pixels = np.asarray(picture.resize((wide, high), Image.Resampling.BILINEAR), np.float32)
        name = self._session.get_inputs()[0].name
        centres, sizes, offsets, _ = self._session.run(_MAPS, {name: pixels.transpose(2, 0, 1)[None]})
        stretched = (picture.width / wide, picture.height / high)
        return _faces(centres[0, 0], sizes[0], offsets[0], stretched, picture.size)


def _fitted(length: float) -> int:
    return max(_GRID, math.ceil(length / _GRID) * _GRID)


def _faces(
    centres: Array, sizes: Array, offsets: Array, stretched: tuple[float, float], whole: tuple[int, int]
) -> list[Face]:
    rows, columns = np.nonzero(centres > _SUREST_ENOUGH)
    heights, widths = np.exp(sizes[:, rows, columns]) * _STRIDE
    y, x = (np.array([rows, columns]) + offsets[:, rows, columns] + 0.5) * _STRIDE
    corners = np.stack([x - widths / 2, y - heights * (0.5 + _FOREHEAD), x + widths / 2, y + heights / 2], axis=1)
    boxes: list[Box] = [tuple(box) for box in (corners * [*stretched, *stretched]).tolist()]
    scores = centres[rows, columns].tolist()
    return [Face(within(box, *whole), score) for box, score in zip(boxes, scores, strict=True)]


def _with_free_sizes() -> bytes:
    import onnx  # noqa: PLC0415 - only the first picture pays for it

    model = onnx.load(str(CENTERFACE.path()))
    graph = model.graph
    weights = {each.name for each in graph.initializer}
    pictures = [each for each in graph.input if each.name not in weights]
    for each, prefix in [*((each, "in") for each in pictures), *((each, "out") for each in graph.output)]:
        for axis, side in ((0, "pictures"), (2, "height"), (3, "width")):
            each.type.tensor_type.shape.dim[axis].dim_param = f"{prefix}_{side}"
    del graph.value_info[:]
    del graph.input[:]
    graph.input.extend(pictures)
    serialized: bytes = model.SerializeToString()
    return serialized
