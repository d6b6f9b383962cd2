"""From an item and a picture to the row, and what the row is published as."""

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from pydantic import ValidationError

from functions.poster.analysis import analyse
from functions.poster.poster import PosterItem, poster_row, sight_again, sight_of
from functions.poster.prompt import PROMPT_VERSION
from functions.poster.reading import read_image
from functions.poster.row import PosterRow
from functions.poster.slots import SLOTS
from functions.poster.vision import Vision

from .pictures import drawn, encoded

ROOT = Path(__file__).parents[2]
ITEM = PosterItem(content_id="tt-1", title="Night Ferry", url="https://images.example/night.jpg")
SEEN = Vision.model_validate(
    {
        "elements": [
            {"type": "face", "box_2d": [100, 100, 300, 400], "text": "a sailor"},
            {"type": "text", "box_2d": [800, 200, 900, 900], "text": "NIGHT FERRY", "language": "en"},
        ]
    }
)
ANSWER = SimpleNamespace(
    value=SEEN, model="gemini-test", tokens_in=1500, tokens_out=90, cost_usd=0.0007, latency_ms=800
)


def row_of(item=ITEM, sight=None, body=None):
    picture, sight = read_image(body or encoded(drawn(800, 1200))), sight or sight_of(ANSWER)
    return poster_row(item, picture, sight, analyse(picture, sight.elements, item.title, SLOTS), attempts=1)


def test_a_row_says_what_is_where_and_what_it_cost():
    row = row_of()

    assert (row.image.width, row.image.height, row.image.format) == (800, 1200, "jpeg")
    assert [(one.type, one.source) for one in row.elements] == [("face", "model"), ("title", "title_match")]
    assert (row.title.text, row.title.match) == ("NIGHT FERRY", 1)
    assert [zone.slot for zone in row.zones] == [slot.name for slot in SLOTS.all]
    assert set(row.recommended) == {slot.role for slot in SLOTS.all} >= {"badge", "rating", "title"}
    assert not next(zone for zone in row.zones if zone.slot == "title_bottom").safe
    assert set(row.crops) == {"2:3", "3:4", "1:1", "16:9"}
    assert (row.model, row.prompt_version, row.slots_version) == ("gemini-test", PROMPT_VERSION, SLOTS.version)
    assert (row.tokens_in, row.cost_usd, row.latency_ms) == (1500, 0.0007, 800)


def test_the_same_image_has_the_same_row():
    assert row_of() == row_of()


def test_a_row_survives_its_way_through_json():
    row = row_of()

    assert PosterRow.model_validate(json.loads(row.model_dump_json())) == row


def test_an_earlier_answer_serves_another_content_for_nothing():
    """Its title was found by the other's name: here it is a text like any other."""
    earlier = row_of().model_dump(mode="json")

    row = row_of(PosterItem(content_id="tt-2", title="Quite another", url=ITEM.url), sight_again(earlier))

    assert [(one.type, one.source) for one in row.elements] == [("face", "model"), ("text", "model")]
    assert row.title is None
    assert (row.content_id, row.model) == ("tt-2", "gemini-test")
    assert (row.tokens_in, row.tokens_out, row.cost_usd, row.latency_ms) == (0, 0, 0, 0)


def test_a_poster_on_which_nothing_was_seen_is_all_free():
    row = row_of(sight=sight_of(SimpleNamespace(**{**vars(ANSWER), "value": Vision(elements=[])})))

    assert (row.title, row.elements) == (None, [])
    assert all(zone.occlusion == {} for zone in row.zones)
    assert all(crop.kept == 1 for crop in row.crops.values())


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"content_id": ""}, "content_id"),
        ({"content_id": "x" * 201}, "content_id"),
        ({"title": "x" * 501}, "title"),
        ({"url": "ftp://images.example/a.jpg"}, "url"),
        ({"url": "images.example/a.jpg"}, "url"),
        ({"max_bytes": 30_000_000}, "max_bytes"),
        ({"download_timeout": 0}, "download_timeout"),
        ({"download_timeout": 61}, "download_timeout"),
        ({"poster_url": "https://images.example/a.jpg"}, "poster_url"),
    ],
)
def test_an_input_that_cannot_be_meant_is_refused_by_its_field(given, field):
    with pytest.raises(ValidationError) as refused:
        PosterItem.model_validate({**ITEM.model_dump(), **given})

    assert refused.value.errors()[0]["loc"] == (field,)


def test_the_published_schema_is_that_of_the_row():
    command = [sys.executable, "-m", "functions.poster.row"]

    written = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert (ROOT / "docs" / "poster-row.schema.json").read_text() == written


def test_the_table_has_the_rows_columns(db):
    columns = db.execute(
        "select column_name from information_schema.columns where table_name = 'poster_analyses' order by 1"
    ).fetchall()

    assert {row["column_name"] for row in columns} == {*PosterRow.model_fields, "item_id", "created_at"}
