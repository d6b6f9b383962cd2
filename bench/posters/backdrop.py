"""What stands behind the people of a poster: skies, hills, lights, stripes, texture."""

import math
import random
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

Colour = tuple[int, int, int]
Size = tuple[int, int]
PALETTES: tuple[tuple[Colour, Colour, Colour], ...] = (
    ((12, 18, 40), (58, 42, 90), (226, 120, 84)),
    ((18, 52, 60), (40, 110, 110), (240, 214, 150)),
    ((70, 14, 20), (160, 40, 34), (244, 190, 120)),
    ((232, 226, 212), (200, 180, 150), (90, 70, 60)),
    ((236, 242, 246), (150, 190, 214), (40, 70, 100)),
    ((16, 16, 18), (52, 52, 58), (190, 190, 196)),
    ((244, 208, 80), (236, 130, 60), (70, 30, 50)),
    ((26, 60, 34), (90, 130, 70), (230, 230, 190)),
)


def gradient(size: Size, top: Colour, bottom: Colour) -> Image.Image:
    share = np.linspace(0, 1, size[1], dtype=np.float32)[:, None, None]
    rows = np.array(top, np.float32) * (1 - share) + np.array(bottom, np.float32) * share
    return Image.fromarray(np.broadcast_to(rows, (size[1], size[0], 3)).round().astype(np.uint8).copy(), "RGB")


def plain(_chance: random.Random, size: Size, palette: Sequence[Colour]) -> Image.Image:
    return Image.new("RGB", size, palette[0])


def sky(_chance: random.Random, size: Size, palette: Sequence[Colour]) -> Image.Image:
    return gradient(size, palette[0], palette[1])


def lights(chance: random.Random, size: Size, palette: Sequence[Colour]) -> Image.Image:
    """A night street out of focus."""
    picture = gradient(size, palette[0], palette[1])
    for _ in range(40):
        radius = chance.uniform(0.01, 0.05) * size[0]
        x, y = chance.uniform(0, size[0]), chance.uniform(0, size[1])
        glow = Image.new("L", size, 0)
        ImageDraw.Draw(glow).ellipse((x - radius, y - radius, x + radius, y + radius), fill=chance.randrange(30, 110))
        picture.paste(palette[2], (0, 0), glow)
    return picture.filter(ImageFilter.GaussianBlur(size[0] / 200))


def hills(chance: random.Random, size: Size, palette: Sequence[Colour]) -> Image.Image:
    picture = gradient(size, palette[1], palette[2])
    pen = ImageDraw.Draw(picture)
    sun, x, y = chance.uniform(0.05, 0.1) * size[0], chance.uniform(0.2, 0.8) * size[0], 0.4 * size[1]
    pen.ellipse((x - sun, y - sun, x + sun, y + sun), fill=palette[2])
    for layer in range(4):
        level, phase = size[1] * (0.5 + 0.13 * layer), chance.uniform(0, 6)
        ridge = [
            (at, level + math.sin(at / size[0] * (4 + 2 * layer) + phase) * 0.05 * size[1])
            for at in range(0, size[0] + 8, 8)
        ]
        shade = tuple(round(palette[1][i] * (0.8 - 0.2 * layer) + palette[0][i] * 0.2 * layer) for i in range(3))
        pen.polygon([(0, size[1]), *ridge, (size[0], size[1])], fill=shade)
    return picture


def stripes(chance: random.Random, size: Size, palette: Sequence[Colour]) -> Image.Image:
    """Rays from a point, as on circus bills."""
    picture = Image.new("RGB", size, palette[0])
    pen, reach = ImageDraw.Draw(picture), sum(size)
    x, y, rays = size[0] / 2, size[1] * chance.uniform(0.3, 0.6), chance.randrange(14, 24)
    for ray in range(0, rays * 2, 2):
        edges = [math.pi * (ray + side) / rays for side in (0, 1)]
        pen.polygon([(x, y), *((x + reach * math.cos(a), y + reach * math.sin(a)) for a in edges)], fill=palette[1])
    return picture


def city(chance: random.Random, size: Size, palette: Sequence[Colour]) -> Image.Image:
    picture = gradient(size, palette[0], palette[1])
    pen = ImageDraw.Draw(picture)
    x = 0.0
    while x < size[0]:
        width, top = chance.uniform(0.06, 0.14) * size[0], size[1] * chance.uniform(0.35, 0.7)
        pen.rectangle((x, top, x + width, size[1]), fill=tuple(value // 2 for value in palette[0]))
        step = max(6, size[0] // 60)
        for window_x in range(round(x) + step, round(x + width) - step, step):
            for window_y in range(round(top) + step, size[1], step * 2):
                if chance.random() < 0.35:
                    pen.rectangle((window_x, window_y, window_x + step // 3, window_y + step // 2), fill=palette[2])
        x += width
    return picture


def clouds(chance: random.Random, size: Size, palette: Sequence[Colour]) -> Image.Image:
    """Noise of many sizes laid over each other: as busy as a photograph of leaves or of a crowd."""
    noise = np.random.default_rng(chance.randrange(2**32))
    total = np.zeros((size[1], size[0]), np.float32)
    for octave in range(2, 8):
        cells = noise.random((2**octave, 2**octave), np.float32)
        layer = Image.fromarray((cells * 255).astype(np.uint8), "L").resize(size, Image.Resampling.BICUBIC)
        total += np.asarray(layer, np.float32) / 255 / 1.5**octave
    share = ((total - total.min()) / max(1e-6, float(np.ptp(total))))[..., None]
    mixed = np.array(palette[0]) * (1 - share) + np.array(palette[1]) * share
    return Image.fromarray(mixed.round().astype(np.uint8), "RGB")


BACKDROPS: tuple[Callable[[random.Random, Size, Sequence[Colour]], Image.Image], ...] = (
    plain, sky, lights, hills, stripes, city, clouds,
)  # fmt: skip
