"""seeding: keys, and batches that ended before, with a row for each item; as if the stack had worked for a day."""

import hashlib
import secrets

from bench.load.scenarios import ITEMS_A_BATCH
from bench.rig import Rig

ENDED_BATCHES = 10
BATCHES = """\
insert into batches (function, source, owner, state, idempotency_key, finished_at, created_at, fanned_at, items_in)
select 'article', 'items', %s, 'completed', 'seed-' || n, now() - n * interval '1 hour', now() - n * interval '1 hour',
  now(), 1
from generate_series(1, %s) n returning id"""
ITEMS = """\
insert into items (batch_id, function, quota, state, attempts, input, input_key, domain, custom_id, finished_at,
  tokens_in, tokens_out, cost_usd)
select %s, 'article', 'gemini-text', 'done', 1, jsonb_build_object('url', 'http://daily.test/old/' || %s || '/' || n),
  'seed-' || n, 'daily.test', 'story-' || n, now() - interval '1 hour', 900, 200, 0.00017
from generate_series(1, %s) n"""
RESULTS = "update items set result_id = id where batch_id = any (%s::uuid[])"
ROWS = """\
insert into article_summaries (item_id, url, final_url, url_key, title, summary, key_points, entities, topics,
  sentiment, read_by, model, prompt_version, tokens_in, tokens_out, cost_usd, latency_ms, attempts)
select i.id, i.input ->> 'url', i.input ->> 'url', md5(i.id::text), 'A bridge was opened in the harbour',
  repeat('People came to see it, and the mayor spoke of what it had cost. ', 8),
  jsonb_build_array(repeat('It took four years. ', 4), repeat('It cost twice what was planned. ', 3)),
  '[{"name": "Harbour Bridge", "type": "place"}, {"name": "City Council", "type": "organisation"}]', '["economy"]',
  'neutral', 'fetch', 'gemini-3.5-flash-lite', '1', 900, 200, 0.00017, 800, 1
from items i where i.batch_id = any (%s::uuid[])"""


def customer(rig: Rig, number: int) -> tuple[str, list[str]]:
    """A new key of the tier enterprise, and its batches that have ended."""
    key = f"pw_{secrets.token_urlsafe(16)}"
    digest = hashlib.sha256(key.encode()).hexdigest()
    insert = "insert into api_keys (name, key_hash, tier) values (%s, %s, 'enterprise') returning id"
    (made,) = rig.sql(insert, f"user {number}", digest)
    batches = [str(row["id"]) for row in rig.sql(BATCHES, made["id"], ENDED_BATCHES)]
    for batch in batches:
        rig.sql(ITEMS, batch, batch, ITEMS_A_BATCH)
    rig.sql(RESULTS, batches)
    rig.sql(ROWS, batches)
    return key, batches
