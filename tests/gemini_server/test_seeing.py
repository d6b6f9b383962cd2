"""Questions about what is in a picture, answered by looking. One server for all: its models load once."""

import json
from pathlib import Path

import httpx
import pytest
from google.genai import errors, types

from bench.posters.face import box_of
from functions.poster.prompt import PROMPT, QUESTION
from functions.poster.vision import Vision, elements_of
from local.gemini.vision.boxes import iou
from samples.posters.draw import SIZE, person
from tests.gemini_server.conforms import faults
from tests.gemini_server.conftest import sdk

MODEL = "gemini-3.5-flash-lite"
POSTERS = Path(__file__).parents[2] / "samples" / "posters"
BOX = {"type": "ARRAY", "items": {"type": "INTEGER", "minimum": 0, "maximum": 1000}, "minItems": 4, "maxItems": 4}


@pytest.fixture
def ask(server):
    """ask(bytes or name, schema): the whole response."""
    client = sdk(server)

    def asked(picture, schema=Vision, **config):
        data = (POSTERS / picture).read_bytes() if isinstance(picture, str) else picture
        return client.models.generate_content(
            model=MODEL,
            contents=[types.Part.from_bytes(data=data, mime_type="image/jpeg"), QUESTION],
            config={
                "system_instruction": PROMPT,
                "response_mime_type": "application/json",
                "response_schema": schema,
                **config,
            },
        )

    return asked


@pytest.fixture
def break_with(server):
    return lambda fault: httpx.post(f"{server}/control/faults", json={"fault": fault, "count": 1}).raise_for_status()


def listed(name, **properties):
    items = {"type": "OBJECT", "properties": properties, "required": list(properties)}
    return {"type": "OBJECT", "properties": {name: {"type": "ARRAY", "items": items}}, "required": [name]}


def of_kind(answer, kind):
    return [element for element in elements_of(answer.parsed) if element.type == kind]


def test_faces_are_found_where_they_were_drawn(ask):
    drawn = [
        (person(2, turn=0.2), (185, 330), 190),
        (person(4, turn=-0.2), (420, 360), 190),
    ]

    found = [face.box for face in of_kind(ask("duet.jpg"), "face")]

    assert len(found) == 2
    for each in drawn:
        truth = tuple(edge / side for edge, side in zip(box_of(*each), SIZE * 2, strict=True))
        assert max(iou(truth, box) for box in found) > 0.7


def test_title_tagline_and_rating_mark_are_read_and_told_apart(ask):
    answer = ask("night.jpg")

    assert [(line.text, line.language) for line in of_kind(answer, "title")] == [("MIDNIGHT SIGNAL", None)]
    assert [(line.text, line.language) for line in of_kind(answer, "text")] == [("some doors should stay closed", "en")]
    assert [mark.text for mark in of_kind(answer, "rating_mark")] == ["16+"]
    assert all(0.5 < element.confidence <= 1 for element in elements_of(answer.parsed))


def test_a_title_has_an_element_for_each_of_its_lines_from_top_to_bottom(ask):
    assert [line.text for line in of_kind(ask("duet.jpg"), "title")] == ["SECOND", "KINGDOM"]


def test_the_main_thing_is_boxed_though_nobody_can_name_it(ask):
    (emblem,) = of_kind(ask("no-face.jpg"), "object")

    assert iou(emblem.box, (190 / 600, 350 / 900, 410 / 600, 570 / 900)) > 0.7
    assert emblem.text is None


def test_nothing_is_found_where_nothing_is(ask):
    assert ask("one-pixel.png").parsed.elements == []


def test_what_no_model_here_knows_is_left_out(ask):
    kinds = {"type": "STRING", "enum": ["person", "logo"]}

    answer = ask("harbour.jpg", listed("elements", type=kinds, box_2d=BOX))

    assert json.loads(answer.text) == {"elements": []}


def test_a_list_of_faces_needs_no_type_and_holds_faces_alone(ask):
    schema = listed("faces", box_2d=BOX, score={"type": "NUMBER"})

    faces = json.loads(ask("duet.jpg", schema).text)["faces"]

    assert faults({"faces": faces}, schema) == []
    assert len(faces) == 2


def test_boxes_follow_the_schemas_own_words_and_scale(ask):
    fractions = {"type": "ARRAY", "items": {"type": "NUMBER", "minimum": 0, "maximum": 1}, "minItems": 4, "maxItems": 4}
    kind = {"type": "STRING", "enum": ["Heading", "Other", "Human face"]}
    schema = listed(
        "detections",
        label=kind,
        bounding_box=fractions,
        words={"type": "STRING"},
        confidence={"type": "INTEGER", "minimum": 0, "maximum": 100},
        upside_down={"type": "BOOLEAN"},
        tags={"type": "ARRAY", "items": {"type": "STRING"}},
    )

    found = json.loads(ask("no-face.jpg", schema).text)

    assert faults(found, schema) == []
    assert [each["words"] for each in found["detections"]] == ["THE GOLDEN", "CIRCUS"]
    assert {each["label"] for each in found["detections"]} == {"Heading"}
    assert all(each["confidence"] > 50 for each in found["detections"])


def test_json_schema_with_references_and_nulls_is_answered_too(ask):
    answer = ask("collage.jpg", None, response_json_schema=Vision.model_json_schema())

    seen = elements_of(Vision.model_validate_json(answer.text))
    assert sum(element.type == "face" for element in seen) == 9


def test_a_file_that_is_no_picture_is_refused_in_googles_words(ask):
    with pytest.raises(errors.ClientError) as refusal:
        ask(b"<html>no picture</html>")

    assert (refusal.value.code, refusal.value.status) == (400, "INVALID_ARGUMENT")
    assert "Unable to process input image" in refusal.value.message


def test_a_cut_off_picture_and_a_bomb_are_refused_like_no_picture(ask):
    for name in ("truncated.jpg", "bomb.png"):
        with pytest.raises(errors.ClientError, match="Unable to process input image"):
            ask(name)


@pytest.mark.parametrize(("fault", "code"), [("429_minute", 429), ("500", 500)])
def test_a_refusal_strikes_pictures_as_it_does_texts(ask, break_with, fault, code):
    break_with(fault)

    with pytest.raises(errors.APIError) as refusal:
        ask("one-pixel.png")

    assert refusal.value.code == code


def test_a_picture_may_be_found_unsafe_or_the_prompt_be_blocked(ask, break_with):
    break_with("unsafe")
    break_with("blocked_prompt")

    unsafe, blocked = ask("one-pixel.png"), ask("one-pixel.png")

    assert unsafe.candidates[0].finish_reason == "SAFETY"
    assert blocked.prompt_feedback.block_reason == "PROHIBITED_CONTENT"


def test_a_long_list_of_boxes_is_cut_at_the_tokens_allowed(ask):
    answer = ask("duet.jpg", max_output_tokens=40)

    assert answer.candidates[0].finish_reason == "MAX_TOKENS"
    assert answer.parsed is None


def test_a_lean_server_looks_once_and_repeats_what_it_saw(serving):
    def told(client, name):
        part = types.Part.from_bytes(data=(POSTERS / name).read_bytes(), mime_type="image/jpeg")
        config = {"response_mime_type": "application/json", "response_schema": Vision}
        return client.models.generate_content(model=MODEL, contents=[part, QUESTION], config=config).text

    with serving(lean=True) as url:
        client = sdk(url)

        with pytest.raises(errors.ClientError):
            told(client, "bomb.png")
        first, second = told(client, "duet.jpg"), told(client, "no-face.jpg")

    assert first == second
    assert [each["type"] for each in json.loads(first)["elements"]].count("face") == 2
