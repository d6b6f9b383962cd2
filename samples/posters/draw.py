"""Draws the sample posters: `python -m samples.posters.draw` writes them beside this file, the same bytes each time.

Good ones with faces and titles, then hard ones: each shows one thing that a reader of posters meets some day.
What should become of each is written in ../expected_posters.yaml.
"""

import io
import random
import struct
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageOps

from bench.posters import backdrop
from bench.posters.face import CLOTHES, EYES, HAIRS, SKINS, Face, drawn_lots, paste
from bench.posters.lettering import Cut, set_line, width_of

FOLDER = Path(__file__).parent
SIZE = (600, 900)
WHITE, INK, RED, GOLD = (250, 248, 240), (24, 22, 30), (206, 44, 40), (250, 206, 60)
Drawings = dict[str, Callable[[], bytes]]


def main() -> None:
    for name, draw in drawings().items():
        (FOLDER / name).write_bytes(data := draw())
        print(f"{name}: {len(data):,} bytes")


def drawings() -> Drawings:
    """Of every file of this folder that is a poster, or says it is one: what makes its bytes."""
    return {**_good(), **_hard(), **_odd_files()}


def _good() -> Drawings:
    return {
        "harbour.jpg": lambda: jpeg(harbour()),
        "duet.jpg": lambda: jpeg(duet()),
        "paper.jpg": lambda: jpeg(paper_lantern()),
        "night.jpg": lambda: jpeg(night_signal()),
        "orchard.jpg": lambda: jpeg(orchard()),
        "wide.jpg": lambda: jpeg(wide()),
        "german.jpg": lambda: jpeg(german()),
        "no-face.jpg": lambda: jpeg(no_face()),
    }


def _hard() -> Drawings:
    return {
        "textless.jpg": lambda: jpeg(textless()),
        "over-face.jpg": lambda: jpeg(over_face()),
        "collage.jpg": lambda: jpeg(collage()),
        "letterbox.jpg": lambda: jpeg(letterbox()),
        "busy.jpg": lambda: jpeg(busy()),
        "low-res.jpg": lambda: jpeg(harbour().resize((120, 180), Image.Resampling.LANCZOS)),
    }


def _odd_files() -> Drawings:
    return {
        "cmyk.jpg": lambda: jpeg(duet().convert("CMYK")),
        "deep.png": deep_png,
        "transparent.png": transparent_png,
        "turned.jpg": turned_jpeg,
        "animated.gif": lambda: animated("GIF"),
        "animated.webp": lambda: animated("WEBP"),
        "one-pixel.png": lambda: saved(Image.new("RGB", (1, 1), RED), "PNG"),
        "banner.jpg": lambda: jpeg(backdrop.gradient((1000, 100), INK, RED)),
        "truncated.jpg": lambda: jpeg(night_signal())[:12_000],
        "bomb.png": lambda: bomb_png(50_000, 50_000),
    }


def lots(seed: int) -> random.Random:
    return random.Random(seed)  # noqa: S311 - a drawing, no secret


def person(seed: int, *, turn: float = 0.0, tilt: float = 0.0) -> Face:
    """Somebody, always the same for a seed."""
    chance = lots(seed)
    drawn = drawn_lots(chance)
    return Face(
        skin=SKINS[seed % len(SKINS)], hair=HAIRS[seed * 5 % len(HAIRS)], eyes=EYES[seed % len(EYES)],
        clothes=CLOTHES[seed * 7 % len(CLOTHES)], width=drawn.width, turn=turn, tilt=tilt, light=drawn.light,
        smile=drawn.smile, long_hair=drawn.long_hair, beard=drawn.beard,
    )  # fmt: skip


def centred(picture: Image.Image, lines: Sequence[str], cut: Cut, top: float, height: float) -> None:
    """Lines below each other, `top` and `height` (of one line) in shares of the picture's height."""
    pixels, y = height * picture.height, top * picture.height
    for line in lines:
        fitting = min(pixels, pixels * 0.9 * picture.width / width_of(line, cut, pixels))
        set_line(picture, line, cut, ((picture.width - width_of(line, cut, fitting)) / 2, y, fitting))
        y += fitting * 1.3


def credits_of(picture: Image.Image, colour: tuple[int, int, int]) -> None:
    cut = Cut(colour=colour, spacing=0.05)
    centred(
        picture,
        ["ADA HOLM   JONAS WIRTH   MIRA CASTEL", "A FILM BY NOOR SAHIN   MUSIC ELLE MARCHETTI"],
        cut,
        0.945,
        0.013,
    )


def harbour() -> Image.Image:
    picture = backdrop.hills(lots(4), SIZE, backdrop.PALETTES[1])
    paste(picture, person(1, turn=0.1, tilt=-4), (300, 330), 250)
    centred(picture, ["THE LAST", "HARBOUR"], Cut(stretch=0.85, weight=0.03, colour=WHITE, shadow=True), 0.68, 0.075)
    credits_of(picture, WHITE)
    return picture


def duet() -> Image.Image:
    picture = backdrop.gradient(SIZE, (70, 14, 20), (160, 40, 34))
    paste(picture, person(2, turn=0.2), (185, 330), 190)
    paste(picture, person(4, turn=-0.2), (420, 360), 190)
    centred(picture, ["SECOND", "KINGDOM"], Cut(weight=0.02, spacing=0.1, colour=GOLD, shadow=True), 0.07, 0.06)
    credits_of(picture, WHITE)
    return picture


def paper_lantern() -> Image.Image:
    """Dark on a light ground."""
    picture = backdrop.gradient(SIZE, (244, 240, 230), (214, 200, 176))
    paste(picture, person(3, tilt=6), (330, 520), 220)
    centred(picture, ["Paper", "Lantern"], Cut(stretch=1.1, colour=INK), 0.09, 0.085)
    credits_of(picture, INK)
    return picture


def night_signal() -> Image.Image:
    picture = backdrop.lights(lots(9), SIZE, backdrop.PALETTES[5])
    paste(picture, person(5, turn=-0.15), (300, 480), 230)
    centred(picture, ["MIDNIGHT SIGNAL"], Cut(stretch=0.8, weight=0.02, colour=WHITE), 0.09, 0.08)
    centred(picture, ["some doors should stay closed"], Cut(colour=WHITE, spacing=0.04), 0.03, 0.018)
    set_line(picture, "16+", Cut(colour=WHITE, weight=0.02), (530, 850, 20))
    return picture


def orchard() -> Image.Image:
    """Small people below, a title in the middle, all the rest free."""
    picture = backdrop.sky(lots(1), SIZE, backdrop.PALETTES[3])
    paste(picture, person(0, turn=0.2), (220, 690), 110)
    paste(picture, person(7, turn=-0.1), (380, 680), 110)
    centred(picture, ["WILD", "ORCHARD"], Cut(weight=0.035, colour=(90, 40, 50)), 0.38, 0.065)
    return picture


def wide(palette: Sequence[backdrop.Colour] = backdrop.PALETTES[0]) -> Image.Image:
    picture = backdrop.city(lots(3), (1280, 720), palette)
    paste(picture, person(6, turn=-0.1), (950, 300), 260)
    set_line(picture, "BLUE", Cut(weight=0.03, colour=WHITE), (90, 200, 90))
    set_line(picture, "FREQUENCY", Cut(weight=0.03, stretch=0.8, colour=WHITE), (90, 320, 90))
    return picture


def textless() -> Image.Image:
    picture = backdrop.hills(lots(8), SIZE, backdrop.PALETTES[2])
    paste(picture, person(8, tilt=5), (300, 420), 280)
    return picture


def over_face() -> Image.Image:
    """The title is set across the face."""
    picture = backdrop.gradient(SIZE, (18, 52, 60), (40, 110, 110))
    paste(picture, person(9), (300, 400), 420)
    centred(picture, ["WITNESS"], Cut(weight=0.02, stretch=0.9, colour=WHITE, shadow=True), 0.50, 0.085)
    return picture


def collage() -> Image.Image:
    """Nine faces in a grid, the title below."""
    picture = Image.new("RGB", SIZE, (20, 20, 24))
    for number in range(9):
        tile = backdrop.gradient((196, 240), *backdrop.PALETTES[number % 8][:2])
        paste(tile, person(10 + number, turn=(number % 3 - 1) * 0.2), (98, 115), 120)
        picture.paste(tile, (3 + number % 3 * 199, 3 + number // 3 * 243))
    centred(picture, ["NINE LIVES"], Cut(weight=0.03, colour=WHITE), 0.84, 0.07)
    return picture


def letterbox() -> Image.Image:
    """A wide still between black bars, made into a poster by a careless hand."""
    picture = Image.new("RGB", SIZE, (0, 0, 0))
    still = wide(backdrop.PALETTES[7]).resize((600, 338), Image.Resampling.LANCZOS)
    picture.paste(still, (0, 281))
    return picture


def busy() -> Image.Image:
    """A ground as restless as leaves, and nearly as light as the title."""
    picture = backdrop.clouds(lots(2), SIZE, ((230, 230, 190), (30, 60, 34), (0, 0, 0)))
    speckle = np.random.default_rng(2).integers(-60, 60, (SIZE[1], SIZE[0], 1))
    pixels = np.clip(np.asarray(picture, np.int16) + speckle, 0, 255).astype(np.uint8)
    picture = Image.fromarray(pixels, "RGB")
    paste(picture, person(20), (300, 560), 200)
    centred(picture, ["THICKET"], Cut(weight=0.03, colour=WHITE, outline=INK), 0.12, 0.09)
    return picture


def no_face() -> Image.Image:
    picture = backdrop.stripes(lots(6), SIZE, backdrop.PALETTES[6])
    pen = ImageDraw.Draw(picture)
    pen.ellipse((190, 350, 410, 570), fill=(200, 40, 50), outline=WHITE, width=8)
    pen.polygon(
        [
            (300, 380),
            (330, 450),
            (400, 460),
            (345, 505),
            (362, 540),
            (300, 520),
            (238, 540),
            (255, 505),
            (200, 460),
            (270, 450),
        ],
        fill=WHITE,
    )
    centred(picture, ["THE GOLDEN", "CIRCUS"], Cut(weight=0.03, colour=(70, 30, 50)), 0.08, 0.08)
    return picture


def german() -> Image.Image:
    """Another language, on a plain ground, with an age rating."""
    picture = Image.new("RGB", SIZE, (232, 226, 212))
    paste(picture, person(21, turn=0.15), (300, 560), 240)
    centred(picture, ["Die Nacht", "und der Fluss"], Cut(weight=0.02, colour=RED), 0.08, 0.07)
    set_line(picture, "FSK 12", Cut(colour=INK, weight=0.02), (30, 860, 18))
    return picture


def jpeg(picture: Image.Image) -> bytes:
    return saved(picture, "JPEG", quality=85)


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **options)
    return out.getvalue()


def deep_png() -> bytes:
    """Grey of 16 bits: a reader that cuts off above 255 sees white."""
    grey = np.asarray(paper_lantern().convert("L").resize((400, 600)), np.uint16) * 257
    return saved(Image.fromarray(grey), "PNG")


def transparent_png() -> bytes:
    """A person and a title on nothing."""
    picture = Image.new("RGBA", (400, 600), (0, 0, 0, 0))
    solid = Image.new("RGB", (400, 600), WHITE)
    paste(solid, person(22), (200, 330), 170)
    centred(solid, ["CUT OUT"], Cut(weight=0.03, colour=RED), 0.08, 0.08)
    differs = np.abs(np.asarray(solid, np.int16) - np.array(WHITE)).sum(axis=2) > 6
    picture.paste(solid, (0, 0), Image.fromarray((differs * 255).astype(np.uint8), "L"))
    return saved(picture, "PNG", optimize=True)


def turned_jpeg() -> bytes:
    """Lies on its side; EXIF says how to turn it (6: a quarter to the right)."""
    lying = harbour().resize((400, 600), Image.Resampling.LANCZOS).transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    return saved(lying, "JPEG", quality=85, exif=exif)


def animated(kind: str) -> bytes:
    """Four frames; the first one is the poster, in the others the light goes out."""
    first = orchard().resize((300, 450), Image.Resampling.LANCZOS)
    frames = [Image.blend(first, Image.new("RGB", first.size, INK), share / 4) for share in range(4)]
    if kind == "GIF":
        frames = [ImageOps.posterize(frame, 5).quantize(64) for frame in frames]
    return saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=400, loop=0)


def bomb_png(width: int, height: int) -> bytes:
    """A header that promises 2.5 billion pixels, and a handful of bytes that would go on unpacking to them."""
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    rows = zlib.compress(bytes(1 + width * 3) * 40, 9)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", rows) + _chunk(b"IEND", b"")


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


if __name__ == "__main__":
    main()
