"""Upstreams that fail: counted, left alone, then tried by exactly one."""

import uuid
from typing import Any

import pytest

from .world import DOMAIN, QUOTA, World, ended

SITE = f"domain:{DOMAIN}"
MODEL = f"quota:{QUOTA}"
# The rule of a domain: 5 failures, half of all, within 5 minutes; it rests for 5 minutes.
ENOUGH = 5
WINDOW = 300
REST = 300


def say(world: World, *words: bool, upstream: str = SITE, outcome: str = "failed") -> None:
    """One attempt for each word: is the upstream well?"""
    claims = [world.run(item) for item in world.items(len(words), domain="elsewhere.test")]
    world.keep(
        *(
            ended(
                claim, outcome, upstreams={upstream: word}, reason="http_500", error="no answer to what somebody typed"
            )
            for claim, word in zip(claims, words, strict=True)
        )
    )


def broken(world: World, upstream: str = SITE) -> World:
    say(world, *[False] * ENOUGH, upstream=upstream)
    return world


def rested(world: World, upstream: str = SITE) -> World:
    broken(world, upstream).pass_time(REST + 1)
    return world


def probe(world: World, **more: Any) -> dict[str, Any]:
    return world.run(world.item(**more))


def test_a_healthy_upstream_has_no_row(world: World):
    say(world, True, True, outcome="done")

    assert world.breaker() is None


def test_failures_are_counted(world: World):
    say(world, False, False)

    assert (world.breaker()["state"], world.breaker()["failures"]) == ("closed", 2)
    assert probe(world)["decision"] == "run"


def test_enough_failures_open_it(world: World):
    broken(world)

    found = world.breaker()
    assert (found["state"], found["reason"]) == ("open", "http_500")
    assert found["rest"] == pytest.approx(REST, abs=20)


def test_failures_over_several_keeps_open_it(world: World):
    for _ in range(ENOUGH):
        say(world, False)

    assert world.breaker()["state"] == "open"


def test_successes_dilute_the_rate(world: World):
    say(world, False)
    say(world, *[True] * 20, outcome="done")

    say(world, *[False] * ENOUGH)

    assert world.breaker()["state"] == "closed"


def test_an_attempt_that_says_nothing_of_it_does_not_count(world: World):
    say(world, False)
    for item in world.items(ENOUGH):
        world.finish(item, "deferred", rest_seconds=1)

    assert (world.breaker()["state"], world.breaker()["failures"]) == ("closed", 1)


def test_failures_of_long_ago_do_not_count(world: World):
    say(world, *[False] * (ENOUGH - 1))
    world.pass_time(WINDOW + 1)

    say(world, False)

    assert (world.breaker()["state"], world.breaker()["failures"]) == ("closed", 1)


def test_a_success_after_the_window_ends_the_counting(world: World):
    say(world, False)
    world.pass_time(WINDOW + 1)

    say(world, True, outcome="done")

    assert world.breaker() is None


def test_an_open_breaker_sends_back_without_an_attempt(world: World):
    broken(world)
    item = world.item()

    (claim,) = world.claim(item)

    assert (claim["decision"], claim["reason"]) == ("rest", "domain_rests")
    assert REST - 20 < claim["wait"] <= REST + 10
    assert world.state(item)["attempts"] == 0


def test_those_sent_back_do_not_come_at_once(world: World):
    broken(world)

    waits = {claim["wait"] for claim in world.claim(*world.items(20))}

    assert len(waits) == 20


def test_other_domains_go_on(world: World):
    broken(world)

    assert probe(world, domain="elsewhere.test")["decision"] == "run"


def test_after_the_rest_one_of_a_group_probes(world: World):
    rested(world)

    claims = world.claim(*world.items(5))

    assert [claim["decision"] for claim in claims] == ["run", "rest", "rest", "rest", "rest"]
    assert world.breaker()["probe_holder"] == claims[0]["holder"]


def test_while_a_probe_is_out_the_others_wait_for_it(world: World):
    rested(world)
    probe(world)

    (claim,) = world.claim(world.item())

    assert (claim["decision"], claim["reason"]) == ("rest", "domain_rests")
    # For its answer, that is, not for the end of its lease.
    assert 5 <= claim["wait"] <= 10


def test_a_probe_that_succeeds_closes_it(world: World):
    rested(world)

    world.keep(ended(probe(world), upstreams={SITE: True}))

    assert world.breaker() is None
    assert probe(world)["decision"] == "run"


def test_a_probe_that_fails_opens_it_again(world: World):
    rested(world)

    world.keep(ended(probe(world), "failed", upstreams={SITE: False}))

    assert world.breaker()["state"] == "open"
    assert world.claim(world.item())[0]["decision"] == "rest"


def test_only_the_prober_closes_it(world: World):
    early = probe(world)
    rested(world)
    probe(world)

    world.keep(ended(early, upstreams={SITE: True}))

    assert world.breaker()["state"] == "half_open"


def test_a_prober_that_died_leaves_its_place_after_its_lease(world: World):
    rested(world)
    first = probe(world)
    world.pass_time(100)

    second = probe(world)

    assert world.breaker()["probe_holder"] == second["holder"] != first["holder"]


@pytest.mark.parametrize("outcome", ["skipped", "deferred", "failed"])
def test_a_probe_that_ends_without_a_word_lets_the_next_one_probe_at_once(world: World, outcome: str):
    rested(world)
    world.keep(ended(probe(world), outcome))

    assert probe(world)["decision"] == "run"


def test_a_prober_that_renews_stays_the_prober(world: World):
    rested(world)
    first = probe(world)

    claims = world.claim(world.item(), (first["item_id"], first["holder"]))

    assert [claim["decision"] for claim in claims] == ["rest", "run"]
    assert world.breaker()["probe_holder"] == first["holder"]


def test_a_prober_that_renews_late_is_not_joined_by_another(world: World):
    rested(world)
    first = probe(world)
    world.pass_time(100)

    claims = world.claim(world.item(), (first["item_id"], first["holder"]))

    assert [claim["decision"] for claim in claims] == ["rest", "run"]


def test_a_broken_model_sends_back_everything_of_its_quota(world: World):
    broken(world, MODEL)

    (claim,) = world.claim(world.item(domain="elsewhere.test"))

    assert (claim["decision"], claim["reason"]) == ("rest", "quota_broken")


def test_a_claim_tells_how_long_a_broken_model_rests_so_that_slots_handed_out_before_are_void(world: World):
    broken(world, MODEL)

    (claim,) = world.claim(world.item())

    assert claim["quota_rests"] == pytest.approx(20, abs=1)


def test_a_claim_tells_of_no_rest_while_a_probe_is_out(world: World):
    rested(world, MODEL)

    (claim,) = world.claim(world.item())

    assert (claim["decision"], claim["quota_rests"]) == ("run", 0)


def test_a_broken_model_is_probed_by_one(world: World):
    rested(world, MODEL)

    claims = world.claim(*world.items(3))

    assert [claim["decision"] for claim in claims] == ["run", "rest", "rest"]


def test_a_broken_model_that_answers_is_well(world: World):
    rested(world, MODEL)

    world.keep(ended(probe(world), upstreams={MODEL: True}))

    assert world.breaker(MODEL) is None


def test_domain_and_model_both_broken_are_probed_by_the_same_one(world: World):
    rested(world)
    broken(world, MODEL).pass_time(30)

    claims = world.claim(*world.items(2))

    assert [claim["decision"] for claim in claims] == ["run", "rest"]
    assert world.breaker()["probe_holder"] == world.breaker(MODEL)["probe_holder"] == claims[0]["holder"]


def test_a_resting_domain_does_not_use_up_the_models_probe(world: World):
    broken(world, SITE)
    broken(world, MODEL).pass_time(30)

    claims = world.claim(world.item(), world.item(domain="elsewhere.test"))

    assert [(claim["decision"], claim["reason"]) for claim in claims] == [("rest", "domain_rests"), ("run", None)]


def test_words_of_late_attempts_do_not_touch_an_open_breaker(world: World):
    late = world.claim(*world.items(2))
    broken(world)

    world.keep(ended(late[0], upstreams={SITE: True}), ended(late[1], "failed", upstreams={SITE: False}))

    assert (world.breaker()["state"], world.breaker()["failures"]) == ("open", ENOUGH)


def test_a_probe_that_has_to_wait_for_its_quota_is_no_probe(world: World):
    rested(world)
    world.finish(world.item(domain="elsewhere.test"), "overloaded", rest_seconds=60)

    world.claim(world.item())

    assert world.breaker()["state"] == "open"


def test_one_keep_may_speak_of_many_upstreams(world: World):
    names = [f"domain:{uuid.uuid4().hex}.test" for _ in range(3)]
    claims = world.claim(*world.items(3))

    world.keep(*(ended(claim, "failed", upstreams=dict.fromkeys(names, False)) for claim in claims))

    assert [world.breaker(name)["failures"] for name in names] == [3, 3, 3]
