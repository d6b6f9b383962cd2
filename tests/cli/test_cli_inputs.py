"""What counts as an item in a file, and what is told about the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.inputs import read


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
    ],
)
def test_a_bad_line_is_told_with_its_number_and_reason(line, reason):
    given_in = read(f"http://daily.test/ok\n{line}\n".encode())

    assert len(given_in.items) == 1
    assert [bad.number for bad in given_in.bad_lines] == [2]
    assert reason in given_in.bad_lines[0].reason


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
