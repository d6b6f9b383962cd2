"""The overlay: a picture that tells everybody the same, and runs nothing, whatever stands in the row."""

import itertools
import re
from xml.etree import ElementTree as ET

import pytest

from functions.api.overlay import overlay_svg, security_policy
from tests.posters_reach.rows import analysis, thumbnail, zone

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</title><script>alert(1)</script>\"'><image href=x onerror=alert(1)>\x00\x0b\ud800]]>"


def known(**differs):
    return {"content_id": "t1", "title": "The Tin Exchange", "analysis": analysis("t1", **differs)}


def drawn(row, **more):
    return ET.fromstring(overlay_svg(row, **more))


def test_it_has_the_shape_of_the_image():
    wide = {**analysis("t1")["image"], "width": 1600, "height": 900}

    assert drawn(known()).get("viewBox") == "0 0 600 900"
    assert drawn(known(image=wide)).get("viewBox") == "0 0 600 338"


def test_boxes_stand_where_they_are_on_the_image():
    picture = drawn(known(elements=[], zones=[zone("rating_left")]))

    (box, _) = picture.findall(f"{SVG}g/{SVG}rect")
    assert [float(box.get(name)) for name in ("x", "y", "width", "height")] == [18.0, 279.0, 96.0, 342.0]


def test_safe_and_unsafe_differ_by_more_than_colour():
    zones = [zone("badge_top_left"), zone("title_bottom", safe=False, score=0.2, reasons=["covers_face"])]
    picture = drawn(known(elements=[], zones=zones))

    told = {one.get("class"): one.findtext(f"{SVG}text") for one in picture.findall(f"{SVG}g")}
    assert told == {"zone safe": "✓ badge_top_left 0.90", "zone unsafe": "✕ title_bottom 0.20"}


def test_names_stand_within_the_picture_and_not_on_each_other():
    boxes = ("badge_top_left", "badge_top_right", "progress_bar")
    zones = [zone(slot) for slot in boxes] + [{**zone("padding_top"), "box": [0, 0, 1, 0.08]}]
    grounds = [
        tuple(float(rect.get(name)) for name in ("x", "y", "width", "height"))
        for rect in drawn(known(elements=[], zones=zones)).findall(f"{SVG}g/{SVG}rect[@class='tag']")
    ]

    assert all(x >= 0 and x + width <= 600 and y >= 0 and y + height <= 900 for x, y, width, height in grounds)
    overlapping = [
        (one, other)
        for one, other in itertools.combinations(grounds, 2)
        if one[0] < other[0] + other[2] and other[0] < one[0] + one[2] and abs(one[1] - other[1]) < 16
    ]
    assert overlapping == []


def test_hovering_tells_why_and_so_does_a_screen_reader():
    zones = [zone("title_bottom", safe=False, score=0.2, reasons=["covers_face", "low_contrast"])]
    picture = drawn(known(zones=zones))

    sentence = "title_bottom: not safe, score 0.20, covers a face, too little contrast for text"
    assert sentence in [one.findtext(f"{SVG}title") for one in picture.findall(f"{SVG}g")]
    assert picture.findtext(f"{SVG}desc") == f"{sentence}."
    assert picture.findtext(f"{SVG}title") == "Overlay zones on the poster of The Tin Exchange"
    assert (picture.get("role"), picture.get("aria-labelledby")) == ("img", "title desc")


def test_whatever_is_written_on_a_poster_stays_text():
    row = known(zones=[zone(HOSTILE, reasons=[HOSTILE])])
    row["title"] = row["content_id"] = row["analysis"]["elements"][1]["text"] = HOSTILE

    picture = overlay_svg(row)

    names = {re.sub(r"^{.*}", "", one.tag) for one in ET.fromstring(picture).iter()}
    assert names == {"svg", "title", "desc", "style", "rect", "image", "g", "text"}
    assert not re.search(r"<[^>]+\son\w+=", picture)


@pytest.mark.parametrize(
    "href", ["javascript:alert(1)", "data:text/html,<script>", "data:image/svg+xml;base64,AAAA", ""]
)
def test_an_image_that_is_none_is_left_out(href):
    assert drawn(known(thumbnail=href)).find(f"{SVG}image") is None
    assert drawn(known(url=href), from_url=True).find(f"{SVG}image") is None


def test_the_row_alone_is_enough():
    (picture,) = drawn(known()).findall(f"{SVG}image")

    assert picture.get("href") == thumbnail()
    assert "http" not in overlay_svg(known()).replace("http://www.w3.org/2000/svg", "")


def test_nothing_is_loaded_but_the_image():
    assert security_policy(known()).startswith("default-src 'none'; img-src data:; ")
    assert "img-src http://posters.test;" in security_policy(known(), from_url=True)
    assert "img-src 'none';" in security_policy(known(url="http://a;script-src *"), from_url=True)


def test_it_is_served_as_a_picture(operator, analysed):
    analysed("t1")

    answer = operator.get("/v3/posters/t1/overlay.svg")
    linked = operator.get("/v3/posters/t1/overlay.svg", image="url")

    assert answer.headers["content-type"].startswith("image/svg+xml")
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert ET.fromstring(linked.text).find(f"{SVG}image").get("href") == "http://posters.test/t1.jpg"


@pytest.mark.parametrize(
    ("state", "reason", "said"),
    [
        ("skipped", "not_an_image", "it ended as skipped (not_an_image)"),
        ("dead", "truncated", "it ended as dead (truncated)"),
        ("waiting", None, "it still waits"),
    ],
)
def test_where_there_is_none_it_is_said_why(operator, item_of, state, reason, said):
    item_of("t1", state=state, reason=reason, error="The file ends early." if reason else None)

    answer = operator.get("/v3/posters/t1/overlay.svg")

    assert (answer.status_code, answer.json()["state"]) == (409, state)
    assert said in answer.json()["detail"]
    assert operator.get("/v3/posters/t1").json()["reason"] == reason


def test_a_poster_that_was_only_imported_has_none_yet(operator):
    operator.post({"posters": [{"content_id": "t1", "url": "http://posters.test/1.jpg"}]})

    answer = operator.get("/v3/posters/t1/overlay.svg")

    assert (answer.status_code, answer.json()["state"]) == (409, None)
    assert "never submitted" in answer.json()["detail"]
