"""Whoever sent a batch is told of its end: signed, once it was taken, and nowhere they could not go themselves."""

import json
import re
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.webhook.webhook import WAITS, later_or_never, signature, verdict
from shared.errors import Deferred, Rejected
from shared.pages import Posted

DOCS = Path(__file__).parents[2] / "docs" / "webhooks.md"
SECRET = "a-secret-of-theirs"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
BATCH = UUID(int=7)


@pytest.fixture(scope="module")
def is_genuine():
    """The receiver's side, as our documentation tells them to write it."""
    (code,) = re.findall(r"```python\n(.+?)```", DOCS.read_text(), re.DOTALL)
    names = {}
    exec(compile(code, "webhooks.md", "exec"), names)
    return names["is_genuine"]


@pytest.fixture
def states(database):
    def states(item):
        return database.execute("select * from items where id = %s", [item]).fetchone()

    return states


def test_the_end_of_a_batch_is_told_and_signed(webhook, receiver, ended_batch, states, database, is_genuine):
    batch, item = ended_batch()

    answer = webhook.deliver(item)

    ((headers, body),) = receiver.came
    message = json.loads(body)
    assert (answer.status_code, answer.text) == (200, "done")
    assert is_genuine(SECRET, body, headers["x-piecework-signature"])
    assert (message["id"], message["type"]) == (f"{batch}:1", "batch.ended")
    assert (message["batch"]["id"], message["batch"]["state"]) == (str(batch), "completed")
    assert message["batch"]["counts"]["total"] == 0
    assert headers["host"] == "receiver.test"
    (row,) = database.execute("select batch_id, url, status from webhook_deliveries").fetchall()
    assert row == {"batch_id": batch, "url": "https://receiver.test/hook", "status": 200}


def test_a_task_that_comes_twice_tells_once(webhook, receiver, ended_batch):
    _, item = ended_batch()

    answers = [webhook.deliver(item).status_code for _ in range(2)]

    assert answers == [200, 200]
    assert len(receiver.came) == 1


@pytest.mark.parametrize("status", [500, 503, 404, 401, 429])
def test_who_does_not_take_it_is_told_later_and_no_attempt_is_lost(webhook, receiver, ended_batch, states, status):
    _, item = ended_batch()
    receiver.answers.append((status, {}))

    answer = webhook.deliver(item)

    told = states(item)
    assert answer.status_code == 200
    assert (told["state"], told["reason"], told["attempts"], told["deferrals"]) == ("waiting", "not_taken", 0, 1)
    assert f"answered {status}" in told["error"]
    assert told["memo"] == {"tries": 1}


def test_who_asks_for_time_is_given_it(webhook, receiver, ended_batch, states):
    _, item = ended_batch()
    receiver.answers.append((503, {"Retry-After": "600"}))

    webhook.deliver(item)

    rest = (states(item)["not_before"] - datetime.now(UTC)).total_seconds()
    assert 550 < rest <= 600


@pytest.mark.parametrize(("status", "reason"), [(410, "gone"), (302, "redirected")])
def test_who_wants_to_hear_no_more_is_told_no_more(webhook, receiver, ended_batch, states, status, reason):
    _, item = ended_batch()
    receiver.answers.append((status, {"Location": "http://169.254.169.254/"}))

    webhook.deliver(item)

    assert (states(item)["state"], states(item)["reason"]) == ("dead", reason)
    assert len(receiver.came) == 1


@pytest.mark.parametrize(
    "url",
    ["https://169.254.169.254/latest/meta-data", "https://127.0.0.1/", "https://[::1]/", "https://10.1.2.3:8443/"],
)
def test_no_private_address_is_called(webhook, receiver, ended_batch, states, url):
    _, item = ended_batch(url)

    webhook.deliver(item)

    assert (states(item)["state"], states(item)["reason"]) == ("dead", "blocked_address")


def test_a_batch_that_was_opened_again_is_told_of_at_its_next_end(webhook, receiver, ended_batch, states, database):
    batch, item = ended_batch()
    database.execute("update batches set round = 2 where id = %s", [batch])

    webhook.deliver(item)

    assert (states(item)["state"], states(item)["reason"], receiver.came) == ("skipped", "overtaken", [])


def test_the_secret_stands_in_no_item_and_no_log(webhook, receiver, ended_batch, states):
    _, item = ended_batch()

    webhook.deliver(item)

    assert SECRET not in str(states(item))
    assert SECRET not in webhook.log.read_text()


def test_the_fan_out_makes_one_item_for_each_end(deployed, database, ended_batch, queue):
    from tests.fanout.conftest import envelope  # noqa: PLC0415

    batch, _ = ended_batch()
    database.execute("delete from batches where function = 'webhook'")
    fanout = deployed("fanout")

    reports = [
        fanout.post(envelope({"function": "webhook"}, message), token=fanout.token("pubsub")).json() for message in "12"
    ]

    assert [report["enlisted"] for report in reports] == [1, 0]
    (item,) = database.execute("select input from items where function = 'webhook'").fetchall()
    assert item["input"] == {"batch_id": str(batch), "round": 1, "url": "https://receiver.test/hook"}
    assert len(queue.waiting("webhooks")) == 1


def test_it_is_tried_for_more_than_a_day_and_then_no_more():
    waits = [later_or_never({"tries": tries}, "why", None, NOW) for tries in range(len(WAITS))]

    assert [(wait.until - NOW).total_seconds() for wait in waits] == list(WAITS)
    assert sum(WAITS) > 86_400
    last = later_or_never({"tries": len(WAITS)}, "It answered 500.", None, NOW)
    assert isinstance(last, Rejected)
    assert "the last" in last.detail


@given(asked=st.integers(0, 10**9), tries=st.integers(0, len(WAITS) - 1))
def test_a_receiver_can_put_off_a_try_but_not_for_ever(asked, tries):
    with pytest.raises(Deferred) as raised:
        verdict(Posted(503, timedelta(seconds=asked)), "https://a.test/", BATCH, 1, {"tries": tries}, NOW)

    assert WAITS[tries] <= (raised.value.until - NOW).total_seconds() <= max(43_200, WAITS[tries])


@given(body=st.binary(max_size=200), other=st.binary(max_size=200))
def test_only_what_was_signed_is_genuine(is_genuine, body, other):
    moment = int(time.time())
    header = f"t={moment},v1={signature(SECRET, body, moment)}"

    assert is_genuine(SECRET, body, header)
    assert is_genuine(SECRET, other, header) == (other == body)
    assert not is_genuine("another secret", body, header)
    assert not is_genuine(SECRET, body, header, now=moment + 301)


@pytest.mark.parametrize("header", ["", "t=,v1=", "t=x,v1=y", "v1=abc", "t=1", "nonsense", "t=1,v1=abc,,="])
def test_a_header_that_is_none_is_not_genuine(is_genuine, header):
    assert is_genuine(SECRET, b"", header) is False
