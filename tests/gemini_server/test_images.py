import json
import struct

import pytest
from google.genai import types

from local.gemini.images import pictures
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


def test_an_image_gets_no_invented_boxes_and_an_honest_description(client):
    box = {"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": 4, "maxItems": 4}
    face = {"type": "OBJECT", "properties": {"box_2d": box, "label": {"type": "STRING"}}}
    schema = {
        "type": "OBJECT",
        "properties": {"faces": {"type": "ARRAY", "items": face}, "description": {"type": "STRING"}},
        "required": ["faces", "description"],
    }
    contents = [types.Part.from_bytes(data=PNG, mime_type="image/png"), "Find the faces."]

    answer = client.models.generate_content(
        model=MODEL,
        contents=contents,
        config={"response_mime_type": "application/json", "response_schema": schema},
    )

    assert json.loads(answer.text) == {
        "faces": [],
        "description": f"PNG image of 640 x 960 pixels, {len(PNG)} bytes. Nothing else was measured.",
    }
    assert answer.usage_metadata.prompt_token_count > 258
