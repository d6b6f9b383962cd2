import struct

import pytest
from google.genai import types

from local.gemini.images import image_tokens, pictures
from local.gemini.wire import Media
from tests.gemini_server.conftest import MODEL

PNG = b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", 640, 960) + bytes(9)
JPEG = b"\xff\xd8\xff\xe0" + struct.pack(">H", 16) + bytes(14) + b"\xff\xc0" + struct.pack(">HBHH", 11, 8, 480, 320)
GIF = b"GIF89a" + struct.pack("<HH", 30, 20)
WEBP = b"RIFF\x00\x00\x00\x00WEBPVP8X" + bytes(8) + (99).to_bytes(3, "little") + (49).to_bytes(3, "little")


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (PNG, ("png", 640, 960)),
        (JPEG, ("jpeg", 320, 480)),
        (GIF, ("gif", 30, 20)),
        (WEBP, ("webp", 100, 50)),
        (PNG[:12], ("png", 0, 0)),
        (b"no image", ("unknown", 0, 0)),
    ],
)
def test_format_and_size_are_read_from_the_first_bytes(data, expected):
    (picture,) = pictures([Media("image/png", data)])

    assert (picture.format, picture.width, picture.height) == expected


@pytest.mark.parametrize(
    ("model", "resolution", "data", "tokens"),
    [
        ("gemini-3.5-flash-lite", "", PNG, 1120),
        ("gemini-3.5-flash-lite", "LOW", PNG, 280),
        ("gemini-3.8-flash", "MEDIUM", PNG, 560),
        ("gemini-2.5-flash", "", JPEG, 2 * 2 * 258),
        ("gemini-2.5-flash", "", GIF, 258),
        ("gemini-2.5-flash", "", PNG, 2 * 3 * 258),
        ("gemini-2.5-flash", "LOW", PNG, 258),
    ],
)
def test_an_image_costs_what_its_model_asks_for_it(model, resolution, data, tokens):
    assert image_tokens(model, [Media("image/png", data, resolution), Media("text/plain", b"free")]) == tokens


def test_the_resolution_of_a_part_goes_before_that_of_the_request(client):
    part = types.Part.from_bytes(data=PNG, mime_type="image/png", media_resolution="MEDIA_RESOLUTION_LOW")
    both = [part, types.Part.from_bytes(data=PNG, mime_type="image/png")]

    answer = client.models.generate_content(
        model=MODEL, contents=both, config={"media_resolution": "MEDIA_RESOLUTION_MEDIUM"}
    )

    assert answer.usage_metadata.prompt_tokens_details[-1].token_count == 280 + 560


def test_an_image_that_nobody_asks_to_look_at_gets_an_honest_description(client):
    part = types.Part.from_bytes(data=PNG, mime_type="image/png")

    answer = client.models.generate_content(model=MODEL, contents=[part])

    assert answer.text == f"PNG image of 640 x 960 pixels, {len(PNG)} bytes. Nothing else was measured."
