"""How many items a second the database takes in, marks, claims and keeps, in groups of 100 over one connection.

Measured twice in one run, with 1,000 and with 1,000,000 items in the table: it should make no difference. A durable
Postgres of its own, with its defaults. Appends a line to bench/results/sql.jsonl.

    python -m bench.sql
"""

import json
import os
import tempfile
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import psycopg

from bench import record
from local.postgres import get_server, socket_folder  # type: ignore[attr-defined]

ROOT = Path(__file__).parents[1]
GROUP = 100
MEASURED = 10_000
SIZES = (1_000, 1_000_000)
Connection = psycopg.Connection[tuple[Any, ...]]

ROW = {
    "url": "https://daily.test/economy/harbour-bridge",
    "final_url": "https://daily.test/economy/harbour-bridge",
    "url_key": "daily.test/economy/harbour-bridge",
    "title": "The harbour bridge opens to traffic after four years of repairs",
    "summary": "The harbour bridge is open again. " * 18,
    "key_points": ["The harbour bridge opened on Monday, a year later than it was planned to open. "] * 4,
    "entities": [{"name": "Harbour Authority", "type": "organisation"}] * 8,
    "topics": ["economy", "traffic"],
    "sentiment": "neutral",
    "language": "en",
    "author": "A. Writer",
    "published_at": "2026-11-20T08:00:00+00:00",
    "word_count": 640,
    "extraction_quality": 0.9,
    "content_hash": "0" * 64,
    "etag": '"5f3e"',
    "last_modified": None,
    "read_by": "fetch",
    "model": "gemini-flash",
    "prompt_version": "1",
    "tokens_in": 1100,
    "tokens_out": 200,
    "cost_usd": 0.0005,
    "latency_ms": 900,
    "attempts": 1,
}


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="piecework-") as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            found = run(socket_folder(server))
        finally:
            server.cleanup()
    record.write("sql", found)


def run(socket: str) -> dict[str, Any]:
    load = round(os.getloadavg()[0], 1)
    with psycopg.connect(host=socket, user="postgres", dbname="postgres", autocommit=True) as db:
        migrate(db)
        figures = {}
        for size in SIZES:
            fill(db, size)
            figures[f"{size}"] = measure(db)
        return {
            "postgres": db.info.parameter_status("server_version"),
            "group": GROUP,
            # How busy others kept the machine: well below the number of cores, or the figures are too low.
            "load_before": load,
            "items_per_second_with_items_in_table": figures,
        }


def migrate(db: Connection) -> None:
    for role in ("anon", "authenticated", "service_role"):
        db.execute(f"create role {role}")
    for migration in sorted((ROOT / "supabase" / "migrations").glob("*.sql")):
        db.execute(migration.read_text())
    quota = {"name": "gemini-text", "requests_per_minute": 1e9, "tokens_per_minute": 1e15}
    db.execute("select public.sync_quotas_v1(%s::jsonb[])", [[json.dumps(quota)]])


def fill(db: Connection, size: int) -> None:
    """Bring the table to `size` items that are done, as if it had been in use for long."""
    db.execute(
        """
        with batch as (insert into batches (function, source, state) values ('article', 'items', 'open') returning id)
        insert into items (id, batch_id, function, quota, state, attempts, input, input_key, domain, queued_at,
          finished_at, fingerprint, result_id, tokens_in, tokens_out, cost_usd)
        select made.id, batch.id, 'article', 'gemini-text', 'done', 1,
          jsonb_build_object('url', 'https://daily.test/' || made.n), encode(sha256(int8send(made.n)), 'hex'),
          'daily' || mod(made.n, 97) || '.test', now(), now(), sha256(int8send(-made.n)), made.id, 1100, 200, 0.0005
        from batch,
          (select new_id() as id, n from generate_series((select count(*) from items) + 1, %s) n offset 0) made
        """,
        [size],
    )
    db.execute("vacuum analyze")


def measure(db: Connection) -> dict[str, int]:
    """Items per second of each step on the way of MEASURED new items."""
    batch = one(db, "insert into batches (function, source, state) values ('article', 'items', 'open') returning id")
    enlist = rate(db, ENLIST, "inputs", [entry() for _ in range(MEASURED)], batch)
    ids = [str(row[0]) for row in db.execute("select id from items where batch_id = %s order by id", [batch])]
    mark = rate(db, MARK, "ids", ids)
    claims = [{"item_id": item, "holder": str(uuid.uuid4())} for item in ids]
    claim = rate(db, CLAIM, "claims", claims)
    keep = rate(db, KEEP, "results", [kept(claimed) for claimed in claims])
    done = one(db, "select count(*) from items where batch_id = %s and state = 'done'", batch)
    if done != MEASURED:
        raise AssertionError(f"{done} of {MEASURED} items are done")
    return {"enlist": enlist, "mark": mark, "claim": claim, "keep": keep}


# One JSON document becomes the argument, the way PostgREST passes it.
ENLIST = """select f.* from json_to_record(%s) as given (inputs jsonb[]),
  public.enlist_v1(given.inputs, %s, 'article', 'gemini-text') f"""
MARK = "select f.* from json_to_record(%s) as given (ids uuid[]), public.mark_queued_v1(given.ids) f"
CLAIM = """select f.* from json_to_record(%s) as given (claims jsonb[]),
  public.claim_v1(given.claims, 'article', 'gemini-text', '1/gemini-flash', 1000) f"""
KEEP = """select f.* from json_to_record(%s) as given (results jsonb[]),
  public.keep_v1(given.results, 'article', 'gemini-text', 'article_summaries', 1000) f"""


def entry() -> dict[str, Any]:
    key = uuid.uuid4().hex * 2
    domain = f"daily{int(key[:2], 16)}.test"
    return {"input": {"url": f"https://{domain}/{key}"}, "input_key": key, "domain": domain}


def kept(claim: dict[str, str]) -> dict[str, Any]:
    return {
        **claim,
        "outcome": "done",
        "model_calls": 1,
        "tokens_in": 1100,
        "tokens_out": 200,
        "cost_usd": 0.0005,
        "seconds": 1.2,
        "memo": {},
        "validators": {"etag": '"5f3e"', "content_hash": "0" * 64},
        "upstreams": {"domain:daily1.test": True, "quota:gemini-text": True},
        "result": ROW,
    }


def rate(db: Connection, query: str, argument: str, things: Sequence[Any], *more: Any) -> int:
    """Things per second, GROUP by GROUP."""
    groups = [json.dumps({argument: things[start : start + GROUP]}) for start in range(0, len(things), GROUP)]
    started = time.perf_counter()
    for group in groups:
        db.execute(query, [group, *more]).fetchall()
    return round(len(things) / (time.perf_counter() - started))


def one(db: Connection, query: str, *values: Any) -> Any:
    (value,) = db.execute(query, values).fetchone() or (None,)
    return value


if __name__ == "__main__":
    main()
