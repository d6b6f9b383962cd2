"""A poster from a seed, and the truth about it: where its faces, its title and its other words are.

The same seed gives the same pixels. One poster in twelve has no text, and one in twelve its title across a face; else
faces and title keep apart. Nothing leaves the picture. A third are graded: dark, pale, tinted or grey.
"""

import io
import random
from dataclasses import dataclass

from PIL import Image, ImageEnhance

from bench.posters.backdrop import BACKDROPS, PALETTES, Colour
from bench.posters.face import Box, box_of, drawn_lots, paste
from bench.posters.lettering import Cut, any_cut, set_line, width_of

SIZES = ((800, 1200), (1000, 1500), (680, 1000), (1280, 720), (1000, 1333))
FIRST = ("THE", "LAST", "SILENT", "BLUE", "MIDNIGHT", "GOLDEN", "LOST", "SECOND", "WILD", "PAPER", "Winter", "Broken")
SECOND = ("HARBOUR", "SIGNAL", "GARDEN", "RIVER", "WITNESS", "ORCHARD", "FREQUENCY", "LANTERN", "Tide", "Kingdom")
THIRD = ("OF ASH", "RISING", "AT DAWN", "RETURNS", "IN EXILE", "1987", "OF GLASS", "UNBOUND")
NAMES = ("Ada Holm", "Jonas Wirth", "Mira Castel", "Tomas Irby", "Noor Sahin", "Elle Marchetti", "Ravi Menon")
TAGLINES = (
    "some doors should stay closed",
    "every map ends somewhere",
    "nobody leaves by train",
    "a story of two rivers",
)
MARKS = ("PG-13", "16+", "12A", "TV-14", "18+")
_TRIES = 60
_LOWEST_TITLE = 0.88  # below it stand rating mark and credits


@dataclass(frozen=True)
class Poster:
    """Boxes are in pixels. `title` has the box of the ink of each of its lines; none on a textless poster."""

    picture: Image.Image
    faces: tuple[Box, ...]
    title: tuple[Box, ...]
    title_text: str
    words: tuple[tuple[str, Box], ...]
    quality: int  # of its JPEG

    def fraction(self, box: Box) -> Box:
        """A box in pixels as fractions of width and height."""
        width, height = self.picture.size
        return box[0] / width, box[1] / height, box[2] / width, box[3] / height

    def jpeg(self) -> bytes:
        out = io.BytesIO()
        self.picture.save(out, "JPEG", quality=self.quality)
        return out.getvalue()


def poster(seed: int) -> Poster:
    chance = random.Random(seed)
    size = chance.choice(SIZES)
    palette = chance.choice(PALETTES)
    picture = chance.choice(BACKDROPS)(chance, size, palette)
    layout = _Layout(chance, picture, _readable(palette[0]))
    if chance.random() < 11 / 12:
        layout.reserve_title()
        if chance.random() < 1 / 11:
            layout.somebody_behind_the_title()
    layout.people(chance.choice((0, 1, 1, 1, 2, 2, 3, 4)))
    layout.picture = _graded(chance, picture)
    layout.write()
    return Poster(
        layout.picture,
        tuple(layout.faces),
        tuple(layout.title),
        " ".join(layout.title_lines),
        tuple(layout.words),
        chance.randrange(60, 95),
    )


def _graded(chance: random.Random, picture: Image.Image) -> Image.Image:
    """The picture in another light, or as it was."""
    match chance.randrange(12):
        case 0:
            return ImageEnhance.Brightness(picture).enhance(chance.uniform(0.45, 0.75))
        case 1:
            return ImageEnhance.Contrast(picture).enhance(chance.uniform(0.5, 0.8))
        case 2:
            tint = Image.new("RGB", picture.size, chance.choice(PALETTES)[1])
            return Image.blend(picture, tint, chance.uniform(0.2, 0.4))
        case 3:
            return picture.convert("L").convert("RGB")
    return picture


def _readable(ground: Colour) -> Colour:
    light = 0.299 * ground[0] + 0.587 * ground[1] + 0.114 * ground[2]
    return (250, 248, 240) if light < 128 else (24, 22, 30)


class _Layout:
    """Decides where the title goes, puts people where it is not, then writes."""

    def __init__(self, chance: random.Random, picture: Image.Image, ink: Colour) -> None:
        self.chance, self.picture, self.ink = chance, picture, ink
        self.width, self.height = picture.size
        self.faces: list[Box] = []
        self.words: list[tuple[str, Box]] = []
        self.title: list[Box] = []
        self.title_lines: list[str] = []
        self._set: list[tuple[str, float, float, float]] = []
        self._cut = Cut(colour=ink)

    def reserve_title(self) -> None:
        chance = self.chance
        bright = chance.random() < 0.3
        colour = chance.choice(((232, 60, 50), (250, 206, 60), (90, 200, 220))) if bright else self.ink
        outline = (255 - self.ink[0], 255 - self.ink[1], 255 - self.ink[2]) if bright or chance.random() < 0.2 else None
        self._cut = any_cut(chance, colour, outline)
        lines = [chance.choice(FIRST), chance.choice(SECOND), chance.choice(THIRD)][: chance.choice((2, 2, 3))]
        self.title_lines = [" ".join(lines)] if chance.random() < 0.3 else lines
        height = chance.uniform(0.045, 0.09) * self.height
        widest = max(width_of(line, self._cut, height) for line in self.title_lines)
        height *= min(1.0, 0.88 * self.width / widest)
        self._stack(height, chance.choice((0.05, 0.42, 0.68)) * self.height)

    def _stack(self, height: float, top: float) -> None:
        left, gap = self.chance.random() < 0.25, height * self.chance.uniform(0.25, 0.5)
        top = min(top, _LOWEST_TITLE * self.height - len(self.title_lines) * (height + gap))
        for line in self.title_lines:
            width = width_of(line, self._cut, height)
            x = 0.06 * self.width if left else (self.width - width) / 2
            self._set.append((line, x, top, height))
            top += height + gap

    @property
    def _kept_clear(self) -> list[Box]:
        titles = [(x, y, x + width_of(t, self._cut, h), y + h) for t, x, y, h in self._set]
        return [*titles, *self.faces]

    def somebody_behind_the_title(self) -> None:
        """A large face that the title runs across, below the eyes."""
        _, _, top, height = self._set[0]
        face, tall = drawn_lots(self.chance), min(0.4 * self.height, height * 6)
        centre = (self.width / 2, max(tall * 0.75, top + height / 2 - 0.15 * tall))
        paste(self.picture, face, centre, tall)
        self.faces.append(box_of(face, centre, tall))

    def people(self, count: int) -> None:
        for _ in range(count):
            face = drawn_lots(self.chance)
            for _ in range(_TRIES):
                height = self.chance.uniform(0.08, 0.32 if count < 3 else 0.2) * self.height
                centre = (self.chance.uniform(0.1, 0.9) * self.width, self.chance.uniform(0.1, 0.72) * self.height)
                box = box_of(face, centre, height)
                if self._is_free(box, 0.35 * height):
                    paste(self.picture, face, centre, height)
                    self.faces.append(box)
                    break

    def _is_free(self, box: Box, margin: float) -> bool:
        x0, y0, x1, y1 = box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin * 0.6
        inside = box[0] > 0 and box[1] > 0 and box[2] < self.width and box[3] < self.height * 0.9
        # Whoever is drawn later must not hide who is there already with hair or shoulders.
        hidden = [(face[0] - margin * 2, face[1] - margin * 3, face[2] + margin * 2, face[3]) for face in self.faces]
        blocked = [*self._kept_clear, *hidden]
        return inside and not any(x0 < c and a < x1 and y0 < d and b < y1 for a, b, c, d in blocked)

    def write(self) -> None:
        self.title = [set_line(self.picture, text, self._cut, (x, y, height)) for text, x, y, height in self._set]
        small = Cut(colour=self.ink, spacing=0.05)
        if self.chance.random() < 0.7:
            for number in range(2):
                names = "   ".join(self.chance.sample(NAMES, 3)).upper()
                self._small(names, small, 0.945 + 0.025 * number, 0.011)
        if self.chance.random() < 0.5:
            self._small(self.chance.choice(TAGLINES), small, 0.015, 0.016)
        if self.chance.random() < 0.4:
            height = 0.02 * self.height
            mark = self.chance.choice(MARKS)
            box = set_line(
                self.picture, mark, Cut(colour=self.ink, weight=0.02), (0.88 * self.width, 0.9 * self.height, height)
            )
            self.words.append((mark, box))

    def _small(self, text: str, cut: Cut, top: float, share: float) -> None:
        height = max(10.0, share * self.height)
        x = (self.width - width_of(text, cut, height)) / 2
        self.words.append((text, set_line(self.picture, text, cut, (x, top * self.height, height))))
