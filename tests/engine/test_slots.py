"""How closely a call keeps to its slot, how far off its slot is put, and what any window may hold because of it."""

import math
import random
import re
from bisect import bisect_left
from itertools import accumulate
from pathlib import Path

import pytest

from shared.clock import DatabaseClock
from shared.slots import (
    FIRST_LEAD_SECONDS,
    GRACE_SECONDS,
    LONGEST_LEAD_SECONDS,
    SPREAD_SECONDS,
    WIDENED,
    lead,
    most_in_window,
)

CLAIM = next((Path(__file__).parents[2] / "supabase" / "migrations").glob("*_claim.sql"))


def most_in(arrivals, seconds):
    return max(bisect_left(arrivals, at + seconds) - place for place, at in enumerate(arrivals))


@pytest.mark.parametrize("per_minute", [1, 7, 12, 60, 300, 600, 6000, 30_000])
@pytest.mark.parametrize("seconds", [10, 60])
def test_no_window_of_ten_seconds_or_a_minute_holds_more_than_the_limit(per_minute, seconds):
    assert most_in_window(seconds, per_minute) <= math.ceil(per_minute * seconds / 60)


@pytest.mark.parametrize("per_minute", [12, 600, 6000])
def test_97_percent_of_a_quota_is_used(per_minute):
    assert per_minute / WIDENED >= 0.97 * per_minute


def test_a_call_that_keeps_less_closely_to_its_slot_would_be_one_too_many():
    assert most_in_window(10, 600, spread=SPREAD_SECONDS + 0.02) == 101


@pytest.mark.parametrize("per_minute", [12, 600, 6000])
@pytest.mark.parametrize("seconds", [10, 60])
def test_the_bound_holds_for_calls_that_stray_as_far_as_they_may(per_minute, seconds):
    chance = random.Random(7)
    slots = list(accumulate([60 * WIDENED / per_minute] * 2000))

    for strays in ([chance.random() for _ in slots], [chance.choice([0, 1]) for _ in slots]):
        arrivals = sorted(slot + stray * SPREAD_SECONDS for slot, stray in zip(slots, strays, strict=True))
        assert most_in(arrivals, seconds) <= most_in_window(seconds, per_minute)


def test_the_database_spaces_slots_by_the_same_number():
    (widened,) = re.findall(r"request_gap := 60\.0 \* ([\d.]+) /", CLAIM.read_text())

    assert float(widened) == WIDENED


def test_a_slot_is_as_far_off_as_the_latest_recent_answer_and_a_little_more():
    quiet = [0.002] * 30

    assert lead(quiet) < 0.05
    assert 0.3 < lead([*quiet, 0.3]) < 0.5


def test_a_process_that_knows_few_answers_allows_for_late_ones():
    assert lead([]) == lead([0.0] * 3) == FIRST_LEAD_SECONDS


def test_a_missed_slot_puts_the_next_one_further_off_but_never_by_more_than_a_second():
    quiet = [0.04] * 30

    leads = [lead(quiet, missed) for missed in range(6)]

    assert leads == sorted(leads)
    assert leads[1] == 2 * leads[0]
    assert leads[-1] == LONGEST_LEAD_SECONDS


class Hands:
    """A clock that is moved by hand."""

    def __init__(self) -> None:
        self.at = 0.0

    def __call__(self) -> float:
        return self.at


@pytest.mark.parametrize(("seed", "longest"), [(1, 0.3), (2, 0.3), (3, 0.05)])
def test_of_300_deliveries_on_an_idle_quota_none_misses_its_slot_though_answers_come_late(seed, longest):
    """Each asks the database, whose answer takes up to `longest` seconds: is its slot still to come by then?"""
    chance, hands = random.Random(seed), Hands()
    clock = DatabaseClock(hands)
    missed = 0

    for _ in range(300):
        hands.at += 2
        moment = 5000 + hands.at
        slot = moment + lead(clock.lateness())
        hands.at += chance.uniform(0, longest)
        clock.heard(moment)
        missed += hands.at > clock.ours(slot) + GRACE_SECONDS

    assert missed == 0
