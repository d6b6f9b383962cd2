"""What is wrong with a picture itself."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from functions.poster.light import SIDE, Light
from functions.poster.quality import quality_of
from functions.poster.reading import fitted, read_image
from functions.poster.thumbnail import MOST_CHARACTERS, PREFIX, thumbnail_of

from .pictures import drawn, encoded, noise


def photo(width=800, height=1200):
    """Soft shapes with sharp edges and a little grain, as a photograph has."""
    coarse = noise(10, 15).resize((width, height), Image.Resampling.BICUBIC)
    coarse.paste(drawn(width // 2, height // 2), (width // 4, height // 4))
    grain = np.random.default_rng(2).normal(0, 6, (height, width, 1))
    return Image.fromarray(np.clip(np.asarray(coarse) + grain, 0, 255).astype(np.uint8))


def quality(image):
    pixels = read_image(encoded(image, quality=90)).pixels
    return quality_of(pixels, Light(np.asarray(fitted(pixels, SIDE))), *image.size)


def framed(image, left=0, top=0, right=0, bottom=0, color=(0, 0, 0)):
    canvas = Image.new("RGB", (image.width + left + right, image.height + top + bottom), color)
    canvas.paste(image, (left, top))
    return canvas


def test_a_good_picture_has_no_flags():
    assert quality(photo()).flags == []


@pytest.mark.parametrize(
    ("image", "flags"),
    [
        (photo(480, 720), ["low_res"]),
        (photo().filter(ImageFilter.GaussianBlur(3)), ["blur"]),
        (photo(200, 300).resize((1000, 1500), Image.Resampling.BICUBIC), ["blur"]),
        (framed(photo(), top=150, bottom=150), ["letterbox"]),
        (framed(photo(), left=90, right=90, color=(255, 255, 255)), ["letterbox"]),
        (framed(photo(), 40, 40, 40, 40, (240, 240, 240)), ["borders"]),
        (noise(800, 1200), ["busy"]),
        (Image.new("RGB", (800, 1200), (30, 60, 90)), []),
    ],
    ids=["small", "out of focus", "enlarged", "bars above and below", "bars at the sides", "a frame", "noise", "plain"],
)
def test_a_flaw_is_flagged(image, flags):
    assert quality(image).flags == flags


def test_bars_are_measured():
    found = quality(framed(photo(800, 900), top=180, bottom=120))

    assert found.bars == pytest.approx((0, 0.15, 0, 0.1), abs=0.005)


def test_a_plain_ground_that_runs_out_into_a_gradient_is_no_bar():
    fade = np.concatenate([np.zeros(400), np.linspace(0, 255, 800)])
    image = Image.fromarray(np.repeat(np.repeat(fade[:, None, None], 800, axis=1), 3, axis=2).astype(np.uint8))

    assert quality(image).bars == (0, 0, 0, 0)


@pytest.mark.parametrize("image", [photo(), noise(800, 1200), noise(1600, 300), drawn(64, 64)])
def test_a_thumbnail_travels_in_the_row(image):
    url = thumbnail_of(image)

    assert url.startswith(PREFIX)
    assert len(url) <= MOST_CHARACTERS
