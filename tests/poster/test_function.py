"""The function as it is deployed: fetch, ask once, compute, keep."""

import base64
import io

import pytest
from PIL import Image

from functions.poster.row import PosterRow

from .pictures import drawn, encoded, png_bomb

FACE = {"type": "face", "box_2d": [0, 0, 400, 400], "text": "a sailor", "confidence": 0.9}
TITLE = {"type": "title", "box_2d": [700, 100, 800, 900], "text": "NIGHT FERRY", "language": "en"}


def rows(database):
    return database.execute("select * from poster_analyses order by created_at").fetchall()


def test_a_poster_becomes_a_row(poster, submit, web, eye, item_of, database):
    eye.elements = [FACE, TITLE]
    item = submit(web.put("night.jpg", encoded(drawn(1000, 1500))), "tt-1", title="Night Ferry")

    answer = poster.deliver(item)

    assert (answer.status_code, answer.text) == (200, "done")
    (row,) = rows(database)
    zones = {zone["slot"]: zone for zone in row["zones"]}
    assert row["content_id"] == "tt-1"
    assert row["title"]["text"] == "NIGHT FERRY"
    assert "covers_face" in zones["badge_top_left"]["reasons"]
    assert "covers_face" not in zones["badge_top_right"]["reasons"]
    assert row["recommended"]["badge"]["slot"] == "badge_top_right"
    assert (row["model"], row["tokens_in"], row["tokens_out"], row["attempts"]) == ("eye-1", 1400, 80, 1)
    assert float(row["cost_usd"]) == float(item_of(item).cost_usd) == pytest.approx(1400 * 0.3e-6 + 80 * 2.5e-6)
    PosterRow.model_validate({key: value for key, value in row.items() if key not in {"item_id", "created_at"}})


def test_the_model_is_shown_the_upright_picture_and_asked_for_boxes(poster, submit, web, eye):
    exif = Image.Exif()
    exif[0x0112] = 6

    poster.deliver(submit(web.put("turned.jpg", encoded(drawn(600, 400), exif=exif))))

    (asked,) = eye.asked
    picture, question = asked["contents"][0]["parts"]
    shown = Image.open(io.BytesIO(base64.urlsafe_b64decode(picture["inlineData"]["data"])))
    seen = asked["generationConfig"]["responseSchema"]["properties"]["elements"]["items"]["properties"]
    assert "image/jpeg" in picture["inlineData"].values()
    assert (shown.format, shown.size) == ("JPEG", (400, 600))
    assert question["text"] == "Mark what is to see on this poster."
    assert (seen["box_2d"]["type"], seen["box_2d"]["items"]["type"]) == ("ARRAY", "INTEGER")
    assert "face" in seen["type"]["enum"]


def test_the_same_image_under_two_ids_is_asked_about_once(poster, submit, web, eye, database):
    eye.elements = [FACE, TITLE]
    body = encoded(drawn(800, 1200))

    for name in ("one.jpg", "two.jpg"):
        assert poster.deliver(submit(web.put(name, body), name)).text == "done"

    first, second = rows(database)
    assert len(eye.asked) == 1
    assert [first["content_id"], second["content_id"]] == ["one.jpg", "two.jpg"]
    assert first["zones"] == second["zones"]
    assert (second["tokens_in"], second["tokens_out"], float(second["cost_usd"])) == (0, 0, 0)


def test_a_second_run_over_unchanged_posters_asks_nothing(poster, submit, web, eye, item_of, database):
    url = web.put("night.jpg", encoded(drawn(800, 1200)))
    first = submit(url, "tt-1")
    poster.deliver(first)

    second = submit(url, "tt-1")

    assert poster.deliver(second).text == "cached"
    assert item_of(second).result_id == first
    assert len(eye.asked) == 1
    assert len(rows(database)) == 1


def test_the_same_poster_with_another_bound_is_read_but_not_asked_about_again(poster, submit, web, eye, database):
    url = web.put("night.jpg", encoded(drawn(800, 1200)))
    poster.deliver(submit(url, "tt-1"))

    assert poster.deliver(submit(url, "tt-1", download_timeout=5)).text == "done"

    assert len(eye.asked) == 1
    assert len(rows(database)) == 2


@pytest.mark.parametrize(
    ("body", "content_type", "state", "reason", "said"),
    [
        (b"<!doctype html><p>no poster here", "image/jpeg", "skipped", "not_an_image", "An HTML page is no PNG"),
        (b"<html><p>no poster here", "text/html", "skipped", "not_an_image", "An HTML page is no PNG"),
        (encoded(Image.new("RGB", (1, 1)), "GIF"), "image/gif", "skipped", "too_small", "1 x 1 pixels"),
        (encoded(Image.new("RGB", (2000, 100)), "PNG"), "image/png", "skipped", "odd_shape", "2000 x 100 pixels"),
        (encoded(drawn())[:4000], "image/jpeg", "dead", "truncated", "ends before it is complete (4000 bytes)"),
        (png_bomb(9000, 9000), "image/png", "dead", "too_many_pixels", "over 50 million pixels; at most 25 million"),
        (b"\xff\xd8" + b"\0" * 10_000_001, "image/jpeg", "dead", "too_large", "10000000"),
    ],
    ids=["HTML called JPEG", "HTML", "a pixel", "a banner", "cut short", "a bomb", "too many bytes"],
)
def test_what_is_no_poster_says_so(
    poster, submit, web, eye, item_of, database, body, content_type, state, reason, said
):
    item = submit(web.put("it", body, content_type))

    assert poster.deliver(item).status_code == 200

    ended = item_of(item)
    assert (ended.state, ended.reason) == (state, reason)
    assert said in ended.error
    assert (eye.asked, rows(database)) == ([], [])


def test_an_image_is_known_by_its_bytes_whatever_the_server_calls_it(poster, submit, web, database):
    item = submit(web.put("blob", encoded(drawn(800, 1200), "WEBP"), "application/octet-stream"))

    assert poster.deliver(item).text == "done"

    assert rows(database)[0]["image"]["format"] == "webp"


def test_a_poster_that_is_gone_is_skipped(poster, submit, item_of):
    item = submit("http://posters.test/nothing.jpg")

    poster.deliver(item)

    assert (item_of(item).state, item_of(item).reason) == ("skipped", "gone")


def test_an_item_may_bound_its_download(poster, submit, web, eye, item_of):
    item = submit(web.put("night.jpg", encoded(drawn(1000, 1500), quality=95)), max_bytes=2000)

    poster.deliver(item)

    assert (item_of(item).state, item_of(item).reason) == ("dead", "too_large")
    assert "at most 2000 are read" in item_of(item).error


@pytest.mark.parametrize(
    ("said", "state", "reason"),
    [
        ({"blocked": "PROHIBITED_CONTENT"}, "dead", "unsafe"),
        ({"finish": "IMAGE_SAFETY"}, "dead", "unsafe"),
        ({"finish": "SAFETY"}, "dead", "unsafe"),
        ({"finish": "MAX_TOKENS"}, "waiting", "answer_cut"),
        ({"elements": [{**FACE, "box_2d": [1, 2, 3]}]}, "waiting", "answer_misfit"),
    ],
    ids=["a blocked prompt", "an unsafe image", "an unsafe answer", "a truncated answer", "a box of three numbers"],
)
def test_refusals_and_truncated_answers_are_outcomes_of_their_own(
    poster, submit, web, eye, item_of, database, said, state, reason
):
    for name, value in said.items():
        setattr(eye, name, value)
    item = submit(web.put("night.jpg", encoded(drawn(800, 1200))))

    poster.deliver(item)

    assert (item_of(item).state, item_of(item).reason) == (state, reason)
    assert float(item_of(item).cost_usd) > 0
    assert rows(database) == []


def test_the_quota_is_kept_over_posters(poster, submit, web, eye, database, item_of):
    """One request a minute: the first goes, the second is sent back to come when it may, unpaid."""
    database.execute("update quotas set requests_per_minute = 1 where name = 'gemini-vision'")
    items = [submit(web.put(f"{n}.jpg", encoded(drawn(300 + n, 450)))) for n in range(2)]

    answers = [poster.deliver(item).text for item in items]

    assert answers[0] == "done"
    assert answers[1] in {"rest", "deferred"}
    assert len(eye.asked) == 1
    assert (item_of(items[1]).state, item_of(items[1]).attempts) == ("waiting", 0)
