"""Whatever the bytes are: a picture, or an outcome that says in plain words what is wrong with them."""

import hashlib
import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from functions.poster.formats import kind_of
from functions.poster.reading import DECODED_SIDE, MAX_SCANS, MODEL_SIDE, read_image
from shared.errors import Rejected, Skipped

from .pictures import drawn, encoded, noise, png_bomb, png_chunk, png_header, png_with, turned

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::PIL.Image.DecompressionBombWarning")

FORMATS = ["PNG", "JPEG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"]


def difference(one, other):
    """Mean difference of grey levels."""
    levels = [np.asarray(image.convert("L"), dtype=float) for image in (one, other)]
    return float(np.abs(levels[0] - levels[1]).mean())


# What can be read


@pytest.mark.parametrize("kind", FORMATS)
def test_every_format_is_known_by_its_bytes(kind):
    body = encoded(drawn(), kind)

    picture = read_image(body)

    assert (picture.format, picture.width, picture.height) == (kind.lower(), 240, 360)
    assert picture.size_bytes == len(body)
    assert picture.sha256 == hashlib.sha256(body).hexdigest()
    assert picture.pixels.mode == "RGB"
    assert difference(picture.pixels, drawn()) < 4


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_stands_upright_as_its_exif_says(orientation):
    body = turned(orientation)
    upright = ImageOps.exif_transpose(Image.open(io.BytesIO(body)))

    picture = read_image(body)

    assert (picture.width, picture.height) == upright.size == picture.pixels.size
    assert ("turned" in picture.flags) == (orientation > 1)
    assert difference(picture.pixels, upright) == 0


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
def test_every_format_with_exif_says_that_it_was_turned(kind):
    exif = Image.Exif()
    exif[0x0112] = 6

    picture = read_image(encoded(drawn(), kind, exif=exif))

    assert picture.flags == ("turned",)
    assert (picture.width, picture.height) == picture.pixels.size == (360, 240)
    assert difference(picture.pixels, drawn().transpose(Image.Transpose.ROTATE_270)) < 4


def test_exif_that_is_garbage_turns_nothing():
    body = encoded(drawn(), exif=b"Exif\0\0II*\0\xff\xff\xff\xff" + b"\xee" * 40)

    assert read_image(body).flags == ()


@pytest.mark.parametrize("kind", ["JPEG", "TIFF"])
def test_cmyk_is_shown_in_rgb(kind):
    picture = read_image(encoded(drawn().convert("CMYK"), kind))

    assert (picture.mode, picture.flags, picture.pixels.mode) == ("CMYK", ("cmyk",), "RGB")
    assert difference(picture.pixels, drawn()) < 4


@pytest.mark.parametrize(("kind", "steps"), [("PNG", np.uint16), ("TIFF", np.uint16), ("TIFF", np.int32)])
def test_sixteen_bits_keep_their_grey_levels(kind, steps):
    grey = np.asarray(drawn().convert("L"))

    picture = read_image(encoded(Image.fromarray(grey.astype(steps) * steps(257)), kind))

    assert picture.flags == ("deep",)
    assert difference(picture.pixels, drawn()) < 1


def test_floats_are_shown_and_what_is_no_number_is_black():
    grey = np.asarray(drawn().convert("L")).astype(np.float32) / 255
    grey[0, 0] = np.nan

    picture = read_image(encoded(Image.fromarray(grey), "TIFF"))

    assert picture.pixels.getpixel((0, 0)) == (0, 0, 0)
    assert difference(picture.pixels, drawn()) < 1


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "AVIF"])
def test_what_is_transparent_is_shown_on_white(kind):
    image = drawn().convert("RGBA")
    image.paste((0, 0, 0, 0), (0, 0, 240, 100))

    picture = read_image(encoded(image, kind))

    assert picture.flags == ("transparent",)
    assert min(picture.pixels.getpixel((120, 50))) > 250


def test_a_palette_with_a_transparent_colour_is_shown_on_white():
    image = Image.new("P", (240, 360), 0)
    image.putpalette([10, 20, 30, 200, 100, 50])
    image.paste(1, (0, 180, 240, 360))

    picture = read_image(encoded(image, "GIF", transparency=0))

    assert (picture.mode, picture.flags) == ("P", ("transparent",))
    assert picture.pixels.getpixel((5, 5)) == (255, 255, 255)
    assert picture.pixels.getpixel((5, 300)) == (200, 100, 50)


def test_an_alpha_channel_that_hides_nothing_is_not_mentioned():
    assert read_image(encoded(drawn().convert("RGBA"), "PNG")).flags == ()


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF", "AVIF"])
def test_of_an_animation_the_first_frame_counts(kind):
    later = [noise(seed=seed) for seed in (1, 2, 3)]

    picture = read_image(encoded(drawn(), kind, save_all=True, append_images=later))

    assert "animated" in picture.flags
    assert difference(picture.pixels, drawn()) < 5


def test_a_photo_with_a_second_view_behind_it_is_no_animation():
    picture = read_image(encoded(drawn(), "MPO", save_all=True, append_images=[noise(60, 90)]))

    assert (picture.format, picture.flags, picture.pixels.size) == ("jpeg", (), (240, 360))


def test_a_large_jpeg_is_decoded_at_a_fraction_of_its_size():
    picture = read_image(encoded(drawn(3000, 4500)))

    assert (picture.width, picture.height) == (3000, 4500)
    assert max(picture.pixels.size) <= DECODED_SIDE


def test_the_model_is_sent_a_small_jpeg_without_metadata():
    body = encoded(drawn(2000, 3000), exif=b"Exif\0\0secret", comment=b"secret", icc_profile=b"secret" * 100)

    sent = read_image(body).for_model

    shown = Image.open(io.BytesIO(sent))
    assert (shown.format, max(shown.size)) == ("JPEG", MODEL_SIDE)
    assert b"secret" not in sent


# What cannot


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"", "An empty file is no PNG, JPEG, WebP, GIF, BMP, TIFF or AVIF."),
        (b"\n <!DOCTYPE html><html><body>Not found</body></html>", "An HTML page is no PNG"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "A text file is no PNG"),
        (b"%PDF-1.7 \x00\x01", "What begins with b'%PDF-1.7' is no PNG"),
    ],
)
def test_what_is_no_image_is_skipped(body, said):
    with pytest.raises(Skipped) as skipped:
        read_image(body)

    assert skipped.value.reason == "not_an_image"
    assert skipped.value.detail.startswith(said)


@pytest.mark.parametrize("size", [(1, 1), (63, 400), (400, 63)])
def test_a_tracking_pixel_is_too_small(size):
    with pytest.raises(Skipped, match=rf"too_small: The image has {size[0]} x {size[1]} pixels"):
        read_image(encoded(Image.new("RGB", size), "PNG"))


@pytest.mark.parametrize("size", [(64, 513), (2000, 100)])
def test_a_banner_is_no_poster(size):
    with pytest.raises(Skipped, match="odd_shape"):
        read_image(encoded(Image.new("RGB", size), "PNG"))


def test_a_bomb_is_refused_before_it_is_decoded():
    body = png_bomb(5_000, 5_001)
    assert len(body) < 200_000
    tracemalloc.start()

    with pytest.raises(Rejected) as refused:
        read_image(body)

    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused.value.reason == "too_many_pixels"
    assert refused.value.detail.startswith("The image has 5000 x 5001 pixels; at most 25 million")
    assert peak < 2_000_000


@pytest.mark.parametrize(
    "header",
    [
        png_header(2**31 - 1, 2**31 - 1) + png_chunk(b"IDAT", b"x" * 64),
        png_header(16_400, 1_500) + png_chunk(b"IDAT", b"x" * 64),
        b"RIFF\xff\xff\0\0WEBPVP8X\x0a\0\0\0\x10\0\0\0\xff\xff\xff\xff\xff\xff" + b"\0" * 100,
        b"GIF89a\xff\xff\xff\xff\0\0\0,\0\0\0\0\xff\xff\xff\xff\0\x02\x02\x44\x01\0;",
        b"BM" + struct.pack("<IHHIIiiHHIIiiII", 1000, 0, 0, 54, 40, 60_000, 60_000, 1, 24, 0, 0, 0, 0, 0, 0),
    ],
)  # fmt: skip
def test_a_header_that_promises_too_much_is_refused(header):
    with pytest.raises(Rejected, match="too_many_pixels"):
        read_image(header)


def test_a_jpeg_with_hundreds_of_scans_is_refused():
    body = encoded(drawn(), progressive=True)
    scan = body[body.index(b"\xff\xda") : -2]

    with pytest.raises(Rejected, match=f"too_many_scans: .* at most {MAX_SCANS} are decoded"):
        read_image(body[:-2] + scan * 60 + b"\xff\xd9")


@pytest.mark.parametrize("data", [b"\xff\xda" * 200, b"\xff\xd9" + b"\xff\xda" * 200])
def test_what_looks_like_a_scan_in_metadata_or_behind_the_end_is_none(data):
    body = encoded(drawn(), comment=data) + data

    assert difference(read_image(body).pixels, drawn()) < 4


@pytest.mark.parametrize("marker", [b"\xff\xe0\xff\xff", b"\xff\xd9\xff\xd9"])
def test_scans_do_not_hide_behind_a_marker_within_a_table(marker):
    body = encoded(drawn(), progressive=True)
    scan = body[body.index(b"\xff\xda") : -2]
    table = b"\xff\xdb\0\x43\3" + b"\1" * 60 + marker

    with pytest.raises(Rejected, match="too_many_scans"):
        read_image(body[:2] + table + body[2:-2] + scan * 60 + b"\xff\xd9")


@pytest.mark.parametrize(
    ("chunk", "data"),
    [
        (b"zTXt", b"Comment\0\0" + zlib.compress(b"\0" * 50_000_000, 9)),
        (b"iCCP", b"profile\0\0" + zlib.compress(b"\0" * 50_000_000, 9)),
    ],
)
def test_metadata_that_unpacks_without_end_is_refused(chunk, data):
    with pytest.raises(Rejected, match="metadata_too_large"):
        read_image(png_with(chunk, data))


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("part", [0.3, 0.6, 0.95])
def test_a_file_that_ends_too_early_is_truncated(kind, part):
    body = encoded(drawn(), kind)

    with pytest.raises(Rejected) as refused:
        read_image(body[: int(len(body) * part)])

    assert refused.value.reason == "truncated"
    assert f"The {kind} image ends before it is complete" in refused.value.detail


def test_damage_in_the_middle_is_no_truncation():
    body = bytearray(encoded(drawn(), "PNG"))
    middle = len(body) // 2
    body[middle : middle + 40] = b"\x55" * 40

    with pytest.raises(Rejected, match="broken_image: The PNG image cannot be decoded"):
        read_image(bytes(body))


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=st.binary(max_size=400), kind=st.sampled_from(FORMATS))
def test_random_bytes_behind_a_signature_never_crash(body, kind):
    head = encoded(drawn(), kind)[:24]

    read_or_refused(head + body)


CLEAN = {kind: encoded(drawn(96, 128), kind) for kind in FORMATS}


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(kind=st.sampled_from(FORMATS), data=st.data())
def test_a_damaged_image_is_a_picture_or_an_outcome(kind, data):
    body = bytearray(CLEAN[kind])
    # Headers break in more ways than pixels.
    places = st.integers(0, 200) | st.integers(0, len(body) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1, max_size=12)):
        body[min(place, len(body) - 1)] = value

    read_or_refused(bytes(body))


def read_or_refused(body):
    try:
        picture = read_image(body)
    except (Skipped, Rejected) as outcome:
        said = outcome.detail
    else:
        said = "."
        assert kind_of(body) == picture.format.upper()
        assert picture.for_model.startswith(b"\xff\xd8\xff")
    assert said.endswith(".")
