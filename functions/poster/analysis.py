"""Compute: a picture and the elements on it become all that a row says of them. Pure, and always the same.

Picture -> a copy at most 512 pixels long -> Light -> zones, title, quality      elements -> zones, title, crops
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from functions.poster.crops import crops_of
from functions.poster.light import SIDE, Light
from functions.poster.quality import quality_of
from functions.poster.reading import Picture
from functions.poster.row import Crop, Element, Pick, Quality, Ratio, Title, Zone
from functions.poster.slots import Slots
from functions.poster.thumbnail import thumbnail_of
from functions.poster.title import title_of, with_title
from functions.poster.zones import recommended, zones_of


@dataclass(frozen=True)
class Analysis:
    elements: list[Element]
    title: Title | None
    zones: list[Zone]
    recommended: dict[str, Pick]
    crops: dict[Ratio, Crop]
    quality: Quality
    thumbnail: str


def analyse(picture: Picture, elements: Sequence[Element], given_title: str | None, slots: Slots) -> Analysis:
    """What follows from the picture and from what was seen on it."""
    small = picture.pixels.reduce(math.ceil(max(picture.pixels.size) / SIDE))
    light = Light(np.asarray(small))
    known = with_title(elements, given_title)
    zones = zones_of(slots.all, known, light)
    return Analysis(
        elements=known,
        title=title_of(known, given_title, light),
        zones=zones,
        recommended=recommended(zones),
        crops=crops_of(picture.width, picture.height, known),
        quality=quality_of(picture.pixels, light, picture.width, picture.height),
        thumbnail=thumbnail_of(small),
    )
