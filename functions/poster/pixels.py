"""What a viewer would show of a decoded image: the first frame, upright, in 8-bit RGB. Pure.

CMYK is converted without its colour profile. What is transparent is shown on white.
"""

import numpy as np
from PIL import Image

# EXIF's orientation: how the pixels have to be turned to stand upright.
_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ORIENTATION = 0x0112
_DEEP = ("I", "I;16", "I;16L", "I;16B", "I;16N", "F")
BACKGROUND = (255, 255, 255)


def shown(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    """The upright RGB image, and of "cmyk", "deep" (over 8 bits), "transparent", "turned" what was true of it."""
    pixels, flags = _rgb(image)
    turn = _turn(image)
    if turn is None:
        return pixels, flags
    return pixels.transpose(turn), (*flags, "turned")


def is_turned(image: Image.Image) -> bool:
    """Do the pixels lie otherwise than the image is to be seen, as it says itself?"""
    return _turn(image) is not None


def _rgb(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    if image.mode == "RGB" and "transparency" not in image.info:
        return image, ()
    if image.mode in _DEEP:
        return _eight_bit(image).convert("RGB"), ("deep",)
    if image.has_transparency_data:
        return _on_background(image if image.mode == "RGBA" else image.convert("RGBA"))
    return image.convert("RGB"), (("cmyk",) if image.mode == "CMYK" else ())


def _eight_bit(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits, or of floats: Pillow's own conversion would cut off all that is above 255."""
    values = np.asarray(image)
    if values.dtype.itemsize == 2:
        return Image.fromarray((values >> 8).astype(np.uint8))
    light = values.astype(np.float32)
    np.nan_to_num(light, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    highest = float(light.max(initial=0.0))
    light /= next((full for full in (1.0, 255.0, 65_535.0) if highest <= full), highest)
    return Image.fromarray((np.clip(light, 0, 1, out=light) * 255 + np.float32(0.5)).astype(np.uint8))


def _on_background(image: Image.Image) -> tuple[Image.Image, tuple[str, ...]]:
    alpha = image.getchannel("A")
    lowest = alpha.getextrema()[0]
    if isinstance(lowest, int | float) and lowest == 255:
        return image.convert("RGB"), ()
    ground = Image.new("RGB", image.size, BACKGROUND)
    ground.paste(image, mask=alpha)
    return ground, ("transparent",)


def _turn(image: Image.Image) -> Image.Transpose | None:
    try:
        return _TURNS.get(int(image.getexif().get(_ORIENTATION, 1)))
    except Exception:  # noqa: BLE001 - EXIF that cannot be read turns nothing
        return None
