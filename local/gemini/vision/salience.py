"""What stands out, by U²-Net-p (Qin et al., 2020): how much each pixel belongs to the main object."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from local.gemini.vision.boxes import Box
from local.gemini.vision.weights import U2NETP, opened

Array = NDArray[Any]
_SIDE = 320
_MEANS, _DEVIATIONS = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's
_SALIENT = 0.5
_LEAST_SHARE, _MOST_SHARE = 0.01, 0.9  # of the picture: less is a speck, more is no object in it


@dataclass(frozen=True)
class Salient:
    box: Box
    confidence: float


class SalienceFinder:
    """Loads its weights at the first picture."""

    @cached_property
    def _session(self) -> Any:
        return opened(str(U2NETP.path()))

    def find(self, picture: Image.Image) -> Salient | None:
        """The largest connected piece of what stands out; its confidence is the mean over its pixels."""
        pieces = _pieces(self._map(picture))
        if pieces is None:
            return None
        (x0, y0, x1, y1), confidence = pieces
        across, down = picture.width / _SIDE, picture.height / _SIDE
        return Salient((x0 * across, y0 * down, x1 * across, y1 * down), confidence)

    def _map(self, picture: Image.Image) -> Array:
        pixels = np.asarray(picture.resize((_SIDE, _SIDE), Image.Resampling.BOX), np.float32)
        scaled = (pixels / max(float(pixels.max()), 1.0) - _MEANS) / _DEVIATIONS
        name = self._session.get_inputs()[0].name
        salience: Array = self._session.run(None, {name: scaled.astype(np.float32).transpose(2, 0, 1)[None]})[0][0, 0]
        return salience


def _pieces(salience: Array) -> tuple[Box, float] | None:
    import cv2  # noqa: PLC0415 - 90 ms that only pictures need

    _, labels, stats, _ = cv2.connectedComponentsWithStats((salience > _SALIENT).astype(np.uint8))
    if len(stats) < 2:
        return None
    largest = 1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))
    x, y, width, height, size = (int(value) for value in stats[largest])
    if not _LEAST_SHARE < size / salience.size < _MOST_SHARE:
        return None
    return (float(x), float(y), float(x + width), float(y + height)), float(salience[labels == largest].mean())
