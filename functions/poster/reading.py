"""Bytes to pixels: what kind of image is this, may it be decoded, and what does it look like the right way up? Pure.

bytes -> signature -> header (size, scans) -> bounds -> decode the first frame -> EXIF turn -> 8-bit RGB -> Picture
"""

import hashlib
import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from importlib import import_module

from PIL import Image, ImageFile, UnidentifiedImageError

from functions.poster.formats import ends_early, jpeg_scans, kind_of, told
from functions.poster.pixels import is_turned, shown
from shared.errors import Outcome, Rejected, Skipped

MAX_PIXELS = 25_000_000
MAX_SIDE = 16_384
LIMIT = f"at most {MAX_PIXELS // 1_000_000} million, and {MAX_SIDE} on a side, are decoded"
LEAST_SIDE = 64
MOST_ELONGATED = 8.0
# Each scan of a progressive JPEG costs a walk over the whole picture, however few bytes it has.
MAX_SCANS = 100
# Nothing that is computed here, or asked of the model, needs more, and items wait for the model with it in their hands.
DECODED_SIDE = 2560
# The longer side of what the model is sent: Gemini cuts a picture into as many tiles whatever its size in pixels.
MODEL_SIDE = 1536
MODEL_JPEG_QUALITY = 88

# The part of Pillow that reads each format: left to itself it imports all forty to find out.
PLUGINS = {
    "PNG": "PngImagePlugin",
    "JPEG": "JpegImagePlugin",
    "WEBP": "WebPImagePlugin",
    "GIF": "GifImagePlugin",
    "BMP": "BmpImagePlugin",
    "TIFF": "TiffImagePlugin",
    "AVIF": "AvifImagePlugin",
}
_CUT = ("truncated", "not enough", "end of file", "underrun", "unexpected end", "incomplete", "premature")
_TOO_MUCH = ("too large", "too many", "decompressed data")

# Twice this is refused by Pillow itself, before a decoder sets memory aside; what lies between is refused here.
Image.MAX_IMAGE_PIXELS = MAX_PIXELS
# What Pillow finds odd in a file is of no interest to the log: the item says what came of it.
warnings.filterwarnings("ignore", module="PIL")


@dataclass(frozen=True, eq=False)
class Picture:
    """A decoded image, upright, in 8-bit RGB. `width` and `height` are those of the file, turned as EXIF says.

    `pixels` may be smaller than that: they are 2,560 long at most.
    """

    pixels: Image.Image
    sha256: str
    width: int
    height: int
    format: str
    size_bytes: int
    mode: str
    flags: tuple[str, ...]

    @cached_property
    def for_model(self) -> bytes:
        """The JPEG that the model is shown: at most MODEL_SIDE pixels long, upright, without any metadata."""
        return jpeg(fitted(self.pixels, MODEL_SIDE), MODEL_JPEG_QUALITY)


def read_image(body: bytes) -> Picture:
    """The picture in these bytes, whatever they were called. Raises

    Skipped    not_an_image, too_small (a side below 64 pixels), odd_shape (a side over 8 times the other)
    Rejected   too_many_pixels (over 25 million, or a side over 16,384), too_many_scans, metadata_too_large,
               truncated, broken_image, unsupported_image
    """
    kind = kind_of(body)
    if kind is None:
        raise Skipped("not_an_image", f"{told(body)} is no PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF.")
    with _renamed(kind, body):
        opened = _opened(kind, body)
        check_bounds(*opened.size)
        _check_scans(kind, body)
        width, height = opened.size
        mode, animated = opened.mode, _is_animated(opened)
        # Pillow itself turns a TIFF while it decodes, and forgets that it did.
        before = ("turned",) if kind == "TIFF" and is_turned(opened) else ()
        # Of a large JPEG only a half, a quarter or an eighth.
        opened.draft("RGB", (DECODED_SIDE, DECODED_SIDE))
        opened.load()
        # Decoding may find another size than the header told (TIFF): what was checked is what counts.
        check_bounds(*opened.size)
        pixels, flags = shown(opened)
        pixels = fitted(pixels, DECODED_SIDE)
    if "turned" in flags and (pixels.width > pixels.height) != (width > height):
        width, height = height, width
    flags = (*(["animated"] if animated else []), *flags, *before)
    return Picture(pixels, hashlib.sha256(body).hexdigest(), width, height, kind.lower(), len(body), mode, flags)


def check_bounds(width: int, height: int) -> None:
    """Raises where a picture of this size is none to look at, or one that nobody should decode."""
    if width * height > MAX_PIXELS or max(width, height) > MAX_SIDE:
        raise Rejected("too_many_pixels", f"The image has {width} x {height} pixels; {LIMIT}.")
    if min(width, height) < LEAST_SIDE:
        raise Skipped("too_small", f"The image has {width} x {height} pixels; a poster has {LEAST_SIDE} on each side.")
    if max(width, height) > MOST_ELONGATED * min(width, height):
        raise Skipped(
            "odd_shape",
            f"The image has {width} x {height} pixels; no poster is over {MOST_ELONGATED:g} times as long as wide.",
        )


def fitted(image: Image.Image, side: int) -> Image.Image:
    """The image with `side` pixels on its longer side; itself where it has no more."""
    if max(image.size) <= side:
        return image
    scale = side / max(image.size)
    size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    # Averaged over whole pixels first, as far as that goes: three times as fast.
    return image.resize(size, Image.Resampling.BILINEAR, reducing_gap=1.0)


def jpeg(image: Image.Image, quality: int) -> bytes:
    """The image as a JPEG without metadata."""
    written = io.BytesIO()
    # Pillow would hand a comment on.
    image.save(written, "JPEG", quality=quality, comment=b"")
    return written.getvalue()


def _opened(kind: str, body: bytes) -> ImageFile.ImageFile:
    import_module(f"PIL.{PLUGINS[kind]}")
    return Image.open(io.BytesIO(body), formats=(kind,))


def _is_animated(opened: ImageFile.ImageFile) -> bool:
    # What phones put behind a photo (MPO) is another view of it, or its depth: nothing moves.
    return opened.format != "MPO" and bool(getattr(opened, "is_animated", False))


def _check_scans(kind: str, body: bytes) -> None:
    # Hardly any JPEG has these bytes so often, in its metadata or elsewhere, that a walk through it is needed.
    suspect = kind == "JPEG" and body.count(b"\xff\xda") > MAX_SCANS
    if suspect and jpeg_scans(body, MAX_SCANS + 1) > MAX_SCANS:
        raise Rejected("too_many_scans", f"The JPEG has over {MAX_SCANS} scans; at most {MAX_SCANS} are decoded.")


@contextmanager
def _renamed(kind: str, body: bytes) -> Iterator[None]:
    """Pillow's decoders fail in many ways on bytes that somebody, or an accident, made up: all are outcomes."""
    try:
        yield
    except Outcome:
        raise
    except Image.DecompressionBombError as error:
        more = f"over {2 * MAX_PIXELS // 1_000_000} million pixels; {LIMIT}"
        raise Rejected("too_many_pixels", f"The image has {more}.") from error
    except UnidentifiedImageError as error:
        raise _broken(kind, body, "its header cannot be read") from error
    except Exception as error:
        raise _broken(kind, body, " ".join(str(error).split())[:200] or type(error).__name__) from error


def _broken(kind: str, body: bytes, why: str) -> Rejected:
    said = why.lower()
    if any(word in said for word in _TOO_MUCH):
        return Rejected("metadata_too_large", f"What goes with the {kind} image unpacks to far too much: {why}.")
    if "unknown pixel mode" in said or "unsupported" in said:
        return Rejected("unsupported_image", f"This kind of {kind} image cannot be decoded: {why}.")
    if any(word in said for word in _CUT) or ends_early(kind, body):
        return Rejected("truncated", f"The {kind} image ends before it is complete ({len(body)} bytes): {why}.")
    return Rejected("broken_image", f"The {kind} image cannot be decoded: {why}.")
