"""A head and shoulders, drawn from numbers: shaded skin, eyes, brows, nose, mouth, hair.

Everything is a soft mask over one grid in which the face is an oval from (-width, -1) to (width, 1): v = -1 is
the hairline, v = 1 the chin. The truth about a drawn face is the box around that oval, as it stands in the picture.
"""

import math
import random
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Grid = NDArray[Any]
Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]

SKINS: tuple[Colour, ...] = (
    (244, 208, 182), (228, 184, 150), (205, 156, 120), (172, 122, 88), (133, 88, 62), (98, 64, 46),
)  # fmt: skip
HAIRS: tuple[Colour, ...] = ((28, 22, 20), (64, 42, 28), (110, 74, 42), (186, 146, 84), (150, 150, 152), (120, 46, 28))
EYES: tuple[Colour, ...] = ((62, 40, 26), (84, 104, 70), (72, 104, 140), (40, 28, 22))
CLOTHES: tuple[Colour, ...] = ((32, 36, 48), (120, 30, 34), (36, 78, 66), (190, 180, 160), (70, 52, 92), (20, 20, 22))
_SPAN = 2.1  # half the height of the drawn square, in half faces


@dataclass(frozen=True)
class Face:
    """Who is drawn, and how they are turned and lit."""

    skin: Colour
    hair: Colour
    eyes: Colour
    clothes: Colour
    width: float  # of the oval, where its height is 1
    turn: float  # -0.35 (to the left) .. 0.35
    tilt: float  # degrees
    light: float  # -1 (from the left) .. 1
    smile: float  # 0..1
    long_hair: bool
    beard: bool


def drawn_lots(chance: random.Random) -> Face:
    """Any face, evenly."""
    return Face(
        skin=chance.choice(SKINS),
        hair=chance.choice(HAIRS),
        eyes=chance.choice(EYES),
        clothes=chance.choice(CLOTHES),
        width=chance.uniform(0.70, 0.80),
        turn=chance.uniform(-0.25, 0.25),
        tilt=chance.uniform(-12, 12),
        light=chance.uniform(-1, 1),
        smile=chance.uniform(0, 1),
        long_hair=chance.random() < 0.5,
        beard=chance.random() < 0.2,
    )


def box_of(face: Face, centre: tuple[float, float], height: float) -> Box:
    """The box around the oval of a face that is `height` pixels from hairline to chin."""
    angle = math.radians(face.tilt)
    across = height / 2 * math.hypot(face.width * math.cos(angle), math.sin(angle))
    down = height / 2 * math.hypot(face.width * math.sin(angle), math.cos(angle))
    return centre[0] - across, centre[1] - down, centre[0] + across, centre[1] + down


def paste(picture: Image.Image, face: Face, centre: tuple[float, float], height: float) -> Box:
    """Draw the face, hair, neck and shoulders into the picture; the box of its oval."""
    side = max(8, round(height * _SPAN))
    head = _head(face, side)
    picture.paste(head, (round(centre[0] - side / 2), round(centre[1] - side / 2)), head)
    return box_of(face, centre, height)


def _head(face: Face, side: int) -> Image.Image:
    """RGBA, the middle of the oval in the middle."""
    canvas = _Canvas(face, side)
    canvas.body()
    canvas.skin()
    canvas.sockets_and_nose()
    canvas.eyes()
    canvas.mouth()
    canvas.fringe()
    return canvas.image()


class _Canvas:
    """Masks are 0..1 over the grid; `soft` is the width of an edge in grid units, never below a pixel."""

    def __init__(self, face: Face, side: int) -> None:
        self.face = face
        axis = (np.arange(side, dtype=np.float32) + 0.5) / side * 2 - 1
        x, y = np.meshgrid(axis * _SPAN, axis * _SPAN)
        angle = math.radians(face.tilt)
        # The body stands upright; only the head tilts.
        self.x, self.y = x, y
        self.u = x * math.cos(angle) + y * math.sin(angle)
        self.v = y * math.cos(angle) - x * math.sin(angle)
        self.pixel = 2 * _SPAN / side
        self.colour: Grid = np.zeros((side, side, 3), np.float32)
        self.alpha: Grid = np.zeros((side, side), np.float32)
        self.oval = self._ellipse(0, 0, face.width, 1, 0.02)

    def body(self) -> None:
        """Behind the face: hair, neck, shoulders."""
        face, shade = self.face, 1 - 0.25 * self.face.light * self.x / _SPAN
        back = self._ellipse(0, -0.22, face.width * 1.22, 1.12, 0.05)
        if face.long_hair:
            back = np.maximum(back, self._ellipse(0, 0.45, face.width * 1.25, 1.15, 0.08))
        self._paint(back, self._toned(face.hair, 0.85 + 0.25 * np.sin(self.u * 23 + self.v * 3) * 0.3))
        shoulders = self._ellipse(0, 2.35, 1.75, 1.05, 0.03, upright=True)
        self._paint(shoulders, self._toned(face.clothes, shade))
        neck = self._band(self.x, 0.36, 0.05) * self._band(self.y - 1.0, 0.55, 0.12)
        self._paint(neck, self._toned(face.skin, 0.68 * shade))

    def skin(self) -> None:
        face = self.face
        ears = np.maximum(
            self._ellipse(-face.width, 0.02, 0.10, 0.2, 0.03), self._ellipse(face.width, 0.02, 0.10, 0.2, 0.03)
        )
        self._paint(ears, self._toned(face.skin, 0.82))
        # The oval as the front of an ellipsoid, lit from one side and a little from above.
        a, b = self.u / face.width, self.v
        depth = np.sqrt(np.clip(1 - a * a - b * b, 0, 1))
        lit = 0.62 + 0.40 * depth + 0.16 * face.light * a - 0.08 * b
        self._paint(self.oval, self._toned(face.skin, lit))
        for side in (-1, 1):
            cheek = self._ellipse(side * 0.42 * face.width + self.shift, 0.28, 0.2, 0.16, 0.16) * self.oval
            self._paint(cheek * 0.22, self._toned((214, 96, 84), 0.5 + 0.5 * lit))
        if face.beard:
            jaw = self.oval * self._above(self.v - 0.30 - 0.25 * np.cos(self.u * 3), 0.14)
            self._paint(jaw * 0.72, self._toned(face.hair, lit))

    @property
    def shift(self) -> float:
        """Where the middle of the features is: a turned head shows more of one cheek."""
        return self.face.turn * self.face.width

    def sockets_and_nose(self) -> None:
        dark = self._toned(self.face.skin, 0.52)
        for eye in self._eye_spots():
            self._paint(self._ellipse(eye, -0.10, 0.26, 0.15, 0.12) * 0.55, dark)
        s = self.shift
        away = -1 if self.face.light > 0 else 1  # the side of the nose that lies in shadow
        ridge = self._ellipse(s * 1.15 + away * 0.09, 0.14, 0.05, 0.28, 0.06)
        self._paint(ridge * 0.5, dark)
        self._paint(self._ellipse(s * 1.2, 0.12, 0.05, 0.26, 0.05) * 0.4, self._toned(self.face.skin, 1.18))
        self._paint(self._ellipse(s * 1.2, 0.34, 0.15, 0.08, 0.06) * 0.45, self._toned(self.face.skin, 1.08))
        self._paint(self._ellipse(s * 1.2, 0.425, 0.15, 0.035, 0.04) * 0.7, dark)
        for side in (-1, 1):
            self._paint(self._ellipse(s * 1.2 + side * 0.085, 0.40, 0.035, 0.025, 0.02) * 0.9, self._toned(dark, 0.5))

    def _eye_spots(self) -> tuple[float, float]:
        narrow = 0.33 * self.face.width / 0.75
        return self.shift - narrow * (1 - 0.3 * self.face.turn), self.shift + narrow * (1 + 0.3 * self.face.turn)

    def eyes(self) -> None:
        for number, eye in enumerate(self._eye_spots()):
            white = self._ellipse(eye, -0.11, 0.145, 0.068, 0.015)
            self._paint(white, self._toned((238, 234, 228), 0.92))
            gaze = eye + 0.04 * self.face.turn
            self._paint(white * self._ellipse(gaze, -0.115, 0.066, 0.07, 0.012), self._toned(self.face.eyes, 1))
            self._paint(white * self._ellipse(gaze, -0.115, 0.032, 0.034, 0.01), self._toned((10, 8, 8), 1))
            self._paint(self._ellipse(gaze + 0.02, -0.135, 0.013, 0.013, 0.01), self._toned((255, 255, 255), 1))
            lid = self._ellipse(eye, -0.125, 0.165, 0.085, 0.015) * (1 - self._ellipse(eye, -0.10, 0.16, 0.072, 0.015))
            self._paint(lid * self._above(-0.09 - self.v, 0.02) * 0.9, self._toned((30, 20, 18), 1))
            outward = -1 if number == 0 else 1
            arch = -0.30 + 0.9 * (self.u - eye - outward * 0.02) ** 2
            brow = self._band(self.v - arch, 0.035, 0.025) * self._band(self.u - eye, 0.2, 0.04)
            self._paint(brow * 0.9, self._toned(self.face.hair, 0.75))

    def mouth(self) -> None:
        s, smile = self.shift * 1.1, self.face.smile
        curve = 0.62 - smile * 0.9 * (self.u - s) ** 2
        across = self._band(self.u - s, 0.23 + 0.06 * smile, 0.04)
        taper = np.sqrt(np.clip(1 - ((self.u - s) / (0.27 + 0.06 * smile)) ** 2, 0, 1))
        lip = self._toned((168, 72, 70), 0.55 + 0.45 * np.mean(self.face.skin) / 210)
        self._paint(across * self._band(self.v - curve + 0.03, 0.045 * taper + 0.004, 0.015) * 0.85, lip * 0.8)
        self._paint(across * self._band(self.v - curve - 0.04, 0.055 * taper + 0.004, 0.02) * 0.85, lip)
        self._paint(across * self._band(self.v - curve, 0.012, 0.012) * 0.9, self._toned((60, 22, 22), 1))
        under = self._ellipse(s, 0.76, 0.16, 0.03, 0.05)
        self._paint(under * 0.4, self._toned(self.face.skin, 0.55))

    def fringe(self) -> None:
        """Hair over the forehead's edge."""
        part = 0.35 if self.face.turn > 0 else -0.35
        line = -0.80 - 0.10 * np.cos((self.u - part) * 2.4) + 0.32 * np.abs(self.u / self.face.width) ** 3
        cap = self._ellipse(0, -0.16, self.face.width * 1.1, 1.02, 0.03) * self._above(line - self.v, 0.05)
        self._paint(cap, self._toned(self.face.hair, 0.9 + 0.2 * np.sin(self.u * 31 + self.v * 5)))

    def image(self) -> Image.Image:
        rgb, faded = np.clip(self.colour, 0, 255), self._above(_SPAN - 0.25 - self.y, 0.5)
        return Image.fromarray(np.dstack([rgb, self.alpha * faded * 255]).round().astype(np.uint8), "RGBA")

    def _paint(self, mask: Grid, colour: Grid) -> None:
        over = mask[..., None]
        total = self.alpha + mask * (1 - self.alpha)
        self.colour = np.where(
            total[..., None] > 0,
            (self.colour * (self.alpha * (1 - mask))[..., None] + colour * over) / np.maximum(total, 1e-6)[..., None],
            self.colour,
        )
        self.alpha = total

    def _toned(self, colour: Any, factor: Any) -> Grid:
        base = np.asarray(colour, np.float32)
        toned: Grid = np.broadcast_to(base * np.asarray(factor, np.float32)[..., None], self.colour.shape)
        return toned

    def _ellipse(self, u: float, v: float, a: float, b: float, soft: float, *, upright: bool = False) -> Grid:
        across, down = (self.x, self.y) if upright else (self.u, self.v)
        distance = (np.hypot((across - u) / a, (down - v) / b) - 1) * min(a, b)
        return self._above(-distance, soft)

    def _band(self, distance: Grid, half: Any, soft: float) -> Grid:
        return self._above(half - np.abs(distance), soft)

    def _above(self, value: Grid, soft: float) -> Grid:
        """0 where value is negative, 1 where it is positive, even between."""
        width = max(soft, self.pixel)
        risen: Grid = np.clip(value / width + 0.5, 0, 1).astype(np.float32)
        return risen
