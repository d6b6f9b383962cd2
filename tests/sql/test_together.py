"""Many at once: what holds for one connection holds for several."""

import random
import threading
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from .world import DOMAIN, World, ended, paid

ROUNDS = 30
MOST_STEPS = 2000


@pytest.fixture
def pair(world: World) -> Iterator[tuple[World, World]]:
    with connections(world, 2) as (one, other):
        yield one, other


@contextmanager
def connections(world: World, count: int) -> Iterator[list[World]]:
    made = [world.beside() for _ in range(count)]
    yield made
    for one in made:
        one.db.close()


def at_once(*acts: Callable[[], Any]) -> list[Any]:
    """What each answers; all begin at the same moment, in threads of their own. Raises what one raised."""
    start = threading.Barrier(len(acts))
    answers: list[Any] = [None] * len(acts)

    def run(place: int) -> None:
        start.wait(30)
        try:
            answers[place] = acts[place]()
        except Exception as error:  # noqa: BLE001 - raised again below, in the test's own thread
            answers[place] = error

    threads = [threading.Thread(target=run, args=(place,)) for place in range(len(acts))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def decisions(answers: Sequence[list[dict[str, Any]]]) -> Counter[str]:
    return Counter(claim["decision"] for claims in answers for claim in claims)


def test_an_item_claimed_twice_at_once_runs_once(world: World, pair):
    one, other = pair
    for item in world.items(ROUNDS):
        answers = at_once(partial(one.claim, item), partial(other.claim, item))

        assert decisions(answers) == {"run": 1, "rest": 1}
        assert world.state(item)["attempts"] == 1


def test_groups_that_overlap_run_each_item_once(world: World, pair):
    one, other = pair
    for _ in range(ROUNDS // 3):
        items = world.items(40)

        answers = at_once(partial(one.claim, *items[:30]), partial(other.claim, *items[:9:-1]))

        assert decisions(answers) == {"run": 40, "rest": 20}


def test_items_alike_claimed_at_once_are_paid_for_once(world: World, pair):
    one, other = pair
    for number in range(ROUNDS):
        first, second = world.item(f"same {number}"), world.item(f"same {number}", batch=world.batch())

        answers = at_once(partial(one.claim, first), partial(other.claim, second))

        assert decisions(answers) == {"run": 1, "rest": 1}


def test_of_two_results_at_once_one_is_kept(world: World, pair):
    one, other = pair
    for item in world.items(ROUNDS):
        late = world.run(item)
        world.pass_time(200)
        second = world.run(item)

        answers = at_once(partial(one.keep, ended(late, **paid(3))), partial(other.keep, ended(second, **paid(4))))

        assert sorted(kept["accepted"] for (kept,) in answers) == [False, True]
        assert world.state(item)["tokens_in"] == 7


def test_the_same_result_told_twice_at_once_counts_once(world: World, pair):
    one, other = pair
    for item in world.items(ROUNDS):
        result = ended(world.run(item), "failed", upstreams={f"domain:{item}": False}, **paid(5))

        at_once(partial(one.keep, result), partial(other.keep, result))

        assert world.state(item)["tokens_in"] == 5
        assert world.breaker(f"domain:{item}")["failures"] == 1


def test_exactly_one_of_two_connections_probes(world: World, pair):
    one, other = pair
    for _ in range(ROUNDS // 3):
        world.db.execute(
            """insert into breakers (name, state, window_ends, rests_until) values (%s, 'open', now(), now())
               on conflict (name) do update set state = 'open', rests_until = now(), probe_holder = null""",
            [f"domain:{DOMAIN}"],
        )
        groups = world.items(3), world.items(3)

        answers = at_once(partial(one.claim, *groups[0]), partial(other.claim, *groups[1]))

        assert decisions(answers) == {"run": 1, "rest": 5}


def test_two_connections_share_one_pace(world: World, pair):
    one, other = pair
    world.quota("slow", requests_per_minute=60)
    groups = world.items(3, quota="slow"), world.items(3, quota="slow")

    answers = at_once(
        partial(one.claim, *groups[0], quota_name="slow", patience_seconds=30),
        partial(other.claim, *groups[1], quota_name="slow", patience_seconds=30),
    )

    slots = world.rows("select leased_until as slot from items where quota = 'slow' order by 1")
    gaps = [(b["slot"] - a["slot"]).total_seconds() for a, b in pairwise(slots)]
    assert decisions(answers) == {"run": 6}
    assert min(gaps) == pytest.approx(1.02, abs=0.001)


def test_sweeps_at_once_find_each_item_once(world: World, pair):
    one, other = pair
    items = world.items(200)
    world.pass_time(200)

    answers = at_once(*(partial(own.listed, "sweep_v1(150)") for own in (one, other)))

    found = [row["item_id"] for rows in answers for row in rows]
    assert len(found) == len(set(found))
    assert set(found) <= set(items)


def test_a_batch_that_ends_takes_no_more_and_one_that_takes_more_does_not_end(world: World, pair):
    one, other = pair
    for number in range(ROUNDS):
        batch = world.batch()
        running = world.run(world.item(batch=batch))

        (enlisted, _) = at_once(partial(one.enlist, f"late {number}", batch=batch), partial(other.keep, ended(running)))

        state = world.one("select state from batches where id = %s", batch)
        assert (enlisted["enlisted"], state) in {(1, "open"), (0, "completed")}


class Worker:
    """Claims random groups and keeps how they ended, until every item is final; notes what it did."""

    def __init__(self, world: World, items: list[uuid.UUID], seed: int) -> None:
        self.world = world
        self.items = items
        self.random = random.Random(seed)
        self.attempts: Counter[uuid.UUID] = Counter()
        self.tokens: Counter[uuid.UUID] = Counter()

    def work(self) -> None:
        left = list(self.items)
        for _ in range(MOST_STEPS):
            group = self.random.sample(left, min(len(left), self.random.randint(1, 12)))
            # Patient enough to run what was told to come back in some seconds.
            claims = self.world.claim(*group, max_attempts=1000, patience_seconds=60)
            ends = [self.end(claim) for claim in claims if claim["decision"] == "run"]
            self.random.shuffle(ends)
            self.world.keep(*ends, max_attempts=1000)
            final = {claim["item_id"] for claim in claims if claim["decision"] in {"done", "cached"}}
            left = [item for item in left if item not in final]
            if not left:
                return

    def end(self, claim: dict[str, Any]) -> dict[str, Any]:
        outcome = self.random.choice(["done", "done", "skipped", "failed", "deferred"])
        tokens = self.random.randint(1, 100)
        self.tokens[claim["item_id"]] += tokens
        self.attempts[claim["item_id"]] += outcome != "deferred"
        # One domain in a dozen does badly, so that rows of breakers come and go, and some open.
        words = {f"domain:{self.random.randint(1, 12)}.test": self.random.random() > 0.3 for _ in range(3)}
        return ended(claim, outcome, upstreams=words, **paid(tokens_in=tokens))


def test_workers_in_each_others_way_neither_stop_nor_miscount(world: World):
    world.quota(tokens_per_minute=1e9)
    # Every key is in two batches; the items' own domain never fails.
    keys = [f"k{number}" for number in range(300)]
    items = [world.item(key, batch=batch) for batch in (world.batch(), world.batch()) for key in keys]
    with connections(world, 6) as worlds:
        workers = [Worker(own, items, seed) for seed, own in enumerate(worlds[:5])]
        stop = threading.Event()

        def tend() -> None:
            """The fan-out and the sweep, meanwhile."""
            while not stop.is_set():
                worlds[5].one("select mark_queued_v1(%s)", items)
                worlds[5].listed("sweep_v1(10)")

        def labour() -> None:
            try:
                at_once(*(worker.work for worker in workers))
            finally:
                stop.set()

        at_once(labour, tend)

    attempts = sum((worker.attempts for worker in workers), Counter())
    tokens = sum((worker.tokens for worker in workers), Counter())
    rows = world.rows("select id, state, attempts, tokens_in from items")
    assert {row["state"] for row in rows} <= {"done", "skipped"}
    assert {row["id"]: row["attempts"] for row in rows if row["attempts"]} == {k: v for k, v in attempts.items() if v}
    assert {row["id"]: row["tokens_in"] for row in rows if row["tokens_in"]} == dict(tokens)
    assert world.one("select sum(tokens_in) from attempts") == sum(tokens.values())
