"""Who may ask, and how often: one call, the same for all instances."""

import json
import re
import threading
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .world import World

ADDRESS = "198.51.100.7"
DOCS = Path(__file__).parents[2] / "docs" / "api.md"


@pytest.fixture(autouse=True)
def _no_keys(world: World) -> None:
    world.as_owner("truncate audit, api_keys, rate_buckets, address_misses cascade")


def key(world: World, name: str = "pw_mine", tier: str = "default", **columns: Any) -> str:
    world.db.execute(
        "insert into api_keys (name, key_hash, tier, operator, revoked_at) values (%s, %s, %s, %s, %s)",
        [name, sha256(name.encode()).hexdigest(), tier, columns.get("operator", False), columns.get("revoked_at")],
    )
    return name


def admit(world: World, *names: str, endpoint: str = "other", address: str = ADDRESS) -> list[dict[str, Any]]:
    asks = [
        {"place": place, "key_hash": sha256(name.encode()).hexdigest(), "endpoint": endpoint, "address": address}
        for place, name in enumerate(names)
    ]
    rows = world.rows("select * from admit_v1(%s::jsonb[])", [json.dumps(ask) for ask in asks])
    return sorted(rows, key=lambda row: row["place"])


def verdicts(world: World, *names: str, **more: Any) -> Counter[str]:
    return Counter(row["verdict"] for row in admit(world, *names, **more))


def test_a_known_key_is_let_in_and_told_apart(world: World):
    mine = key(world, tier="premium", operator=True)

    (row,) = admit(world, mine)

    assert (row["verdict"], row["key_name"], row["tier"], row["operator"]) == ("ok", "pw_mine", "premium", True)
    assert (row["bucket"], row["per_minute"], row["remaining"]) == ("all", 120, 119)


@pytest.mark.parametrize(
    ("tier", "endpoint", "allowed"),
    [
        ("default", "other", 60), ("premium", "other", 120), ("enterprise", "other", 300),
        ("default", "submit", 10), ("default", "status", 180), ("default", "results", 60),
    ],
)  # fmt: skip
def test_a_minute_holds_what_the_tier_says_and_no_more(world: World, tier: str, endpoint: str, allowed: int):
    mine = key(world, tier=tier)

    found = verdicts(world, *[mine] * (allowed + 5), endpoint=endpoint)

    assert found == {"ok": allowed, "refused": 5}


def test_a_full_bucket_fills_again_with_time(world: World):
    mine = key(world)
    admit(world, *[mine] * 60)
    world.pass_time(10)

    assert verdicts(world, *[mine] * 60) == {"ok": 10, "refused": 50}


def test_who_is_refused_is_told_when_to_come_back(world: World):
    mine = key(world)
    refused = admit(world, *[mine] * 61)[-1]
    world.pass_time(refused["retry_seconds"])

    (row,) = admit(world, mine)

    assert 0 < refused["retry_seconds"] <= 1.01
    assert 59 < refused["reset_seconds"] <= 60.01
    assert row["verdict"] == "ok"


def test_endpoints_with_a_limit_of_their_own_take_nothing_from_the_others(world: World):
    mine = key(world)
    admit(world, *[mine] * 10, endpoint="submit")

    assert verdicts(world, mine, endpoint="submit") == {"refused": 1}
    assert verdicts(world, mine, endpoint="status") == {"ok": 1}
    assert verdicts(world, mine) == {"ok": 1}


def test_one_caller_never_uses_up_what_belongs_to_another(world: World):
    mine, other = key(world), key(world, "pw_other")
    admit(world, *[mine] * 60)

    assert verdicts(world, mine, other) == {"refused": 1, "ok": 1}


def test_the_docs_tell_the_limits_as_they_are(world: World):
    told = re.findall(r"^\| (\w+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \| ([\d,]+) \|$", DOCS.read_text(), re.MULTILINE)

    rows = world.rows(
        """
        select t.name, t.requests_per_minute, max(l.requests_per_minute) filter (where l.endpoint = 'submit') as submit,
          max(l.requests_per_minute) filter (where l.endpoint = 'status') as status,
          max(l.requests_per_minute) filter (where l.endpoint = 'results') as results
        from tiers t join tier_limits l on l.tier = t.name group by t.name order by t.requests_per_minute
        """
    )
    assert told == [tuple(f"{value:,}" if isinstance(value, int) else value for value in row.values()) for row in rows]


def test_a_limit_is_data(world: World):
    mine = key(world)
    with world.db.transaction(force_rollback=True):
        world.db.execute("update tiers set requests_per_minute = 3 where name = 'default'")

        assert verdicts(world, *[mine] * 5) == {"ok": 3, "refused": 2}


def test_instances_share_the_buckets_and_neither_waits_for_ever(world: World):
    names = [key(world, f"pw_{n}") for n in range(4)]
    found: Counter[str] = Counter()

    def ask(order: list[str]) -> None:
        beside = world.beside()
        for _ in range(10):
            found.update(verdicts(beside, *order, *order, "pw_unknown"))

    threads = [threading.Thread(target=ask, args=(order,)) for order in (names, names[::-1])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert found == {"ok": 160, "unknown": 20}


@pytest.mark.parametrize("given", ["unknown", "revoked"])
def test_a_key_that_is_none_is_not_let_in(world: World, given: str):
    key(world, revoked_at="2026-01-01")

    (row,) = admit(world, "pw_mine" if given == "revoked" else "pw_nobody")

    assert (row["verdict"], row["key_id"]) == ("unknown", None)


def test_unknown_keys_of_an_address_that_guesses_are_turned_away_for_a_while(world: World):
    admit(world, *["pw_guess"] * 20)

    assert admit(world, "pw_other_guess")[0]["verdict"] == "blocked"
    assert 590 < admit(world, "pw_other_guess")[0]["retry_seconds"] <= 600
    assert verdicts(world, "pw_guess", address="203.0.113.9") == {"unknown": 1}
    (row,) = world.rows("select * from blocked_addresses_v1() where address = %s", ADDRESS)
    assert (row["address"], row["misses"]) == (ADDRESS, 20)
    world.pass_time(601)
    assert verdicts(world, "pw_guess") == {"unknown": 1}


def test_a_known_key_is_let_in_from_an_address_that_guesses(world: World):
    mine = key(world)
    admit(world, *["pw_guess"] * 20)

    assert verdicts(world, mine, "pw_guess") == {"ok": 1, "blocked": 1}


def test_a_few_wrong_keys_now_and_then_block_nobody(world: World):
    for _ in range(5):
        admit(world, *["pw_guess"] * 10)
        world.pass_time(61)

    assert verdicts(world, "pw_guess") == {"unknown": 1}


def test_the_status_tells_every_bucket_and_takes_from_none(world: World):
    mine = key(world)
    key_id = admit(world, *[mine] * 12, endpoint="submit")[0]["key_id"]

    for _ in range(2):
        rows = {row["bucket"]: row for row in world.rows("select * from rate_status_v1(%s)", key_id)}

    assert {name: (row["per_minute"], row["remaining"], row["refused"]) for name, row in rows.items()} == {
        "all": (60, 60, 0), "submit": (10, 0, 2), "status": (180, 180, 0), "results": (60, 60, 0),
    }  # fmt: skip
    assert world.rows("select * from rate_refusals_v1()")[-1] == {"tier": "default", "bucket": "submit", "refused": 2}


@settings(max_examples=20, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.floats(0, 40), st.integers(1, 30)), min_size=1, max_size=8))
def test_no_more_is_let_in_than_a_bucket_that_fills_steadily_holds(world: World, steps: list[tuple[float, int]]):
    world.as_owner("truncate audit, api_keys, rate_buckets, address_misses cascade")
    mine, tokens = key(world), 60.0
    for seconds, asked in steps:
        world.pass_time(seconds)
        tokens = min(60.0, tokens + seconds)

        let_in = verdicts(world, *[mine] * asked)["ok"]

        # The database's clock goes on between two calls: a token more may have come in.
        assert int(min(asked, tokens) + 1e-6) <= let_in <= int(min(asked, tokens + 1.5))
        tokens -= let_in
