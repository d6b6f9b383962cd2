"""What the model says is tidied, and what it may not say is refused: never guessed."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from functions.poster.vision import MOST_ELEMENTS, Vision, elements_of
from shared.errors import Failed
from shared.model_answers import parse


def said(*elements, **first):
    if first:
        elements = ({"type": "face", "box_2d": [100, 200, 300, 400], **first},)
    return elements_of(parse(json.dumps({"elements": elements}), Vision))


def test_a_box_is_turned_from_thousandths_y_first_to_fractions_x_first():
    (face,) = said(box_2d=[100, 200, 300, 400], text="a sailor", confidence=0.8)

    assert face.box == (0.2, 0.1, 0.4, 0.3)
    assert (face.type, face.text, face.confidence, face.source) == ("face", "a sailor", 0.8, "model")


@pytest.mark.parametrize(
    ("given", "box"),
    [
        ([300, 400, 100, 200], (0.2, 0.1, 0.4, 0.3)),
        ([-50, -1, 1200, 4000], (0, 0, 1, 1)),
        ([100.0, 199.6, 300.2, 400], (0.2, 0.1, 0.4, 0.3)),
    ],
    ids=["swapped corners are mended", "what reaches out is cut", "fractions are rounded"],
)
def test_a_box_is_tidied(given, box):
    assert said(box_2d=given)[0].box == box


@pytest.mark.parametrize("given", [[100, 200, 100, 400], [0, 0, 0, 0], [1000, 0, 1200, 500], [-40, 0, 0, 500]])
def test_a_box_without_an_area_is_dropped(given):
    assert said(box_2d=given) == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"box_2d": [1, 2, 3]},
        {"box_2d": [1, 2, 3, 4, 5]},
        {"box_2d": ["1", "2", None, 4]},
        {"box_2d": [1, 2, 3, float("nan")]},
        {"box_2d": [1, 2, 3, float("inf")]},
        {"type": "nose"},
        {"type": None},
    ],
)
def test_an_answer_with_an_element_that_makes_no_sense_is_asked_for_again(wrong):
    with pytest.raises(Failed, match="answer_misfit"):
        said(**wrong)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ({"text": "  NIGHT \n FERRY\x00\ud800 "}, {"text": "NIGHT FERRY"}),
        ({"text": "x" * 1000}, {"text": "x" * 300}),
        ({"text": " \t"}, {"text": None}),
        ({"language": "EN-gb"}, {"language": "en"}),
        ({"language": "English"}, {"language": None}),
        ({"confidence": 87}, {"confidence": 0.87}),
        ({"confidence": -3}, {"confidence": None}),
        ({"confidence": "high"}, {"confidence": None}),
    ],
)
def test_words_are_tidied(given, kept):
    (face,) = said(**given)

    assert face.model_dump(include=set(kept)) == kept


def test_of_too_many_elements_the_important_ones_are_kept():
    crowd = [{"type": "text", "box_2d": [n, 0, n + 1, 1000]} for n in range(300)]
    faces = [{"type": "face", "box_2d": [n, 0, n + 1, 9]} for n in range(20)]

    kept = said(*crowd, *faces)

    assert len(kept) == MOST_ELEMENTS
    assert sum(one.type == "face" for one in kept) == 20


def test_an_empty_poster_has_no_elements():
    assert said() == []


@settings(deadline=None)
@given(st.lists(st.integers(-(10**6), 10**6) | st.floats(-2000, 2000), min_size=4, max_size=4))
def test_whatever_the_numbers_a_box_is_within_the_picture_and_has_an_area(numbers):
    for element in said(box_2d=numbers):
        x0, y0, x1, y1 = element.box
        assert 0 <= x0 < x1 <= 1
        assert 0 <= y0 < y1 <= 1


def test_the_schema_that_is_sent_offers_the_types_and_wants_four_whole_numbers():
    schema = Vision.model_json_schema()["$defs"]["Seen"]

    assert schema["properties"]["box_2d"]["items"] == {"type": "integer"}
    assert schema["properties"]["box_2d"]["minItems"] == schema["properties"]["box_2d"]["maxItems"] == 4
    assert set(schema["properties"]["type"]["enum"]) == {
        "face", "person", "title", "text", "logo", "rating_mark", "object",
    }  # fmt: skip
    assert {"type", "box_2d"} <= set(schema["required"])


def test_what_was_said_cannot_be_changed():
    with pytest.raises(ValidationError):
        Vision(elements=[]).elements = []
