"""What can be measured of an image without a model: its format, size and price, from its first bytes."""

import math
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from local.gemini.wire import Media

_JPEG_SIZES = frozenset({*range(0xC0, 0xC4), *range(0xC5, 0xC8), *range(0xC9, 0xCC), *range(0xCD, 0xD0)})


@dataclass(frozen=True)
class Picture:
    format: str
    width: int
    height: int
    size: int

    @property
    def described(self) -> str:
        shape = f" of {self.width} x {self.height} pixels" if self.width else ""
        return f"{self.format.upper()} image{shape}, {self.size} bytes. Nothing else was measured."


def pictures(media: Sequence[Media]) -> tuple[Picture, ...]:
    """What is known of every image of a request; other media are left out."""
    return tuple(_picture(each.data) for each in media if each.is_image)


# Gemini 3 gives a picture as many tokens as it is told, whatever its size; ai.google.dev, "Media resolution".
_TOKENS = {"LOW": 280, "MEDIUM": 560, "HIGH": 1120, "ULTRA_HIGH": 2240}
# Gemini 2 cuts it into tiles; ai.google.dev, "Image understanding".
TOKENS_PER_TILE = 258
_ONE_TILE = 384
_SMALLEST_TILE, _LARGEST_TILE = 256, 768


def image_tokens(model: str, media: Sequence[Media]) -> int:
    """What the pictures of a request cost."""
    return sum(_tokens(model, each.resolution, _picture(each.data)) for each in media if each.is_image)


def _tokens(model: str, resolution: str, picture: Picture) -> int:
    if model.startswith("gemini-2"):
        return TOKENS_PER_TILE * (1 if resolution == "LOW" else _tiles(picture))
    return _TOKENS.get(resolution, _TOKENS["HIGH"])


def _tiles(picture: Picture) -> int:
    if max(picture.width, picture.height) <= _ONE_TILE:
        return 1
    side = min(max(int(min(picture.width, picture.height) / 1.5), _SMALLEST_TILE), _LARGEST_TILE)
    return math.ceil(picture.width / side) * math.ceil(picture.height / side)


def _picture(data: bytes) -> Picture:
    for kind, starts, size in (
        ("png", b"\x89PNG\r\n\x1a\n", _png),
        ("gif", b"GIF8", _gif),
        ("jpeg", b"\xff\xd8", _jpeg),
    ):
        if data.startswith(starts):
            return Picture(kind, *_safely(size, data), len(data))
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return Picture("webp", *_safely(_webp, data), len(data))
    return Picture("unknown", 0, 0, len(data))


def _safely(size: Callable[[bytes], tuple[int, int]], data: bytes) -> tuple[int, int]:
    try:
        return size(data)
    except (struct.error, IndexError):
        return 0, 0


def _png(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _gif(data: bytes) -> tuple[int, int]:
    width, height = struct.unpack("<HH", data[6:10])
    return width, height


def _webp(data: bytes) -> tuple[int, int]:
    if data[12:16] == b"VP8X":
        return 1 + int.from_bytes(data[24:27], "little"), 1 + int.from_bytes(data[27:30], "little")
    if data[12:16] == b"VP8L":
        bits = int.from_bytes(data[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    width, height = struct.unpack("<HH", data[26:30])
    return width & 0x3FFF, height & 0x3FFF


def _jpeg(data: bytes) -> tuple[int, int]:
    """Walks the segments to the frame header, which holds the size."""
    at = 2
    while data[at] == 0xFF:
        marker, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if marker in _JPEG_SIZES:
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        at += 2 + length
    return 0, 0
