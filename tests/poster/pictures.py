"""Images made here, in every format and every sad state."""

import io
import struct
import zlib

import numpy as np
from PIL import Image, ImageDraw

from functions.poster.row import Element


def drawn(width=240, height=360):
    """Colours, a disc and a bar: something to tell up from down and left from right by."""
    ramp = np.linspace(0, 255, width, dtype=np.uint8)[None, :].repeat(height, axis=0)
    image = Image.merge("RGB", [Image.fromarray(one) for one in (ramp, ramp[:, ::-1].copy(), np.full_like(ramp, 90))])
    paint = ImageDraw.Draw(image)
    paint.ellipse([width * 0.1, height * 0.1, width * 0.4, height * 0.3], fill=(250, 240, 200))
    paint.rectangle([width * 0.2, height * 0.8, width * 0.9, height * 0.9], fill=(10, 10, 20))
    return image


def encoded(image, kind="JPEG", **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def noise(width=240, height=360, seed=1):
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8))


def turned(orientation, image=None):
    """A JPEG that says in its EXIF how it has to be turned."""
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image or drawn(), exif=exif, quality=95)


def png_chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png_header(width, height):
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))


def png_bomb(width, height):
    """A PNG that would unpack to `width` x `height` black pixels, in about a thousandth of that."""
    pack = zlib.compressobj(9)
    row = b"\0" * (3 * width + 1)
    data = b"".join(pack.compress(row) for _ in range(height)) + pack.flush()
    return png_header(width, height) + png_chunk(b"IDAT", data) + png_chunk(b"IEND", b"")


def png_with(chunk_name, data, image=None):
    """A PNG with one more chunk behind its header."""
    body = encoded(image or drawn(), "PNG")
    return body[:33] + png_chunk(chunk_name, data) + body[33:]


def element(kind, box, text=None, confidence=0.9):
    return Element(type=kind, box=box, text=text, language=None, confidence=confidence, source="model")
