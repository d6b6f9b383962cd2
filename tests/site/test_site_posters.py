"""The sample posters: what is drawn, served, listed and expected agree with each other."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from local.site.samples import POSTERS_HOST, address_of, pictures_in, read_expected, read_posters, read_web
from samples.posters import draw

SAMPLES = Path(__file__).parents[2] / "samples"
POSTERS = read_posters(SAMPLES / "posters.jsonl")
EXPECTED = read_expected(SAMPLES / "expected_posters.yaml")
MOST_BYTES = 10_000_000


def test_the_list_and_its_expectations_name_the_same_posters_in_the_same_order():
    assert list(EXPECTED) == [poster.heading for poster in POSTERS]


def test_every_poster_is_served_unless_its_address_is_closed():
    web = read_web(SAMPLES)

    unserved = [poster.heading for poster in POSTERS if address_of(poster.url) not in web]

    assert unserved == [name for name, entry in EXPECTED.items() if entry.get("reason") == "blocked_address"]


def test_every_picture_is_in_the_list():
    listed = {address_of(poster.url) for poster in POSTERS}

    assert {(POSTERS_HOST, f"/{picture.name}") for picture in pictures_in(SAMPLES / "posters")} <= listed


def test_the_same_image_stands_under_two_ids(web):
    by_id = {poster.heading: poster.url for poster in POSTERS}
    twins = {name: entry["same_image_as"] for name, entry in EXPECTED.items() if "same_image_as" in entry}

    assert twins
    for one, other in twins.items():
        assert by_id[one] != by_id[other]
        assert web.get(by_id[one]).content == web.get(by_id[other]).content


def test_what_is_not_done_says_why():
    assert [name for name, entry in EXPECTED.items() if (entry["state"] == "done") == ("reason" in entry)] == []


def test_an_inactive_poster_says_so_in_both_files():
    lines = [json.loads(line) for line in (SAMPLES / "posters.jsonl").read_text().splitlines()]

    inactive = [line["content_id"] for line in lines if not line["active"]]

    assert inactive == [name for name, entry in EXPECTED.items() if not entry.get("active", True)] == ["withdrawn"]


@pytest.mark.parametrize(
    ("name", "status", "content_type"),
    [
        ("harbour.jpg", 200, "image/jpeg"),
        ("deep.png", 200, "image/png"),
        ("animated.webp", 200, "image/webp"),
        ("page.jpg", 200, "text/html; charset=utf-8"),
        ("posing.jpg", 200, "image/jpeg"),
        ("gone.jpg", 404, "text/html; charset=utf-8"),
    ],
)
def test_a_poster_is_called_what_its_server_thinks_it_is(web, name, status, content_type):
    answer = web.get(f"http://posters.test/{name}")

    assert (answer.status_code, answer.headers["content-type"]) == (status, content_type)


def test_a_posing_page_is_html(web):
    assert web.get("http://posters.test/posing.jpg").content.startswith(b"<!DOCTYPE html>")


def test_the_heavy_poster_is_a_sound_picture_over_the_limit_and_of_no_declared_length(web):
    answer = web.get("http://posters.test/heavy.jpg")

    assert "content-length" not in answer.headers
    assert len(answer.content) > MOST_BYTES
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert picture.size == draw.SIZE


def test_the_bomb_is_small_and_says_that_it_is_huge():
    data = (SAMPLES / "posters" / "bomb.png").read_bytes()

    assert len(data) < 10_000
    with pytest.raises(Image.DecompressionBombError):
        Image.open(io.BytesIO(data))


def test_the_files_are_what_the_script_draws():
    for name in ("harbour.jpg", "over-face.jpg", "low-res.jpg"):
        drawn = Image.open(io.BytesIO(draw.drawings()[name]()))
        kept = Image.open(SAMPLES / "posters" / name)

        # Other builds of libjpeg round differently, by a level or two.
        assert np.abs(np.asarray(drawn, np.int16) - np.asarray(kept, np.int16)).mean() < 1


def test_the_script_draws_every_file():
    assert set(draw.drawings()) == {picture.name for picture in pictures_in(SAMPLES / "posters")}


def test_all_of_them_take_little_room():
    assert sum(picture.stat().st_size for picture in pictures_in(SAMPLES / "posters")) < 3_000_000
