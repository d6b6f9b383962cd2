"""A quota hands out slots: calls leave one by one, and no minute ever gets more than its limit."""

import itertools
import uuid
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .world import World, ended, paid

LEASE = 90
in_one_database = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
arrivals = st.lists(st.tuples(st.integers(1, 6), st.floats(0, 50)), min_size=1, max_size=8)


def paced(world: World, items: list[uuid.UUID], quota: str, **arguments: Any) -> list[dict[str, Any]]:
    return world.claim(*items, quota_name=quota, lease_seconds=LEASE, **arguments)


def slots(world: World, quota: str) -> list[float]:
    """The moment of every call that may go out, in seconds, on a clock that knows of passed time."""
    rows = world.rows(
        "select extract(epoch from leased_until)::float as until from items where quota = %s and state = 'running'",
        quota,
    )
    return sorted(row["until"] - LEASE for row in rows)


def most_in_a_minute(moments: list[float], weight: float = 1) -> float:
    return max(
        (sum(weight for other in moments if start <= other < start + 60) for start in moments),
        default=0,
    )


def test_slots_are_spaced(world: World):
    world.quota("slow", requests_per_minute=60)
    items = world.items(3, quota="slow")

    claims = paced(world, items, "slow")

    assert [claim["wait"] for claim in claims] == pytest.approx([0, 1.02, 2.04], abs=0.01)


def test_work_that_prepares_first_books_its_slot_when_it_is_ready(world: World):
    world.quota("slow", requests_per_minute=60, tokens_per_minute=60_000)
    looked = paced(world, world.items(3, quota="slow"), "slow", reserve_tokens=500, books=False)
    held = [(claim["item_id"], claim["holder"]) for claim in looked]

    booked = paced(world, held, "slow", reserve_tokens=500)

    assert [claim["decision"] for claim in looked] == ["run"] * 3
    assert [claim["wait"] for claim in looked] == [0, 0, 0]
    assert [claim["wait"] for claim in booked] == pytest.approx([0, 1.02, 2.04], abs=0.01)
    assert {claim["attempt"] for claim in booked} == {1}


def test_who_only_looks_is_sent_back_from_a_full_quota(world: World):
    world.quota("slow", requests_per_minute=6)
    paced(world, world.items(1, quota="slow"), "slow")

    (claim,) = paced(world, world.items(1, quota="slow"), "slow", books=False)

    assert (claim["decision"], claim["reason"]) == ("rest", "quota_full")


def test_tokens_that_were_never_booked_are_not_given_back(world: World):
    world.quota("slow", requests_per_minute=6000, tokens_per_minute=6000)
    paced(world, world.items(1, quota="slow"), "slow", reserve_tokens=1000)
    before = world.one("select extract(epoch from token_slot)::float from quotas where name = 'slow'")
    (claim,) = paced(world, world.items(1, quota="slow"), "slow", reserve_tokens=1000, books=False, patience_seconds=60)

    world.keep(ended(claim, "skipped", reserved=0), quota_name="slow", reserve_tokens=1000)

    after = world.one("select extract(epoch from token_slot)::float from quotas where name = 'slow'")
    assert after == pytest.approx(before)


def test_what_is_beyond_patience_comes_back_in_single_file(world: World):
    world.quota("slow", requests_per_minute=6)
    items = world.items(4, quota="slow")

    claims = paced(world, items, "slow", patience_seconds=3)

    assert [claim["decision"] for claim in claims] == ["run", "rest", "rest", "rest"]
    assert {claim["reason"] for claim in claims[1:]} == {"quota_full"}
    assert [claim["wait"] for claim in claims[1:]] == pytest.approx([10.2, 20.4, 30.6], abs=0.1)


def test_the_file_goes_on_over_claims(world: World):
    world.quota("slow", requests_per_minute=6)
    paced(world, world.items(3, quota="slow"), "slow")

    (claim,) = paced(world, world.items(1, quota="slow"), "slow")

    assert claim["wait"] > 25


def test_a_quota_that_was_idle_lets_one_go_at_once_not_more(world: World):
    world.quota("slow", requests_per_minute=6)
    paced(world, world.items(1, quota="slow"), "slow")
    world.pass_time(600)

    claims = paced(world, world.items(2, quota="slow"), "slow")

    assert [claim["decision"] for claim in claims] == ["run", "rest"]


def test_functions_that_share_a_quota_share_its_pace(world: World):
    world.quota("slow", requests_per_minute=60)
    paced(world, world.items(2, quota="slow"), "slow")

    (claim,) = paced(world, world.items(1, quota="slow"), "slow", function_name="poster")

    assert claim["wait"] == pytest.approx(2.04, abs=0.5)


def test_quotas_do_not_share_theirs(world: World):
    world.quota("slow", requests_per_minute=6)
    world.quota("other", requests_per_minute=6)
    paced(world, world.items(1, quota="slow"), "slow")

    (claim,) = paced(world, world.items(1, quota="other"), "other")

    assert claim["wait"] == pytest.approx(0, abs=0.1)


def test_a_slot_of_an_idle_quota_is_as_far_off_as_the_answer_that_tells_it_may_be_late(world: World):
    world.quota("slow", requests_per_minute=60)

    claims = paced(world, world.items(2, quota="slow"), "slow", lead_seconds=0.5)

    assert [claim["wait"] for claim in claims] == pytest.approx([0.5, 1.52], abs=0.001)


def test_a_busy_quota_loses_nothing_by_it(world: World):
    world.quota("slow", requests_per_minute=60)
    paced(world, world.items(2, quota="slow"), "slow")

    (claim,) = paced(world, world.items(1, quota="slow"), "slow", lead_seconds=0.5)

    assert claim["wait"] == pytest.approx(2.04, abs=0.5)


def test_it_is_never_further_off_than_who_asks_would_wait(world: World):
    world.quota("slow", requests_per_minute=60)

    (claim,) = paced(world, world.items(1, quota="slow"), "slow", lead_seconds=1, patience_seconds=0.2)

    assert (claim["decision"], claim["wait"]) == ("run", 0.2)


def test_who_only_looks_is_not_put_off(world: World):
    world.quota("slow", requests_per_minute=60)

    (claim,) = paced(world, world.items(1, quota="slow"), "slow", lead_seconds=0.5, books=False)

    assert (claim["decision"], claim["wait"]) == ("run", 0)


def test_tokens_space_the_calls_where_they_are_the_tighter_limit(world: World):
    world.quota("slow", requests_per_minute=6000, tokens_per_minute=6000)

    claims = paced(world, world.items(3, quota="slow"), "slow", reserve_tokens=100)

    assert [claim["wait"] for claim in claims] == pytest.approx([0, 1.03, 2.06], abs=0.005)


@pytest.mark.parametrize(("used", "gap"), [(100, 1.03), (300, 3.09), (0, 0)])
def test_tokens_that_were_used_count_instead_of_those_reserved(world: World, used: int, gap: float):
    world.quota("slow", requests_per_minute=6000, tokens_per_minute=6000)
    (claim,) = paced(world, world.items(1, quota="slow"), "slow", reserve_tokens=100)

    world.keep(ended(claim, **paid(tokens_in=used)), quota_name="slow", reserve_tokens=100)

    after = world.one("select extract(epoch from token_slot)::float from quotas where name = 'slow'")
    assert after - slots_start(world, claim) == pytest.approx(gap, abs=0.001)


def slots_start(world: World, claim: dict[str, Any]) -> float:
    """When the call of this claim, the first of its quota, went out."""
    request_slot = world.one("select extract(epoch from request_slot)::float from quotas where name = 'slow'")
    return float(request_slot) - 60 * 1.02 / 6000 - claim["wait"]


def test_a_repeated_keep_settles_tokens_once(world: World):
    world.quota("slow", requests_per_minute=6000, tokens_per_minute=6000)
    (claim,) = paced(world, world.items(1, quota="slow"), "slow", reserve_tokens=100)
    result = ended(claim, **paid(tokens_in=5000))
    world.keep(result, quota_name="slow", reserve_tokens=100)
    before = world.one("select token_slot from quotas where name = 'slow'")

    world.keep(result, quota_name="slow", reserve_tokens=100)

    assert world.one("select token_slot from quotas where name = 'slow'") == before


def test_a_function_that_reserves_nothing_still_waits_for_tokens_used(world: World):
    world.quota("slow", requests_per_minute=6000, tokens_per_minute=6000)
    (claim,) = paced(world, world.items(1, quota="slow"), "slow")
    world.keep(ended(claim, **paid(tokens_in=1000)), quota_name="slow")

    (claim,) = paced(world, world.items(1, quota="slow"), "slow")

    assert (claim["decision"], claim["wait"]) == ("rest", pytest.approx(10.15, abs=1))


@in_one_database
@given(groups=arrivals, limit=st.integers(1, 40), patience=st.sampled_from([0.5, 3.0, 30.0]))
def test_no_minute_ever_gets_more_calls_than_its_limit(world: World, groups, limit: int, patience: float):
    quota = world.quota(uuid.uuid4().hex, requests_per_minute=limit)

    for size, pause in groups:
        paced(world, world.items(size, quota=quota), quota, patience_seconds=patience)
        world.pass_time(pause)

    assert most_in_a_minute(slots(world, quota)) <= limit


@in_one_database
@given(groups=arrivals, limit=st.integers(100, 5000), share=st.integers(1, 100))
def test_no_minute_ever_gets_more_reserved_tokens_than_its_limit(world: World, groups, limit: int, share: int):
    quota = world.quota(uuid.uuid4().hex, requests_per_minute=100_000, tokens_per_minute=limit)
    reserved = max(1, limit * share // 100)

    for size, pause in groups:
        paced(world, world.items(size, quota=quota), quota, reserve_tokens=reserved, patience_seconds=30)
        world.pass_time(pause)

    assert most_in_a_minute(slots(world, quota), reserved) <= limit


@in_one_database
@given(groups=arrivals, used=st.lists(st.integers(0, 100), min_size=48, max_size=48))
def test_tokens_used_never_run_ahead_of_their_limit(world: World, groups, used: list[int]):
    quota = world.quota(uuid.uuid4().hex, requests_per_minute=100_000, tokens_per_minute=600)
    spending, calls = iter(used), []

    for size, pause in groups:
        claims = paced(world, world.items(size, quota=quota), quota, reserve_tokens=100, patience_seconds=30)
        moments = {row["holder"]: row["slot"] for row in running(world, quota)}
        for claim in (claim for claim in claims if claim["decision"] == "run"):
            tokens = next(spending)
            calls.append((moments[claim["holder"]] + world.shifted, tokens))
            world.keep(ended(claim, **paid(tokens_in=tokens)), quota_name=quota, reserve_tokens=100)
        world.pass_time(pause)

    first = calls[0][0]
    before = itertools.accumulate((tokens for _, tokens in calls), initial=0)
    for (moment, _), spent in zip(calls, before, strict=False):
        assert spent <= (moment - first) * 600 / 60 + 0.01


def running(world: World, quota: str) -> list[dict[str, Any]]:
    return world.rows(
        f"""select holder, extract(epoch from leased_until)::float - {LEASE} as slot
            from items where quota = %s and state = 'running'""",
        quota,
    )


def test_when_the_first_comes_back_there_is_a_slot_for_it(world: World):
    world.quota("slow", requests_per_minute=6)
    claims = paced(world, world.items(3, quota="slow"), "slow")
    world.pass_time(claims[1]["wait"])

    (again,) = paced(world, [claims[1]["item_id"]], "slow")

    assert again["decision"] == "run"


def test_who_prepares_comes_back_as_the_queue_hands_out(world: World):
    world.quota(requests_per_minute=60, dispatches_per_minute=600)
    world.run(world.item(), patience_seconds=30)

    claims = world.claim(*world.items(3), patience_seconds=0.5, books=False)

    assert [claim["reason"] for claim in claims] == ["quota_full"] * 3
    waits = [claim["wait"] for claim in claims]
    assert [later - earlier for earlier, later in itertools.pairwise(waits)] == pytest.approx([0.1, 0.1])
    # So long before the slot as it may wait for one.
    assert waits[0] == pytest.approx(1.02 - 0.5 + 0.1, abs=0.2)


def test_who_would_call_comes_back_call_by_call(world: World):
    world.quota(requests_per_minute=60, dispatches_per_minute=600)
    world.run(world.item(), patience_seconds=30)

    claims = world.claim(*world.items(3), patience_seconds=0.5)

    waits = [claim["wait"] for claim in claims]
    assert [later - earlier for earlier, later in itertools.pairwise(waits)] == pytest.approx([1.02, 1.02])
