import json
from datetime import date
from enum import Enum
from typing import Annotated, Literal, Optional

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from local.gemini.problems import Problem
from local.gemini.reading import Reading
from local.gemini.schema import Schema
from local.gemini.subject import Subject
from local.gemini.walk import fill
from tests.gemini_server.conforms import faults
from tests.gemini_server.news import HARBOUR

NAMES = st.sampled_from(
    [
        *("title", "summary", "key_points", "entities", "name", "type", "topics", "sentiment", "language", "author"),
        *("published_at", "url", "score", "year", "is_paid", "people", "quotes", "word_count", "cost", "reason", "x"),
    ]
)


def filled(schema, text=HARBOUR):
    return fill(Schema.read(schema), Subject(Reading(text), lambda texts, labels: (0, 1.0))).value


def _strings():
    sizes = st.tuples(st.integers(0, 30), st.integers(0, 200)).map(lambda s: {"minLength": s[0], "maxLength": sum(s)})
    words = st.lists(st.sampled_from(["positive", "negative", "other", "place"]), min_size=1, unique=True)
    return st.one_of(
        st.just({"type": "string"}),
        sizes.map(lambda size: {"type": "string", **size}),
        words.map(lambda enum: {"type": "string", "enum": enum}),
        st.sampled_from(["date", "date-time"]).map(lambda form: {"type": "string", "format": form}),
    )


def _numbers():
    kind = st.sampled_from(["integer", "number"])
    low, span = st.integers(-50, 50), st.integers(2, 100)
    closed = st.builds(lambda k, a, s: {"type": k, "minimum": a, "maximum": a + s}, kind, low, span)
    open_ = st.builds(lambda k, a, s: {"type": k, "exclusiveMinimum": a, "exclusiveMaximum": a + s}, kind, low, span)
    steps = st.builds(lambda s: {"type": "integer", "minimum": 0, "multipleOf": s}, st.integers(2, 9))
    return st.one_of(kind.map(lambda k: {"type": k}), closed, open_, steps)


def _deeper(parts):
    sizes = st.tuples(st.integers(0, 3), st.integers(0, 5)).map(lambda s: {"minItems": s[0], "maxItems": sum(s)})
    arrays = st.builds(lambda items, size: {"type": "array", "items": items, **size}, parts, sizes)
    objects = st.dictionaries(NAMES, parts, max_size=4).flatmap(
        lambda properties: st.lists(st.sampled_from(sorted(properties) or ["x"]), unique=True).map(
            lambda names: {"type": "object", "properties": properties, "required": names if properties else []}
        )
    )
    unions = st.lists(parts, min_size=1, max_size=3).map(lambda branches: {"anyOf": [*branches, {"type": "null"}]})
    maps = parts.map(lambda values: {"type": "object", "additionalProperties": values})
    return st.one_of(arrays, objects, unions, maps, parts.map(lambda part: {**part, "nullable": True}))


SCHEMAS = st.recursive(st.one_of(_strings(), _numbers(), st.just({"type": "boolean"})), _deeper, max_leaves=12)


@settings(max_examples=150, deadline=None)
@given(schema=SCHEMAS, text=st.sampled_from([HARBOUR, "", "Ja.", "12,5 Prozent"]))
def test_whatever_the_schema_the_answer_conforms_to_it(schema, text):
    assert faults(filled(schema, text), schema) == []


@settings(max_examples=60, deadline=None)
@given(text=st.text(max_size=400))
def test_whatever_the_text_the_answer_conforms_to_the_schema(text):
    schema = Report.model_json_schema()

    Report.model_validate(filled(schema, text))


def test_the_judge_of_these_tests_can_say_no():
    assert faults({"a": "x"}, {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["b"]}) == [
        "b is missing",
        "'x' is not of ['integer']",
    ]
    assert faults(["x"], {"type": "array", "minItems": 2}) != []
    assert faults(True, {"type": "integer"}) != []


class Tone(Enum):
    good = "positive"
    bad = "negative"


class Dog(BaseModel):
    kind: Literal["dog"]
    barks: bool


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int = Field(gt=0, le=9)


class Report(BaseModel):
    tone: Tone
    published: Optional[date] = None  # noqa: UP045 - both spellings of an optional are asked for
    sentiment_score: Annotated[float, Field(ge=-1, le=1)]
    pet: Annotated[Dog | Cat, Field(discriminator="kind")]
    figures: dict[str, int]
    pair: tuple[str, int]
    either: int | str
    tags: set[str] = Field(max_length=4)


class Node(BaseModel):
    title: str
    children: list["Node"] = []
    left: Optional["Node"] = None
    right: Optional["Node"] = None


def test_all_that_pydantic_emits_is_understood():
    report = Report.model_validate(filled(Report.model_json_schema()))

    assert report.tone is Tone.bad
    assert report.published == date(2026, 3, 3)
    assert report.sentiment_score < 0


def test_a_schema_that_holds_itself_ends():
    schema = Node.model_json_schema()

    node = Node.model_validate(filled(schema))

    assert node.title == "Harbour bridge closes for two years of repairs"
    assert len(json.dumps(node.model_dump())) < 200_000


def test_a_schema_that_never_ends_is_refused():
    endless = {
        "$defs": {"N": {"type": "object", "properties": {"n": {"$ref": "#/$defs/N"}}, "required": ["n"]}},
        "$ref": "#/$defs/N",
    }

    with pytest.raises(Problem, match="nests too deeply"):
        filled(endless)


@pytest.mark.parametrize("reference", ["#/$defs/Gone", "#/$defs/Self"])
def test_a_reference_that_leads_nowhere_is_refused(reference):
    schema = {"$defs": {"Self": {"$ref": "#/$defs/Self"}}, "type": "object", "properties": {"a": {"$ref": reference}}}

    with pytest.raises(Problem) as refusal:
        filled(schema)

    assert refusal.value.code == 400


def test_properties_come_in_the_order_asked_for():
    properties = {name: {"type": "STRING"} for name in ("title", "summary", "language")}

    answer = filled(
        {
            "type": "OBJECT",
            "properties": properties,
            "property_ordering": ["language", "summary"],
            "required": list(properties),
        }
    )

    assert list(answer) == ["language", "summary", "title"]


def test_what_the_text_does_not_tell_is_null_or_left_out():
    schema = {
        "type": "object",
        "properties": {
            "email": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "url": {"type": "string"},
            "year": {"type": "integer"},
        },
    }

    assert filled(schema) == {"email": None, "year": 2026}


@pytest.mark.parametrize(
    ("name", "part", "expected"),
    [
        ("author", {"type": "string"}, "Ada Okafor"),
        ("cost", {"type": "string"}, "85 million euros"),
        ("mayor", {"type": "string", "description": "Name of the person who spoke"}, "Willem de Vries"),
        ("city", {"type": "string"}, "Rotterdam"),
        ("drivers", {"type": "integer"}, 40_000),
        ("year", {"type": "integer"}, 2026),
        ("mentions_ferry", {"type": "boolean"}, True),
        ("mentions_volcano", {"type": "boolean"}, False),
        ("language", {"type": "string", "description": "Name of the language"}, "English"),
        ("places", {"type": "array", "items": {"type": "string"}, "maxItems": 1}, ["Rotterdam"]),
        ("quotes", {"type": "array", "items": {"type": "string"}}, ["We cannot take the risk of waiting any longer,"]),
        ("dates", {"type": "array", "items": {"type": "string"}}, ["3 March 2026"]),
    ],
)
def test_a_field_s_name_and_description_say_what_is_computed(name, part, expected):
    assert filled({"type": "object", "properties": {name: part}, "required": [name]}) == {name: expected}


def test_an_entity_that_only_the_title_names_keeps_its_name():
    item = {"type": "object", "properties": {"name": {"type": "string", "minLength": 1}}, "required": ["name"]}
    text = "Ada Okafor wins in Rotterdam\nThe race was long and hard for all of them in the end."

    answer = filled({"type": "object", "properties": {"entities": {"type": "array", "items": item}}}, text)

    assert {entity["name"] for entity in answer["entities"]} == {"Ada Okafor", "Rotterdam"}


def test_a_description_sets_the_number_of_sentences_and_points():
    schema = {
        "type": "object",
        "properties": {
            "summary": {"type": "string", "description": "One to two sentences."},
            "key_points": {"type": "array", "items": {"type": "string"}, "description": "3 to 4 facts"},
        },
    }

    answer = filled(schema)

    assert answer["summary"].count(".") == 2
    assert len(answer["key_points"]) == 4
