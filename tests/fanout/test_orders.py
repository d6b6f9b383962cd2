"""What a push may hold: one of three orders; of anything else it is said what is wrong."""

import base64
import json
from uuid import RFC_4122, UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from functions.fanout.orders import BadOrder, FanBacklog, FanBatch, Push, Sweep, read_push, run_id

BATCH = "01234567-89ab-7def-8123-456789abcdef"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
KEYS = st.sampled_from(["batch_id", "after", "function", "limit", "dry_run", "options", "sweep", "more"])
ORDERS = st.dictionaries(KEYS, JSON | st.just(BATCH) | st.just(True), max_size=4)


def body(order, **more):
    data = base64.b64encode(json.dumps(order).encode()).decode()
    return json.dumps({"message": {"data": data, "messageId": "7", **more}}).encode()


@pytest.mark.parametrize(
    ("order", "read"),
    [
        ({"batch_id": BATCH}, FanBatch(batch_id=UUID(BATCH))),
        ({"function": "article", "limit": 5}, FanBacklog(function="article", limit=5)),
        ({"function": "article"}, FanBacklog(function="article", limit=500)),
        ({"function": "article", "batch_id": BATCH}, FanBacklog(function="article", batch_id=UUID(BATCH))),
        ({"sweep": True}, Sweep(sweep=True)),
    ],
)
def test_an_order_is_read(order, read):
    push = read_push(body(order))

    assert (push.order, push.message_id) == (read, "7")


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ({}, "Field required"),
        ({"batch_id": "x"}, "UUID"),
        ({"function": "article", "limit": 0}, "greater than or equal to 1"),
        ({"function": "article", "limit": 10**9}, "less than or equal to 1000000"),
        ({"function": "article", "many": 1}, "not permitted"),
        ({"sweep": False}, "True"),
        ([], "dictionary"),
    ],
)
def test_a_wrong_order_is_told_what_is_wrong_with_it(order, said):
    with pytest.raises(BadOrder) as raised:
        read_push(body(order))

    assert said in str(raised.value)


@pytest.mark.parametrize(
    "raw",
    [b"", b"{}", b"null", b'{"message": 5}', b'{"message": {}}', b'{"message": {"data": "%%%", "messageId": "1"}}',
     b'{"message": {"data": "e30="}}', b'{"message": {"data": "", "messageId": "1"}}', b"[" * 100_000, b"\xff"],
)  # fmt: skip
def test_what_is_no_push_is_no_order(raw):
    with pytest.raises(BadOrder):
        read_push(raw)


def outcome(raw):
    try:
        return read_push(raw).order
    except BadOrder as wrong:
        return str(wrong)


@given(ORDERS)
def test_any_content_is_an_order_or_told_to_be_none(order):
    read = outcome(body(order))

    assert isinstance(read, FanBacklog | FanBatch | Sweep) or (isinstance(read, str) and read)


@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps({"message": value}).encode()))
def test_any_body_is_a_push_or_told_to_be_none(raw):
    with pytest.raises(BadOrder):
        read_push(raw)


def test_a_runs_batch_has_its_messages_place_in_time():
    first, again, later, unknown = (
        run_id(Push(name, Sweep(sweep=True), published_at=published))
        for name, published in [
            ("1", "2026-11-22T10:00:00.123456789Z"),
            ("1", "2026-11-22T10:00:00.123456789Z"),
            ("0", "2026-11-22T10:00:01Z"),
            ("1", ""),
        ]
    )

    assert first == again
    assert (first.version, first.variant) == (7, RFC_4122)
    assert first < later
    assert unknown.version == 5
