"""What counts as an item in a file, and what is told about the rest."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli import inputs
from cli.inputs import read
from cli.poster_files import read_posters
from cli.problems import BadInput
from functions.api import limits, submission


def test_a_line_is_a_url_and_comments_and_blanks_are_none():
    text = b"# news\n\nhttp://daily.test/a\r\n  https://daily.test/b#part  # why not\n"

    given_in = read(text)

    assert [item["url"] for item in given_in.items] == ["http://daily.test/a", "https://daily.test/b#part"]
    assert given_in.bad_lines == []


def test_a_json_line_travels_whole():
    given_in = read(b'{"url": "http://daily.test/a", "custom_id": "7", "tags": ["x"]}\nhttp://daily.test/b\n')

    assert given_in.items == [
        {"url": "http://daily.test/a", "custom_id": "7", "tags": ["x"]},
        {"url": "http://daily.test/b"},
    ]


def test_csv_is_known_by_its_url_column():
    text = b'\xef\xbb\xbfcustom_id, url,note\n1,http://daily.test/a,"one\ntwo"\n\n2,,x\n3,http://daily.test/c,\n'

    given_in = read(text)

    assert given_in.items == [
        {"custom_id": "1", "url": "http://daily.test/a", "note": "one\ntwo"},
        {"custom_id": "3", "url": "http://daily.test/c"},
    ]
    assert [str(bad) for bad in given_in.bad_lines] == ["line 5: no url"]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("daily.test/a", "is no http or https URL"),
        ("ftp://daily.test/a", "is no http or https URL"),
        ("http://", "is no http or https URL"),
        ("http://[broken", "is no http or https URL"),
        ("http://daily.test:99999/", "is no http or https URL"),
        ("http://daily.test/a b", "a space inside the URL"),
        ("http://daily.test/" + "a" * 2100, "longer than 2083 characters"),
        ("{broken", "not JSON"),
        ('{"custom_id": 1}', "no url"),
        ('{"url": 5}', "no url"),
        ('{"url": "http://daily.test/", "n": NaN}', "not JSON"),
        ("{" * 100_000, "not JSON"),
        ('{"url": "http://daily.test/\\ud800"}', "half of a character pair"),
        ('{"url": "http://daily.test/", "note": "\\u0000"}', "the character NUL"),
        ('{"url": "http://daily.test/", "n": 1e999}', "a number that is too large for JSON"),
        ('{"url": "http://daily.test/", "n": ' + "[" * 100 + "]" * 100 + "}", "nested too deeply"),
        ('{"url": "http://daily.test/", "custom_id": "' + "x" * 201 + '"}', "its custom_id is longer than 200"),
    ],
)
def test_a_bad_line_is_told_with_its_number_and_reason(line, reason):
    given_in = read(f"http://daily.test/ok\n{line}\n".encode())

    assert len(given_in.items) == 1
    assert [bad.number for bad in given_in.bad_lines] == [2]
    assert reason in given_in.bad_lines[0].reason


def test_what_a_line_may_hold_is_what_the_api_takes():
    assert (inputs.MOST_CUSTOM_ID, inputs.MOST_LEVELS) == (submission.MOST_CUSTOM_ID, limits.MOST_LEVELS)
    deepest = '{"url": "http://daily.test/", "n": ' + "[" * 99 + "]" * 99 + "}"
    assert read(deepest.encode()).bad_lines == []
    assert limits.storable(json.loads(deepest))


def test_a_header_that_never_ends_is_told_of():
    with pytest.raises(BadInput, match="line 1: the header is not CSV"):
        read(b'url,"note\n' + b"http://daily.test/,\n" * 10_000)


def test_a_poster_that_cannot_be_sent_is_a_bad_line(tmp_path):
    file = tmp_path / "posters.jsonl"
    poster = '{"content_id": "t%d", "url": "http://posters.test/a.jpg", "title": "%s"}\n'
    file.write_text(poster % (1, "\\ud800") + poster % (2, "Tin"))

    bad, (number, row) = read_posters(file, {})

    assert str(bad) == "line 1: half of a character pair"
    assert (number, row["title"]) == (2, "Tin")


def test_bytes_that_are_no_text_are_told():
    assert read(b"http://daily.test/\xff\n").bad_lines[0].reason == "not UTF-8"


@given(st.binary(max_size=300))
def test_whatever_is_in_the_file_each_item_has_a_url_that_can_be_sent(content):
    for item in read(content).items:
        assert item["url"].lower().startswith(("http://", "https://"))
        assert item["url"].isprintable() or not item["url"].isascii()


@given(st.text(max_size=200))
def test_every_csv_row_is_an_item_or_a_bad_line(cell):
    given_in = read(f"url,note\nhttp://daily.test/,{cell}".encode("utf-8", "replace"))

    assert given_in.items or given_in.bad_lines
