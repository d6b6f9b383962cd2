"""Many inputs may turn out to hold one content: the metered call is made for one of them, and each keeps a row."""

import threading

import pytest

from .world import World, ended, paid


@pytest.fixture
def pair(world: World):
    """Two items with inputs of their own, both at work."""
    return world.run(world.item(), books=False), world.run(world.item(), books=False)


def decisions(claims):
    return [(claim["decision"], claim["reason"]) for claim in claims]


def test_the_first_that_names_a_content_may_ask(world: World, pair):
    (claim,) = world.ready((pair[0], "picture"))

    assert claim["decision"] == "run"
    assert world.state(claim["item_id"])["attempts"] == 1


def test_another_with_the_same_content_waits_for_it(world: World, pair):
    world.ready((pair[0], "picture"))

    (claim,) = world.ready((pair[1], "picture"))

    assert decisions([claim]) == [("rest", "twin_running")]
    assert 0 < claim["wait"] <= 10
    assert world.state(claim["item_id"])["attempts"] == 0


def test_of_two_in_one_group_one_may_ask(world: World, pair):
    claims = world.ready((pair[0], "picture"), (pair[1], "picture"))

    assert decisions(claims) == [("run", None), ("rest", "twin_running")]


def test_other_content_does_not_wait(world: World, pair):
    claims = world.ready((pair[0], "picture"), (pair[1], "another"))

    assert [claim["decision"] for claim in claims] == ["run", "run"]


def test_the_other_is_told_whose_result_it_is(world: World, pair):
    first, second = pair
    world.ready((first, "picture"))
    world.keep(ended(first, **paid()))

    (claim,) = world.ready((second, "picture"))

    assert claim["decision"] == "known"
    assert claim["validators"] == {"result_id": str(first["item_id"])}
    assert world.state(second["item_id"])["state"] == "running"


def test_it_keeps_a_row_of_its_own(world: World, pair):
    first, second = pair
    world.ready((first, "picture"))
    world.keep(ended(first, **paid()))
    world.ready((second, "picture"))

    (kept,) = world.keep(ended(second))

    assert (kept["accepted"], kept["state"]) == (True, "done")
    assert world.one("select count(*) from article_summaries") == 2
    assert world.state(second["item_id"])["cost_usd"] == 0


def test_a_row_made_from_another_row_does_not_keep_it_young(world: World, pair):
    first, second = pair
    world.ready((first, "picture"))
    world.keep(ended(first, **paid()))
    world.ready((second, "picture"))
    world.keep(ended(second))
    world.db.execute(
        "update items set finished_at = finished_at - interval '40 days' where id = %s", [first["item_id"]]
    )

    (claim,) = world.ready((world.run(world.item(), books=False), "picture"))

    assert claim["decision"] == "run"


def test_a_known_content_takes_no_slot(world: World, pair):
    first, second = pair
    world.ready((first, "picture"))
    world.keep(ended(first, **paid()))
    before = world.one("select request_slot from quotas")

    world.ready((second, "picture"))

    assert world.one("select request_slot from quotas") == before


def test_a_new_version_of_what_is_computed_needs_no_new_answer(world: World, pair):
    first, second = pair
    world.ready((first, "picture"))
    world.keep(ended(first, **paid()))

    (claim,) = world.ready((second, "picture"), variant="2/m")

    assert claim["decision"] == "known"


def test_who_asks_for_a_fresh_result_takes_none_from_before(world: World):
    first = world.run(world.item(), books=False)
    world.ready((first, "picture"))
    world.keep(ended(first, **paid()))

    fresh = [world.run(world.item(fresh=True), books=False) for _ in range(2)]
    (one,) = world.ready((fresh[0], "picture"))
    world.keep(ended(fresh[0], **paid()))
    (other,) = world.ready((fresh[1], "picture"))

    assert (one["decision"], other["decision"]) == ("run", "known")


def test_one_that_failed_leaves_the_turn_to_the_other(world: World, pair):
    first, second = pair
    world.ready((first, "picture"))
    world.keep(ended(first, "failed"))

    (claim,) = world.ready((second, "picture"))

    assert claim["decision"] == "run"


def test_one_that_died_does_not_hold_the_other_back(world: World, pair):
    first, second = pair
    world.ready((first, "picture"))
    world.pass_time(200)

    (claim,) = world.ready((world.run(second["item_id"], books=False), "picture"))

    assert claim["decision"] == "run"


def test_who_lost_its_lease_names_nothing(world: World, pair):
    first, second = pair
    world.pass_time(200)
    world.run(first["item_id"], books=False)

    (late,) = world.ready((first, "picture"))
    (other,) = world.ready((second, "picture"))

    assert (late["decision"], other["decision"]) == ("rest", "run")


def test_of_many_on_connections_of_their_own_one_may_ask(world: World):
    running = [world.run(world.item(), books=False) for _ in range(8)]
    said, together = [], threading.Barrier(8)

    def book(claim):
        beside = world.beside()
        together.wait(10)
        said.extend(beside.ready((claim, "picture")))
        beside.db.close()

    threads = [threading.Thread(target=book, args=(claim,)) for claim in running]
    for one in threads:
        one.start()
    for one in threads:
        one.join(20)

    assert sorted(claim["decision"] for claim in said) == ["rest"] * 7 + ["run"]
