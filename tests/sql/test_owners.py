"""What is known of an input is known to its owner alone; to everybody where the manifest says `cache: all`."""

import uuid

import pytest

from .world import ARTICLE, World, ended, paid

TYPED = ["url", "final_url"]


def key(world: World, *, operator: bool = False) -> uuid.UUID:
    return world.one(
        "insert into api_keys (name, key_hash, operator) values ('test', %s, %s) returning id",
        uuid.uuid4().hex * 2, operator,
    )  # fmt: skip


def batch_of(world: World, owner: uuid.UUID | None, source: str = "items") -> uuid.UUID:
    return world.one(
        "insert into batches (function, source, state, owner) values ('article', %s, 'accepting', %s) returning id",
        source, owner,
    )  # fmt: skip


def item_of(world: World, owner: uuid.UUID, url: str = "https://daily.test/a") -> uuid.UUID:
    """The same input for every owner, each with his own spelling of it."""
    return world.item("same", batch=batch_of(world, owner), input={"url": url})


@pytest.fixture
def owners(world: World):
    return key(world), key(world)


def owner_of(world: World, batch: uuid.UUID) -> uuid.UUID:
    world.item(batch=batch)
    return world.one("select owner from items where batch_id = %s", batch)


def test_an_item_has_the_owner_of_its_batch(world: World):
    owner, operator = key(world), key(world, operator=True)
    the_operator = world.one("select operator_id()")

    assert owner_of(world, batch_of(world, owner)) == owner
    assert owner_of(world, batch_of(world, None)) == the_operator
    assert owner_of(world, batch_of(world, operator)) == the_operator
    assert owner_of(world, batch_of(world, owner, "backlog")) == the_operator


def test_an_owner_does_not_wait_for_anothers_work(world: World, owners):
    first, second = (item_of(world, owner) for owner in owners)
    world.run(first)

    assert world.run(second)["decision"] == "run"


def test_in_one_group_each_owners_item_runs(world: World, owners):
    claims = world.claim(*(item_of(world, owner) for owner in (*owners, owners[0])))

    assert [claim["decision"] for claim in claims] == ["run", "run", "rest"]


def test_an_owners_claim_does_not_wait_for_a_lock_on_anothers_item(world: World, owners):
    first, second = (item_of(world, owner) for owner in owners)
    beside = world.beside()
    world.db.execute("set lock_timeout = '5s'")
    with beside.db.transaction():
        beside.db.execute("select from items where id = %s for update", [first])

        assert world.run(second)["decision"] == "run"
    beside.db.close()


def test_a_result_is_used_again_by_its_owner_alone(world: World, owners):
    world.finish(item_of(world, owners[0]), **paid())

    decisions = [world.claim(item_of(world, owner))[0]["decision"] for owner in owners]

    assert decisions == ["cached", "run"]


def test_the_validators_of_a_result_are_its_owners(world: World, owners):
    world.finish(item_of(world, owners[0]), validators={"etag": "x"})
    world.pass_time(1001)

    claims = [world.run(item_of(world, owner), cache_seconds=1000) for owner in owners]

    assert [claim["validators"] is not None for claim in claims] == [True, False]


def test_a_content_is_known_to_its_owner_alone(world: World, owners):
    running = [
        world.run(world.item(batch=batch_of(world, owner)), books=False) for owner in (owners[0], owners[0], owners[1])
    ]
    world.ready((running[0], "picture"))
    world.keep(ended(running[0], **paid()))

    decisions = [world.ready((claim, "picture"))[0]["decision"] for claim in running[1:]]

    assert decisions == ["known", "run"]


def test_an_owner_does_not_wait_for_anothers_question_about_a_content(world: World, owners):
    running = [world.run(world.item(batch=batch_of(world, owner)), books=False) for owner in owners]

    claims = world.ready(*((claim, "picture") for claim in running))

    assert [claim["decision"] for claim in claims] == ["run", "run"]


def test_cache_all_uses_one_result_for_all_owners(world: World, owners):
    first, second = (item_of(world, owner) for owner in owners)
    running = world.run(first, cache="all")

    (waiting,) = world.claim(second, cache="all")
    world.keep(ended(running))
    world.pass_time(waiting["wait"])
    (claim,) = world.claim(second, cache="all")

    assert (waiting["decision"], waiting["reason"]) == ("rest", "twin_running")
    assert (claim["decision"], world.state(second)["result_id"]) == ("cached", first)


def test_no_longer_shared_results_are_not_found(world: World, owners):
    """The manifest said `cache: all`, and says `owner` now."""
    world.keep(ended(world.run(item_of(world, owners[0]), cache="all")))

    assert world.run(item_of(world, owners[1]))["decision"] == "run"


def shared_row(world: World, owners, url: str = "https://daily.test/a?utm_source=b#b"):
    first = item_of(world, owners[0])
    claim = world.run(first, cache="all")
    world.keep(ended(claim, result={**ARTICLE, "url": "https://daily.test/a?utm_source=a#a"}, **paid()))
    second = item_of(world, owners[1], url)
    assert world.claim(second, cache="all")[0]["decision"] == "cached"
    return first, second


def read(world: World, item: uuid.UUID):
    return world.one("select item_result_v1(%s, 'article_summaries', %s)", item, TYPED)


def test_anothers_row_is_told_with_ones_own_words_and_receipt(world: World, owners):
    first, second = shared_row(world, owners)

    row, its_makers = read(world, second), read(world, first)

    assert (row["item_id"], row["url"]) == (str(second), "https://daily.test/a?utm_source=b#b")
    assert row["final_url"] is None
    assert [row[name] for name in ("tokens_in", "tokens_out", "cost_usd", "attempts", "latency_ms")] == [0, 0, 0, 0, 0]
    assert row["created_at"] == world.one("select to_jsonb(finished_at) from items where id = %s", second)
    assert (row["summary"], row["title"]) == (ARTICLE["summary"], ARTICLE["title"])
    assert (its_makers["url"], its_makers["tokens_in"]) == ("https://daily.test/a?utm_source=a#a", 100)


def test_a_page_of_results_tells_the_same(world: World, owners):
    _, second = shared_row(world, owners)

    batch = world.one("select batch_id from items where id = %s", second)
    (line,) = world.listed("batch_results_v1(%s, 'article_summaries', typed => %s)", batch, TYPED)

    assert line["result"] == read(world, second)


def test_of_a_row_whose_items_were_deleted_nothing_typed_is_told(world: World, owners):
    first, second = shared_row(world, owners)

    world.db.execute("delete from items where id = %s", [first])

    assert read(world, second)["url"] == "https://daily.test/a?utm_source=b#b"


def test_a_row_of_ones_own_is_told_as_it_was_kept(world: World, owners):
    first = item_of(world, owners[0])
    world.finish(first, **paid())
    again = item_of(world, owners[0], "https://daily.test/a#again")
    world.claim(again)

    assert read(world, again) == read(world, first)
