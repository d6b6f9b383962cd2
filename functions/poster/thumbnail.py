"""A thumbnail that travels in the row: a JPEG as data URL, 240 pixels high, at most 12 KB."""

import base64
from itertools import product

from PIL import Image

from functions.poster.reading import fitted, jpeg

HEIGHT, MOST_WIDTH = 240, 427
MOST_CHARACTERS = 12_288
PREFIX = "data:image/jpeg;base64,"
_SIZES = (1.0, 0.7, 0.5, 0.25)
_QUALITIES = (78, 60, 40, 20)


def thumbnail_of(image: Image.Image) -> str:
    """The best that fits: first the quality gives way, then the size."""
    side = max(image.size) * min(HEIGHT / image.height, MOST_WIDTH / image.width, 1.0)
    for size, quality in product(_SIZES, _QUALITIES):
        url = PREFIX + base64.b64encode(jpeg(fitted(image, max(1, round(side * size))), quality)).decode()
        if len(url) <= MOST_CHARACTERS:
            break
    return url
