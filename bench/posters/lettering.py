"""Letters in many cuts from the one font that Pillow carries (Aileron, CC0): stretched, fattened, slanted, spaced.

A line is a mask of its ink, trimmed to it, so the box of a line that was set is exactly the box of its ink.
"""

import random
from dataclasses import dataclass, replace
from functools import cache

from PIL import Image, ImageDraw, ImageFilter, ImageFont

Colour = tuple[int, int, int]
Box = tuple[float, float, float, float]
_DRAWN_AT = 200  # pixels: larger than most of what is set, so that scaling only ever blurs a little


@dataclass(frozen=True)
class Cut:
    """How letters look. Weights, slants and spaces are shares of their height."""

    stretch: float = 1.0
    weight: float = 0.0
    slant: float = 0.0
    spacing: float = 0.0
    colour: Colour = (255, 255, 255)
    outline: Colour | None = None
    shadow: bool = False


def any_cut(chance: random.Random, colour: Colour, outline: Colour | None) -> Cut:
    """Any cut a poster's title might have, evenly."""
    return Cut(
        stretch=chance.uniform(0.6, 1.25),
        weight=chance.choice((0.0, 0.01, 0.02, 0.035)),
        slant=chance.choice((0.0, 0.0, 0.0, 0.15)),
        spacing=chance.choice((0.0, 0.0, 0.05, 0.15)),
        colour=colour,
        outline=outline,
        shadow=chance.random() < 0.4,
    )


def set_line(picture: Image.Image, text: str, cut: Cut, box: tuple[float, float, float]) -> Box:
    """Set a line with its ink's top left at (x, y) and `height` pixels high; the box of its ink, outline included.

    `box` is (x, y, height). A shadow is soft and is not part of the box.
    """
    ink = inked(text, cut, box[2])
    x, y = round(box[0]), round(box[1])
    if cut.shadow:
        _darken(picture, ink, (x, y), max(2, round(box[2] * 0.08)))
    if cut.outline:
        picture.paste(cut.outline, (x, y), ink)
        ink_only = inked(text, replace(cut, outline=None), box[2] * _INNER)
        x_in, y_in = x + (ink.width - ink_only.width) // 2, y + (ink.height - ink_only.height) // 2
        picture.paste(cut.colour, (x_in, y_in), ink_only)
    else:
        picture.paste(cut.colour, (x, y), ink)
    return x, y, x + ink.width, y + ink.height


_INNER = 0.94  # the height of the letters within their outline


def inked(text: str, cut: Cut, height: float) -> Image.Image:
    """The mask of a line, trimmed to its ink, `height` pixels high."""
    mask = _mask(text, cut.weight + (0.03 if cut.outline else 0.0), cut.slant, cut.spacing)
    width = max(1, round(mask.width * height / mask.height * cut.stretch))
    return mask.resize((width, max(1, round(height))), Image.Resampling.LANCZOS)


def width_of(text: str, cut: Cut, height: float) -> float:
    return inked(text, cut, height).width


@cache
def _font() -> ImageFont.FreeTypeFont:
    font = ImageFont.load_default(_DRAWN_AT)
    if not isinstance(font, ImageFont.FreeTypeFont):
        raise TypeError("this Pillow was built without FreeType")
    return font


@cache
def _mask(text: str, weight: float, slant: float, spacing: float) -> Image.Image:
    stroke, gap, margin = round(weight * _DRAWN_AT), spacing * _DRAWN_AT, _DRAWN_AT
    lengths = [_font().getlength(letter) + gap for letter in text] if spacing else [_font().getlength(text)]
    mask = Image.new("L", (round(sum(lengths)) + 2 * margin, 3 * margin), 0)
    pen, x = ImageDraw.Draw(mask), float(margin)
    for letter, length in zip(text if spacing else [text], lengths, strict=True):
        pen.text((x, margin), letter, 255, _font(), stroke_width=stroke)
        x += length
    if slant:
        lean = (1, slant, -slant * margin * 1.5, 0, 1, 0)
        mask = mask.transform(mask.size, Image.Transform.AFFINE, lean, Image.Resampling.BILINEAR)
    return mask.crop(mask.getbbox())


def _darken(picture: Image.Image, ink: Image.Image, at: tuple[int, int], spread: int) -> None:
    soft = Image.new("L", (ink.width + 4 * spread, ink.height + 4 * spread), 0)
    soft.paste(ink, (2 * spread, 2 * spread))
    blurred = soft.filter(ImageFilter.GaussianBlur(spread)).point(lambda value: round(value * 0.6))
    picture.paste((0, 0, 0), (at[0] - 2 * spread, at[1] - 2 * spread), blurred)
