"""What a claim, a keep or a sweep reads does not grow with what waits, runs or is done."""

import json
import uuid

import pytest

from .world import ARTICLE, QUOTA, World, ended

READ = """
select coalesce(seq_tup_read, 0) + coalesce(idx_tup_fetch, 0) from pg_stat_xact_user_tables where relname = 'items'
"""
FEW, MANY = 20, 3000


@pytest.fixture
def crowd(world: World):
    """Thousands of items in each state, claimed by plans that were made while all that was there was done."""
    for _ in range(8):
        world.finish(world.item())
    world.as_owner("vacuum analyze items")
    world.items(MANY)
    running = world.items(MANY)
    for start in range(0, MANY, 500):
        world.claim(*running[start : start + 500])
    world.db.execute(
        """
        insert into items (batch_id, function, quota, state, input, input_key, queued_at, finished_at, fingerprint,
          result_id)
        select batch_id, function, quota, 'done', '{}', gen_random_uuid()::text, now(), now(), sha256(int8send(n)),
          new_id()
        from (select * from items limit 1) one, generate_series(1, %s) n
        """,
        [MANY],
    )
    return running


def rows_read(world: World, query: str, *values) -> int:
    """Rows of items that a call reads."""
    with world.db.transaction():
        before = world.one(READ)
        world.rows(query, *values)
        return world.one(READ) - before


def test_a_claim_reads_few_rows(world: World, crowd):
    claims = [json.dumps({"item_id": str(item), "holder": str(uuid.uuid4())}) for item in world.items(FEW)]

    read = rows_read(world, "select * from claim_v1(%s::jsonb[], 'article', %s, '1/m')", claims, QUOTA)

    assert read < FEW * 30


def test_a_claim_that_names_its_content_reads_few_rows(world: World, crowd):
    running = [world.run(item, books=False) for item in world.items(FEW)]
    claims = [
        json.dumps({"item_id": str(claim["item_id"]), "holder": str(claim["holder"]), "content": f"picture {n}"})
        for n, claim in enumerate(running)
    ]

    read = rows_read(world, "select * from claim_v1(%s::jsonb[], 'article', %s, '1/m')", claims, QUOTA)

    assert read < FEW * 30


def test_a_keep_reads_few_rows(world: World, crowd):
    running = [world.run(item) for item in world.items(FEW)]
    results = [json.dumps({**ended(claim), "result": ARTICLE}, default=str) for claim in running]

    read = rows_read(world, "select * from keep_v1(%s::jsonb[], 'article', %s, 'article_summaries')", results, QUOTA)

    # Near its end a batch's live items are counted, 301 at most.
    assert read < FEW * 30 + 2 * 301


def test_a_sweep_reads_few_rows_of_a_fan_out_at_work(world: World, crowd):
    lost = [world.item(batch=world.batch()) for _ in range(FEW)]
    world.db.execute("update items set created_at = created_at - interval '1 hour' where id = any (%s)", [lost])
    world.db.execute("update batches set fanned_at = now() - interval '1 hour' where id <> %s", [world.batch_id])
    world.as_owner("analyze items")

    read = rows_read(world, "select sweep_v1(1000)")

    assert read < FEW * 30
    assert all(world.state(item)["queued_at"] for item in lost)
