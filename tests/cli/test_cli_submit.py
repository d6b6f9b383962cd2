"""piecework submit: a file of JSON lines becomes one batch, however often it is sent."""

import io
import json
import os
import sys
import threading
from datetime import UTC, datetime

import pytest

from cli import upload

ITEMS = [{"url": f"http://daily.test/{n}", "custom_id": f"story-{n}"} for n in range(3)]


@pytest.fixture
def file(urls):
    return urls(*ITEMS)


def test_it_sends_the_lines_and_the_order(piecework, api, file):
    ran = piecework(
        "submit", "article", file, "--priority", "low", "--deadline", "2030-01-01T10:00+02:00", "--fresh",
        "--option", "sentences=3", "--webhook-url", "https://example.com/hook",
    )  # fmt: skip

    ((_, body),) = api.posts
    assert ran.code == 0
    assert body == {
        "function": "article",
        "items": ITEMS,
        "priority": "low",
        "deadline": "2030-01-01T08:00:00+00:00",
        "options": '{"fresh": true, "sentences": 3}',
        "webhook_url": "https://example.com/hook",
    }


def test_a_repeated_command_is_the_same_batch(piecework, api, file):
    first, second = (piecework("submit", "article", file, "--json") for _ in range(2))

    assert json.loads(first.out)["id"] == json.loads(second.out)["id"]
    assert len(api.batches) == 1
    assert "was submitted at 2026-01-01T00:00:00Z already" in second.err
    assert "--again makes another" in second.err


def test_a_batch_made_just_now_is_not_called_an_earlier_one(piecework, api, file):
    api.created_at = datetime.now(UTC).isoformat()

    assert "already" not in piecework("submit", "article", file).err


def test_a_lost_answer_makes_no_second_batch(piecework, api, file):
    api.lost_answers = 2

    ran = piecework("submit", "article", file)

    assert ran.code == 0
    assert [body["items"] for _, body in api.posts] == [ITEMS] * 3
    assert len(api.batches) == 1


@pytest.mark.parametrize(
    "other", [["--again"], ["--fresh"], ["--priority", "low"], ["--idempotency-key", "mine"]], ids=lambda one: one[0]
)
def test_another_order_or_again_is_another_batch(piecework, api, file, other):
    piecework("submit", "article", file)

    piecework("submit", "article", file, *other)

    assert len(api.batches) == 2


def test_standard_input_is_read_and_may_be_sent_twice(piecework, api, monkeypatch):
    lines = "\n".join(map(json.dumps, ITEMS)).encode()
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(lines)))
    api.lost_answers = 1

    ran = piecework("submit", "article", "-")

    assert ran.code == 0
    assert [body["items"] for _, body in api.posts] == [ITEMS] * 2


def test_a_pipe_is_read_and_may_be_sent_twice(piecework, api, tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = threading.Thread(target=pipe.write_text, args=["\n".join(map(json.dumps, ITEMS))])
    writer.start()
    api.lost_answers = 1

    ran = piecework("submit", "article", str(pipe))

    writer.join()
    assert ran.code == 0
    assert [body["items"] for _, body in api.posts] == [ITEMS] * 2


def test_wait_stays_to_the_end(piecework, file):
    ran = piecework("submit", "article", file, "--wait")

    assert ran.code == 0
    assert "done" in ran.out


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (['{"url": "http://daily.test/a"}', "http://daily.test/b"], "line 2: not a JSON object"),
        (["[1]"], "line 1: not a JSON object"),
        ([""], "holds nothing to send"),
        (["# nothing"], "line 1: not a JSON object"),
        (["{}", {"custom_id": "x" * 201}], "line 2: its custom_id is longer than 200 characters; nothing was sent"),
        (['{"n": 1e999}'], "line 1: a number that is too large for JSON"),
    ],
)
def test_a_bad_file_is_told_of_and_not_sent(piecework, api, urls, lines, told):
    ran = piecework("submit", "article", urls(*lines))

    assert ran.code == 2
    assert told in ran.err
    assert api.posts == []


def test_what_one_batch_cannot_take_is_not_begun(piecework, api, file, monkeypatch):
    monkeypatch.setattr(upload, "MOST_LINES", 2)

    ran = piecework("submit", "article", file)

    assert ran.code == 2
    assert "cut it with: split" in ran.err
    assert api.posts == []


def test_a_line_that_is_too_long_is_told_of(piecework, urls, monkeypatch):
    monkeypatch.setattr(upload, "MOST_LINE_BYTES", 50)

    ran = piecework(
        "submit", "article", urls({"url": "http://daily.test/a"}, {"url": "http://daily.test/" + "a" * 100})
    )

    assert ran.code == 2
    assert "line 2: longer than 50 bytes" in ran.err


@pytest.mark.parametrize("deadline", ["2h", "tomorrow"])
def test_a_deadline_is_a_moment(piecework, file, deadline):
    ran = piecework("submit", "article", file, "--deadline", deadline)

    assert ran.code == 2
    assert "write the deadline as 2026-11-22T08:00Z" in ran.err


def test_watch_stays_until_batches_have_ended(piecework, api, file, urls):
    piecework("submit", "article", file)
    piecework("submit", "article", urls({"url": "http://daily.test/huge"}))

    ran = piecework("watch", "b1", "b2")

    assert ran.code == 1
    assert "4 items" in ran.err
