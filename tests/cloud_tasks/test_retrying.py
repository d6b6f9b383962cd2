"""The retry rule by itself."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from local.cloud_tasks.retrying import RETENTION, GiveUp, Retry, RetryRule, after_failure, backoff, used_up

RULE = RetryRule(max_attempts=5, max_duration=0.0, min_backoff=10.0, max_backoff=300.0, max_doublings=3)


def test_waits_double_then_grow_in_equal_steps_up_to_the_ceiling():
    waits = [backoff(RULE, failures) for failures in range(1, 9)]

    assert waits == [10, 20, 40, 80, 160, 240, 300, 300]


@pytest.mark.parametrize(
    ("max_attempts", "max_duration", "attempts", "elapsed", "over"),
    [
        (5, 0, 4, 1e9, False),
        (5, 0, 5, 0, True),
        (5, 60, 5, 59, False),
        (5, 60, 4, 61, False),
        (5, 60, 5, 60, True),
        (-1, 0, 10**6, 1e9, False),
        (-1, 60, 10**6, 59, False),
        (-1, 60, 2, 60, True),
    ],
)
def test_retrying_ends_when_attempts_and_time_are_both_used_up(max_attempts, max_duration, attempts, elapsed, over):
    rule = RetryRule(max_attempts, max_duration, 1.0, 10.0, 3)

    assert used_up(rule, attempts=attempts, elapsed=elapsed) is over


def test_a_worker_may_ask_for_a_longer_wait_but_not_for_a_shorter_one():
    moment = {"attempts": 1, "first_attempt": 1000.0, "created": 1000.0, "now": 1000.0}

    assert after_failure(RULE, **moment, retry_after=42.0) == Retry(1042.0)
    assert after_failure(RULE, **moment, retry_after=3.0) == Retry(1010.0)


def test_nothing_is_tried_again_after_its_retention():
    rule = RetryRule(-1, 0.0, 10.0, 300.0, 3)
    now = 1000.0 + RETENTION - 5

    decision = after_failure(rule, attempts=1, first_attempt=1000.0, created=1000.0, now=now)

    assert isinstance(decision, GiveUp)


@given(
    failures=st.integers(1, 10_000),
    low=st.floats(0, 1e6),
    spread=st.floats(0, 1e6),
    doublings=st.integers(0, 2**31 - 1),
)
def test_waits_never_shrink_and_stay_between_their_bounds(failures, low, spread, doublings):
    rule = RetryRule(-1, 0.0, low, low + spread, doublings)

    wait, following = backoff(rule, failures), backoff(rule, failures + 1)

    assert low <= wait <= following <= low + spread
