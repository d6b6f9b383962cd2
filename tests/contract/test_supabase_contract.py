"""What the engine relies on of Supabase."""

from uuid import uuid4

import pytest

from shared.enlisting import entry
from shared.errors import StoreDown
from shared.items import ClaimRequest, Ended
from shared.manifest import Manifest
from shared.settings import Settings
from shared.store import Store

ARTICLE = Manifest(
    name="article", kind="item", quota="contract", table="article_summaries", backlog=None, url_field="url",
    model="none", reserve_tokens=0, max_output_tokens=8192, max_attempts=3,
    prepares=False, patience_seconds=3, ready_patience_seconds=15,
    cache_days=1, work_seconds=30,
    timeout_seconds=60, lease_seconds=90, dispatch_deadline_seconds=75,
)  # fmt: skip


async def test_an_item_is_enlisted_claimed_and_kept(supabase_settings: Settings):
    store = Store.of(supabase_settings)
    await store.call("sync_quotas_v1", quotas=[{"name": "contract", "requests_per_minute": 6000}])
    batch_id = str(uuid4())
    await store.insert(
        "batches", [{"id": batch_id, "function": "article", "source": "items", "state": "open"}], on_conflict="id"
    )
    await store.call(
        "enlist_v1",
        inputs=[entry({"url": f"https://example.com/{batch_id}"}, ARTICLE)],
        batch_id=batch_id,
        function_name="article",
        quota_name="contract",
    )
    (row,) = await store.select("items", "id", batch_id=batch_id)

    (claim,) = await store.claim([ClaimRequest(row["id"], uuid4())], ARTICLE, "contract")
    (kept,) = await store.keep([Ended(claim.item_id, claim.holder, "skipped", "no_content")], ARTICLE)
    (again,) = await store.claim([ClaimRequest(row["id"], uuid4())], ARTICLE, "contract")

    assert claim.decision == "run"
    assert claim.input == {"url": f"https://example.com/{batch_id}"}
    assert (kept.accepted, kept.state) == (True, "skipped")
    assert again.decision == "done"
    await store.aclose()


async def test_pages_go_on_behind_the_last_row(supabase_settings: Settings):
    store = Store.of(supabase_settings)
    url = f"https://example.com/{uuid4()}"
    await store.insert("news_urls", [{"url": f"{url}/{n}"} for n in range(25)], on_conflict="url")

    pages = [
        [row["url"] for row in rows if row["url"].startswith(url)]
        async for rows in store.pages("news_urls", "id,url", key="id", size=10)
    ]

    assert [one for page in pages for one in page] == [f"{url}/{n}" for n in range(25)]
    await store.aclose()


async def test_a_refused_key_says_which_setting(supabase_settings: Settings):
    wrong = supabase_settings.model_copy(
        update={"supabase_secret_key": type(supabase_settings.supabase_secret_key)("sb_secret_wrong")}
    )

    with pytest.raises(StoreDown, match="SUPABASE_SECRET_KEY"):
        await Store.of(wrong).check()


async def test_the_public_key_sees_nothing(supabase_settings: Settings):
    no_key = type(supabase_settings.supabase_secret_key)("none")
    store = Store.of(supabase_settings.model_copy(update={"supabase_secret_key": no_key}))

    with pytest.raises(StoreDown):
        await store.select("items", "id")
