"""Light: how bright and how restless a picture is, over any of its boxes. Measured once, on a copy 512 pixels long.

RGB -> relative luminance (WCAG 2.2) of each pixel -> contrast over a slot's pixels
    -> lightness (CIE L*, 0..1) of each pixel -> squared gradient -> flatness of a slot
"""

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Values = NDArray[np.float32]

# At most; the picture is averaged over whole pixels.
SIDE = 512
# A gradient of this size (root mean square, lightness per pixel) is as restless as dense lettering.
RESTLESS = 0.16
# Contrast is that which nine tenths of a slot's pixels reach.
WORST = 0.1


def _linear() -> Values:
    """sRGB's 256 steps as light, by the formula of WCAG 2.2, "relative luminance"."""
    steps = np.arange(256) / 255
    return np.where(steps <= 0.04045, steps / 12.92, ((steps + 0.055) / 1.055) ** 2.4).astype(np.float32)


_RED, _GREEN, _BLUE = (weight * _linear() for weight in (0.2126, 0.7152, 0.0722))


@dataclass(frozen=True, eq=False)
class Light:
    """`pixels`: (height, width, 3) bytes of RGB."""

    pixels: Pixels

    @cached_property
    def luminance(self) -> Values:
        """(height, width), 0 black to 1 white."""
        # "clip" has nothing to cut in bytes, and spares a check of each.
        light: Values = _RED.take(self.pixels[..., 0], mode="clip")
        light += _GREEN.take(self.pixels[..., 1], mode="clip")
        light += _BLUE.take(self.pixels[..., 2], mode="clip")
        return np.minimum(light, np.float32(1), out=light)

    @cached_property
    def lightness(self) -> Values:
        """(height, width): luminance as the eye has it, CIE L* without its straight foot, 0 to 1."""
        seen: Values = np.cbrt(self.luminance)
        seen *= np.float32(1.16)
        seen -= np.float32(0.16)
        return np.maximum(seen, np.float32(0), out=seen)

    @cached_property
    def restlessness(self) -> Values:
        """The squared gradient at each pixel, as it would be on a copy SIDE pixels long."""
        seen = self.lightness
        energy = np.zeros_like(seen)
        np.square(seen[:, 1:] - seen[:, :-1], out=energy[:, 1:])
        energy[1:, :] += np.square(seen[1:, :] - seen[:-1, :])
        # On a smaller copy the same edges fill more of it.
        return energy * np.float32(max(energy.shape) / SIDE)

    def window(self, box: tuple[float, float, float, float]) -> tuple[slice, slice]:
        """The rows and columns of pixels that the box touches: one of each at least."""
        height, width = self.pixels.shape[:2]
        x0, x1 = _span(box[0], box[2], width)
        y0, y1 = _span(box[1], box[3], height)
        return slice(y0, y1), slice(x0, x1)

    def flatness(self, box: tuple[float, float, float, float]) -> float:
        """1 for one plain colour, 0 for a surface as restless as dense lettering or more."""
        return 1 - min(1.0, math.sqrt(self.restlessness[self.window(box)].mean()) / RESTLESS)

    def brightness(self, box: tuple[float, float, float, float]) -> "Brightness":
        values = self.luminance[self.window(box)].flatten()
        mean, darkest = float(values.mean()), int(WORST * (len(values) - 1))
        lightest = len(values) - 1 - darkest
        values.partition((darkest, lightest))
        return Brightness(mean, float(values[darkest]), float(values[lightest]))


@dataclass(frozen=True)
class Brightness:
    """Luminance over a box: its mean, and what a tenth of the pixels is darker, or lighter, than."""

    mean: float
    dark: float
    light: float

    def best_text(self) -> tuple[str, float]:
        """White or black, whichever nine tenths of the pixels let stand out more; and by how much."""
        white, black = contrast_ratio(1.0, self.light), contrast_ratio(0.0, self.dark)
        return ("#ffffff", white) if white >= black else ("#000000", black)


def contrast_ratio(one: float, other: float) -> float:
    """Of two luminances, 1 to 21 (WCAG 2.2, "contrast ratio")."""
    return (max(one, other) + 0.05) / (min(one, other) + 0.05)


def _span(start: float, end: float, length: int) -> tuple[int, int]:
    first = min(int(np.floor(start * length + 1e-6)), length - 1)
    return first, max(first + 1, min(length, int(np.ceil(end * length - 1e-6))))
