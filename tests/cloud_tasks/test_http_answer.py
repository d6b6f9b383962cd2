"""Reading answers, however they are cut into pieces."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.cloud_tasks.http_answer import AnswerReader, BadAnswer

ANSWERS = {
    "length": (b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", 200, True),
    "empty": (b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n", 500, True),
    "no body": (b"HTTP/1.1 204 None\r\n\r\n", 204, True),
    "no reason": (b"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", 200, True),
    "chunked": (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n3;x=y\r\nabc\r\n0\r\nTrailer: 1\r\n\r\n",
        200,
        True,
    ),
    "interim": (b"HTTP/1.1 100 Go on\r\n\r\nHTTP/1.1 201 Made\r\nContent-Length: 0\r\n\r\n", 201, True),
    "closing": (b"HTTP/1.1 429 Slow\r\nConnection: close\r\nContent-Length: 2\r\n\r\nno", 429, False),
    "old": (b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, False),
}


@pytest.mark.parametrize("kind", ANSWERS)
@given(data=st.data())
def test_an_answer_is_read_from_any_pieces(kind, data):
    whole, status, reusable = ANSWERS[kind]
    cuts = sorted(data.draw(st.sets(st.integers(1, len(whole) - 1), max_size=8)))
    pieces = [whole[start:end] for start, end in zip([0, *cuts], [*cuts, len(whole)], strict=True)]
    reader = AnswerReader(bodiless=False)

    answers = [reader.feed(piece) for piece in pieces]

    assert [answer for answer in answers[:-1] if answer is not None] == []
    assert answers[-1].status == status
    assert reader.reusable is reusable


def test_an_answer_without_a_length_ends_with_its_connection():
    reader = AnswerReader(bodiless=False)

    during = reader.feed(b"HTTP/1.1 200 OK\r\n\r\nsome of the body")

    assert during is None
    assert reader.end().status == 200
    assert not reader.reusable


def test_a_connection_that_ends_early_leaves_no_answer():
    reader = AnswerReader(bodiless=False)

    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    assert reader.end() is None


def test_the_answer_to_head_has_no_body_whatever_its_length_says():
    reader = AnswerReader(bodiless=True)

    assert reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n").status == 200


def test_bytes_after_the_answer_spoil_the_connection():
    reader = AnswerReader(bodiless=False)

    reader.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nmore")

    assert not reader.reusable


@pytest.mark.parametrize(
    "data",
    [
        b"SSH-2.0-server\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 2\xb2\xb2 OK\r\n\r\n",
        b"HTTP/2 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"x" * 70_000,
    ],
)
def test_what_is_no_http_is_a_bad_answer(data):
    with pytest.raises(BadAnswer):
        AnswerReader(bodiless=False).feed(data)


@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data):
    reader = AnswerReader(bodiless=False)

    try:
        reader.feed(b"HTTP/1.1 200 OK\r\n" + data)
    except BadAnswer:
        return
    reader.end()
