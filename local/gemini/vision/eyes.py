"""A picture's bytes, and the elements seen in it."""

import io
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from PIL import Image, ImageOps, UnidentifiedImageError

from local.gemini.vision.boxes import Box, area, shared, within
from local.gemini.vision.faces import FaceFinder
from local.gemini.vision.lines import Line, LineReader
from local.gemini.vision.roles import in_rows, is_rating_mark, title_of
from local.gemini.vision.salience import SalienceFinder

KINDS = ("face", "title", "text", "rating_mark", "object")
_WRITTEN = frozenset({"title", "text", "rating_mark"})
_LONGEST_SIDE = 1_600  # pixels: more costs time and finds nothing more
_SHORTEST_SIDE = 8  # a picture below it is widened, or the networks have nothing left after their strides
MOST_PIXELS = 60_000_000


class UnreadablePicture(ValueError):
    """The bytes are no picture that can be decoded here, or one too large to."""


@dataclass(frozen=True)
class Element:
    """`box` is (x0, y0, x1, y1) in 0..1 of the upright picture; `confidence` is the model's own, 0..1."""

    kind: str
    box: Box
    confidence: float
    text: str = ""


class Eyes:
    """All the models, each loaded when it is first asked; for one thread at a time."""

    def __init__(self) -> None:
        self._faces, self._lines, self._salience = FaceFinder(), LineReader(), SalienceFinder()

    def look(self, data: bytes, kinds: Collection[str] = KINDS) -> list[Element]:
        """The elements of these kinds, faces first. Raises UnreadablePicture."""
        picture = decoded(data)
        found = [element for element in self._found(picture, kinds) if element.kind in kinds]
        return [element for element in found if area(element.box)]

    def _found(self, picture: Image.Image, kinds: Collection[str]) -> Iterator[Element]:
        if "face" in kinds:
            yield from (_element("face", face.box, face.confidence, picture) for face in self._faces.find(picture))
        # A key object is none that is only letters, so it takes the lines to tell.
        lines = self._lines.read(picture) if {"object", *_WRITTEN} & set(kinds) else []
        yield from _written(lines, picture, kinds)
        if "object" in kinds and (salient := self._salience.find(picture)) and not _mostly(salient.box, lines):
            yield _element("object", salient.box, salient.confidence, picture)


def decoded(data: bytes) -> Image.Image:
    """Upright, RGB, of its first frame, with no transparency. Raises UnreadablePicture."""
    try:
        with Image.open(io.BytesIO(data)) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise UnreadablePicture(f"{picture.width} x {picture.height} pixels are too many")
            picture.draft("RGB", (_LONGEST_SIDE, _LONGEST_SIDE))
            upright = ImageOps.exif_transpose(picture)
            return _opaque(_sized(upright))
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise UnreadablePicture(str(error)) from error


def _sized(picture: Image.Image) -> Image.Image:
    factor = min(1.0, _LONGEST_SIDE / max(picture.size))
    width, height = (max(_SHORTEST_SIDE, round(side * factor)) for side in picture.size)
    return picture if (width, height) == picture.size else picture.resize((width, height))


def _opaque(picture: Image.Image) -> Image.Image:
    if picture.mode.startswith("I"):  # 16 bits of grey, which Pillow would clip instead of scale
        picture = picture.point(lambda value: value / 256).convert("L")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    ground = Image.new("RGBA", picture.size, "white")
    return Image.alpha_composite(ground, picture.convert("RGBA")).convert("RGB")


def _written(lines: list[Line], picture: Image.Image, kinds: Collection[str]) -> Iterable[Element]:
    """Title (an element a row), rating marks, other text; a kind that is not asked for is text like any other."""
    title = title_of(lines, picture.height) if "title" in kinds else []
    for line in in_rows(title):
        yield _element("title", line.box, line.confidence, picture, line.text)
    for line in lines:
        if line not in title:
            is_mark = "rating_mark" in kinds and is_rating_mark(line.text)
            yield _element("rating_mark" if is_mark else "text", line.box, line.confidence, picture, line.text)


def _mostly(box: Box, lines: list[Line]) -> bool:
    return sum(shared(box, line.box) for line in lines) > 0.5 * area(box)


def _element(kind: str, box: Box, confidence: float, picture: Image.Image, text: str = "") -> Element:
    x0, y0, x1, y1 = within(box, *picture.size)
    scaled = (x0 / picture.width, y0 / picture.height, x1 / picture.width, y1 / picture.height)
    return Element(kind, scaled, min(1.0, max(0.0, confidence)), text)
