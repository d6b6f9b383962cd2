"""A project's max-rows ends an answer without a word, here after 50 rows: nothing is lost by it."""

import json
from uuid import uuid4

import pytest

from shared.items import ClaimRequest, Ended
from shared.store import Store
from tests.engine.door import MAX_ROWS
from tests.engine.here import manifests_of

MORE = 2 * MAX_ROWS + 20


@pytest.fixture
async def store(environment, database):
    store = Store(environment["SUPABASE_URL"], environment["SUPABASE_SECRET_KEY"])
    yield store
    await store.aclose()


@pytest.fixture
def probe(project):
    return manifests_of(project).functions["probe"]


@pytest.fixture
def items(database):
    """Waiting items of the probe."""
    batch = uuid4()
    database.execute("insert into batches (id, function, source, state) values (%s, 'probe', 'items', 'open')", [batch])
    inputs = [json.dumps({"input": {"do": "done", "n": n}, "input_key": f"key {n}"}) for n in range(MORE)]
    database.execute("select enlist_v1(%s::jsonb[], %s, 'probe', 'probe')", [inputs, batch])
    return [row["id"] for row in database.execute("select id from items order by id")]


async def test_pages_longer_than_an_answer_may_be_bring_every_row_once(store, database):
    database.execute("insert into news_urls (url) select 'http://a.test/' || n from generate_series(1, %s) n", [MORE])

    found = [row["id"] async for page in store.pages("news_urls", "id", key="id", size=100) for row in page]

    assert found == list(range(1, MORE + 1))


async def test_the_newest_rows_are_as_many_as_were_asked_for(store, database):
    database.execute("insert into news_urls (url) select 'http://a.test/' || n from generate_series(1, %s) n", [MORE])

    found = [row["id"] for row in await store.newest("news_urls", "id", MORE - 10)]

    assert found == list(range(MORE, 10, -1))


async def test_every_claim_and_every_result_of_a_group_is_answered(store, items, probe, item_of):
    claims = await store.claim([ClaimRequest(item, uuid4()) for item in items], probe, "1/m")
    kept = await store.keep([Ended(claim.item_id, claim.holder, "skipped", "no_content") for claim in claims], probe)

    assert [claim.item_id for claim in claims] == items
    assert {claim.decision for claim in claims} <= {"run", "rest"}
    assert [one.item_id for one in kept] == items
    assert {one.state for one in kept} == {item_of(item).state for item in items} == {"skipped"}
    assert {item_of(item).attempts for item in items} <= {0, 1}


async def test_metrics_tell_of_every_reason(store, items, database):
    database.execute("update items set state = 'dead', reason = 'reason ' || input_key")

    rows = await store.call("metrics_v1")

    assert sum(row["metric"] == "reasons" for row in rows) == len(items)
