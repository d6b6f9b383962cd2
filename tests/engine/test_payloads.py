"""Whatever the body and the headers hold, a function answers in a word, and never with its insides."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

FUZZ = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
BODIES = st.one_of(
    st.binary(max_size=200),
    JSON.map(lambda value: json.dumps(value).encode()),
    JSON.map(lambda value: json.dumps({"item_id": value}).encode()),
    st.uuids().map(lambda value: json.dumps({"item_id": str(value)}).encode()),
)
HEADERS = st.dictionaries(
    st.sampled_from(["x-cloudtasks-taskretrycount", "x-cloudtasks-queuename", "traceparent", "content-type"]),
    st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0", exclude_categories=["Cc"]), max_size=60),
)


@pytest.fixture
def probe(deployed):
    return deployed("probe")


@FUZZ
@given(body=BODIES, headers=HEADERS)
def test_any_body_is_answered_in_a_word(probe, body, headers):
    answer = probe.post(body, headers={name: value.strip().encode("latin-1") for name, value in headers.items()})

    assert answer.status_code == 200
    assert answer.text == "unknown" or answer.text.startswith("dropped: ")


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"null", b"[]", b'{"item_id": null}', b'{"item_id": 7}', b'{"item_id": ["a"]}', b"\xff\xfe",
     b'{"item_id": "not-a-uuid"}', b"[" * 100_000, b'{"item_id": ' + b"9" * 5000 + b"}"],
)  # fmt: skip
def test_a_payload_without_an_item_is_dropped_for_no_retry_would_mend_it(probe, body):
    answer = probe.post(body)

    assert (answer.status_code, answer.text) == (200, 'dropped: the body must be {"item_id": "<uuid>"}')
    assert probe.lines()[-1]["message"] == "bad_task"


@pytest.mark.parametrize("count", ["-1", "1e3", "two", "²", "9" * 5000, ""])
def test_an_odd_retry_count_is_no_obstacle(probe, enlist, count):
    item = enlist(do="done")

    answer = probe.deliver(item, headers={"X-CloudTasks-TaskRetryCount": count.encode("latin-1")})

    assert (answer.status_code, answer.text) == (200, "done")
    assert probe.lines(item)[-1]["delivery"] >= 1


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE"])
def test_other_methods_carry_no_item(probe, method):
    answer = probe.client.request(method, probe.url, headers={"Authorization": f"Bearer {probe.token()}"})

    assert answer.text.startswith("dropped: ")


def test_somebody_without_a_token_learns_nothing_about_the_payload(probe):
    answer = probe.post(b"[" * 100_000, token="x")

    assert answer.status_code == 401
