"""The database's clock, as its answers tell it."""

import pytest

from shared.clock import REMEMBERED, DatabaseClock


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def test_an_answer_that_comes_late_does_not_move_the_clock():
    hands = Hands()
    clock = DatabaseClock(hands)
    clock.heard(5000.0)

    hands.at += 20
    clock.heard(5000.5)

    assert clock.ours(5001.0) == 101.0


def test_a_quicker_answer_sets_it_right():
    hands = Hands()
    clock = DatabaseClock(hands)
    hands.at += 0.5
    clock.heard(5000.0)

    hands.at += 1
    clock.heard(5001.4)

    assert clock.ours(5002.0) == pytest.approx(hands.at + 0.6)


def test_a_database_clock_that_was_set_back_is_believed_after_a_while():
    hands = Hands()
    clock = DatabaseClock(hands)
    clock.heard(5000.0)

    for _ in range(REMEMBERED):
        clock.heard(4990.0)

    assert clock.ours(4991.0) == 101.0


def test_after_a_freeze_the_clock_is_what_it_is_now():
    """The database's clock lost a second in the hour in which this instance was frozen."""
    hands = Hands()
    clock = DatabaseClock(hands)
    clock.heard(5000.0)

    hands.at += 3600
    clock.heard(8599.0)

    assert clock.ours(8600.0) == hands.at + 1


def test_until_something_is_heard_the_last_answer_counts_however_old_it_is():
    hands = Hands()
    clock = DatabaseClock(hands)
    clock.heard(5000.0)

    hands.at += 3600

    assert clock.ours(8600.0) == hands.at


def test_it_tells_how_late_answers_come():
    hands = Hands()
    clock = DatabaseClock(hands)
    clock.heard(5000.0)

    hands.at += 20
    clock.heard(5019.75)
    hands.at += 20
    clock.heard(5040.0)

    assert clock.lateness() == [0.0, 0.25, 0.0]
