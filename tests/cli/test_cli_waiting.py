"""A rate limit is waited for, said, and not for ever; spans and moments are read as people write them."""

from datetime import UTC, datetime

import pytest

from cli.client import MOST_WAIT_SECONDS, Client
from cli.problems import BadInput, Limited
from cli.settings import Settings
from cli.spans import read_moment, read_span


@pytest.fixture
def waiting(api):
    """A client, what it slept, and what it said."""
    slept, said = [], []
    return Client(Settings(api.url, api.key), sleep=slept.append, tell=said.append), slept, said


def test_it_waits_as_long_as_it_is_asked_to_and_says_so(api, waiting):
    client, slept, said = waiting
    api.failures, api.retry_after = [429, 429], 7

    client.batches(10)

    assert slept == [7, 7]
    assert said == ["Waiting 7 s: 429 Too Many Requests: told to fail"] * 2


def test_it_does_not_wait_for_ever(api, waiting):
    client, slept, _ = waiting
    api.failures, api.retry_after = [429] * 10, 50

    with pytest.raises(Limited, match="too long to wait"):
        client.batches(10)

    assert sum(slept) <= MOST_WAIT_SECONDS


def test_a_long_block_is_told_at_once(api, waiting):
    client, slept, _ = waiting
    api.failures, api.retry_after = [429], 600

    with pytest.raises(Limited):
        client.batches(10)

    assert slept == []


def test_the_command_ends_with_six(piecework, api):
    api.failures, api.retry_after = [429], 600

    ran = piecework("batches")

    assert ran.code == 6
    assert "come back then" in ran.err


@pytest.mark.parametrize(("text", "seconds"), [("90", 90), ("90s", 90), ("1.5m", 90), ("2h", 7200), ("3d", 259200)])
def test_a_span_is_a_number_with_a_letter(text, seconds):
    assert read_span(text) == seconds


@pytest.mark.parametrize("text", ["", "-1h", "2 weeks", "h", "1e9"])
def test_anything_else_is_no_span(text):
    with pytest.raises(BadInput, match="90s, 10m, 2h or 3d"):
        read_span(text)


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("2026-11-22T08:00Z", "2026-11-22T08:00:00+00:00"),
        ("2026-11-22T10:00+02:00", "2026-11-22T08:00:00+00:00"),
        ("2h", "2026-11-21T22:00:00+00:00"),
    ],
)
def test_a_moment_is_a_time_or_so_long_ago(text, moment):
    assert read_moment(text, now=datetime(2026, 11, 22, tzinfo=UTC)) == moment


@pytest.mark.parametrize("text", ["soon", "999999999d"])
def test_anything_else_is_no_moment(text):
    with pytest.raises(BadInput, match="for so long ago"):
        read_moment(text)
