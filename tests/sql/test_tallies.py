"""Counts that are kept beside the items are what a count of the items would be, at every moment."""

import threading
import uuid
from typing import Any

import psycopg
import pytest
from psycopg.rows import dict_row

from .world import World, ended, paid

EVERYTHING = "00000000-0000-0000-0000-000000000000"
COUNTED = """
  select i.{scope} as scope, i.function, i.state, count(*) as items, sum(i.attempts) as attempts,
    sum(i.tokens_in) as tokens_in, sum(i.cost_usd) as cost_usd,
    count(*) filter (where i.state = 'done' and i.result_id <> i.id) as cached
  from (select i.*, b.owner as key, %s::uuid as everything from items i join batches b on b.id = i.batch_id) i
  where i.{scope} is not null group by 1, 2, 3 order by 1, 2, 3
"""
TALLIED = """
  select c.scope, c.function, c.state, sum(c.items)::bigint as items, sum(c.attempts) as attempts,
    sum(c.tokens_in) as tokens_in, sum(c.cost_usd) as cost_usd, sum(c.cached)::bigint as cached
  from item_counts c where c.scope = any (%s) group by 1, 2, 3 having sum(c.items) <> 0 order by 1, 2, 3
"""


def assert_tallied(db: psycopg.Connection[dict[str, Any]]) -> None:
    """In one snapshot, at all three levels."""
    with db.transaction():
        db.execute("set transaction isolation level repeatable read")
        for scope in ("everything", "key", "batch_id"):
            counted = db.execute(COUNTED.format(scope=scope), [EVERYTHING]).fetchall()  # type: ignore[arg-type]
            scopes = [row["scope"] for row in counted]
            assert db.execute(TALLIED, [scopes]).fetchall() == counted


@pytest.fixture
def owned(world: World) -> World:
    """The batch has an owner, whose is another one too."""
    owner = world.one(
        "insert into api_keys (name, key_hash) values ('a', encode(sha256(random()::text::bytea), 'hex')) returning id"
    )
    world.batch()
    world.db.execute("update batches set owner = %s", [owner])
    return world


def live(world: World) -> None:
    """Items of every kind, on every way."""
    done, skipped, dead, failed, deferred, *_ = world.items(8)
    world.finish(done, **paid())
    world.finish(skipped, "skipped", reason="paywall")
    world.finish(dead, "dead", reason="bad_input")
    world.finish(failed, "failed", reason="timeout")
    world.finish(deferred, "deferred", reason="domain_rests", rest_seconds=60)
    world.claim(world.item())
    again = uuid.uuid4().hex
    world.finish(world.item(again))
    world.claim(world.item(again, batch=world.batch()))


def test_tallies_are_what_a_count_is(owned: World):
    live(owned)

    assert_tallied(owned.db)


def test_tallies_stay_what_they_are_when_they_are_folded(owned: World):
    live(owned)
    owned.pass_time(61)
    live(owned)

    owned.one("select fold_tallies_v1()")

    assert owned.one("select count(*) from item_changes where at < now() - interval '1 minute'") == 0
    assert owned.one("select count(*) from item_tallies") > 0
    assert_tallied(owned.db)


def test_what_folds_to_nothing_leaves_no_row(owned: World):
    owned.finish(owned.item())
    owned.pass_time(61)

    owned.one("select fold_tallies_v1()")

    assert {row["state"] for row in owned.rows("select state from item_tallies")} == {"done"}


def test_a_deleted_batch_takes_its_items_out_of_its_owners_tallies(owned: World):
    live(owned)

    owned.db.execute("delete from batches where id = %s", [owned.batch_id])

    assert_tallied(owned.db)
    assert owned.one("select sum(items) from item_counts where scope = %s", owned.batch_id) == 0


def test_a_dead_letter_that_is_discarded_is_tallied_so(owned: World):
    item = owned.item()
    owned.finish(item, "dead", reason="bad_input")

    owned.db.execute("update items set discarded_at = now() where id = %s", [item])

    counted = (
        "select sum(items) as dead, sum(discarded) as discarded from item_counts where scope = %s and state = 'dead'"
    )
    assert owned.rows(counted, EVERYTHING) == [{"dead": 1, "discarded": 1}]


def test_a_rolled_back_change_was_never_counted(owned: World):
    with owned.db.transaction(force_rollback=True):
        owned.items(5)

    assert_tallied(owned.db)


def test_tallies_hold_at_every_moment_while_many_work_and_somebody_folds(owned: World):
    failures: list[BaseException] = []
    working = threading.Barrier(4)

    def guarded(act: Any) -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - the test tells of it, the thread cannot
            failures.append(error)
            working.abort()

    def work() -> None:
        mine = owned.beside()
        working.wait(20)
        for _ in range(15):
            claims = mine.claim(*mine.items(10))
            mine.keep(*(ended(claim, **paid()) for claim in claims if claim["decision"] == "run"))
        mine.db.close()

    def fold() -> None:
        with psycopg.connect(owned.db.info.dsn, autocommit=True) as mine:
            working.wait(20)
            while any(thread.is_alive() for thread in threads[:3]):
                # As if a minute had gone by.
                mine.execute("update item_changes set at = at - interval '1 hour' where scope = %s", [EVERYTHING])
                mine.execute("select fold_tallies_v1()")

    threads = [threading.Thread(target=guarded, args=(act,)) for act in (work, work, work, fold)]
    for thread in threads:
        thread.start()
    with psycopg.connect(owned.db.info.dsn, autocommit=True, row_factory=dict_row) as looking:
        looks = 0
        while any(thread.is_alive() for thread in threads):
            assert_tallied(looking)
            looks += 1
    for thread in threads:
        thread.join(30)

    assert not failures
    assert looks > 3
    assert owned.one("select sum(items) from item_counts where scope = %s and state = 'done'", EVERYTHING) == 450


def test_what_attempts_took_is_tallied_for_all_and_for_the_owner(owned: World):
    owned.finish(owned.item(), seconds=2.0, **paid(100, 10, 0.001))
    owned.finish(owned.item(), "failed", reason="timeout", seconds=700.0)

    rows = owned.rows("select * from attempt_counts where scope = %s order by outcome", EVERYTHING)

    bounds = owned.one("select duration_bounds()")
    assert [(row["outcome"], row["attempts"], row["tokens_in"]) for row in rows] == [("done", 1, 100), ("failed", 1, 0)]
    assert bounds[rows[0]["bucket"] - 1] <= 2.0 < bounds[rows[0]["bucket"]]
    assert rows[1]["bucket"] == len(bounds)
    assert owned.one("select count(distinct scope) from attempt_counts") == 2


def test_an_item_that_was_given_an_earlier_result_counts_as_an_outcome_too(owned: World):
    owned.finish(owned.item("same"))

    again = owned.batch()
    owned.db.execute("update batches set owner = (select owner from batches where id = %s)", [owned.batch_id])
    owned.claim(owned.item("same", batch=again))

    assert owned.one("select attempts from attempt_counts where outcome = 'cached' and scope = %s", EVERYTHING) == 1


def test_what_is_long_ago_is_kept_by_the_minute_then_by_the_day_then_in_one(owned: World):
    grains = []
    owned.finish(owned.item(), seconds=2.0)
    for seconds in (120, 3 * 3600, 41 * 86400):
        owned.pass_time(seconds)
        owned.one("select fold_tallies_v1()")
        grains.append(
            owned.one(
                """
                select case when at = '-infinity' then 'ever' when at = date_trunc('day', at, 'UTC') then 'day'
                  when at = date_trunc('minute', at, 'UTC') then 'minute' end
                from attempt_counts where scope = %s
                """,
                EVERYTHING,
            )
        )

    assert grains[1:] == ["day", "ever"]
    assert grains[0] in {"minute", "day"}  # at midnight the one is the other
    assert owned.one("select sum(attempts) from attempt_counts where scope = %s", EVERYTHING) == 1


def test_the_dashboard_of_an_owner_shows_nothing_of_another(owned: World):
    live(owned)
    other = owned.one(
        "insert into api_keys (name, key_hash) values ('b', encode(sha256(random()::text::bytea), 'hex')) returning id"
    )

    row = owned.one("select dashboard_v1(%s)", other)

    assert (row["items"], row["attempts"], row["costs"], row["dead"]) == ([], [], [], [])
    assert {(quota["requests_used"], quota["tokens_used"]) for quota in row["quotas"]} == {(0, 0)}


def test_the_dashboard_of_an_owner_and_the_operators_show_the_newest_dead_letters(owned: World):
    owner = owned.one("select owner from batches where id = %s", owned.batch_id)
    mine, foreign = owned.item(), owned.item(batch=owned.batch())
    for item in (mine, foreign):
        owned.finish(item, "dead", reason="bad_input", error="url: missing")

    shown = {
        whose: [row["item_id"] for row in owned.one("select dashboard_v1(%s)", whose)["dead"]]
        for whose in (owner, EVERYTHING)
    }

    assert shown == {owner: [str(mine)], EVERYTHING: [str(foreign), str(mine)]}
