"""How many items a second the database takes in, marks, claims and keeps, in groups of 100 over one connection.

Measured twice in one run, with 1,000 and with 1,000,000 items in the table: it should make no difference. A durable
Postgres of its own, with its defaults. Appends a line to bench/results/sql.jsonl.

    python -m bench.sql
"""

import json
import os
import platform
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import psycopg

from local.postgres import get_server, socket_folder  # type: ignore[attr-defined]

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results" / "sql.jsonl"
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
    line = json.dumps(found)
    with RESULTS.open("a") as results:
        results.write(line + "\n")
    print(line)


def run(socket: str) -> dict[str, Any]:
    with psycopg.connect(host=socket, user="postgres", dbname="postgres", autocommit=True) as db:
        migrate(db)
        figures = {}
        for size in SIZES:
            fill(db, size)
            figures[f"{size}"] = measure(db)
        return {
            "at": datetime.now(UTC).isoformat(timespec="seconds"),
            "commit": commit(),
            "python": platform.python_version(),
            "postgres": db.info.parameter_status("server_version"),
            "cores": os.cpu_count(),
            "ram_gb": round(psutil.virtual_memory().total / 2**30),
            "group": GROUP,
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
        insert into items (batch_id, function, quota, state, attempts, input, input_key, domain, queued_at,
          finished_at, fingerprint, tokens_in, tokens_out, cost_usd)
        select batch.id, 'article', 'gemini-text', 'done', 1, jsonb_build_object('url', 'https://daily.test/' || n),
          encode(sha256(int8send(n)), 'hex'), 'daily' || mod(n, 97) || '.test', now(), now(),
          sha256(int8send(-n)), 1100, 200, 0.0005
        from batch, generate_series((select count(*) from items) + 1, %s) n
        """,
        [size],
    )
    db.execute("update items set result_id = id where result_id is null and state = 'done'")
    db.execute("vacuum analyze")


def measure(db: Connection) -> dict[str, int]:
    """Items per second of each step on the way of MEASURED new items."""
    batch = one(db, "insert into batches (function, source, state) values ('article', 'items', 'open') returning id")
    inputs = [entry() for _ in range(MEASURED)]
    figures = {
        "enlist": rate(inputs, lambda group: call(db, ENLIST, group, batch)),
    }
    ids = [row[0] for row in db.execute("select id from items where batch_id = %s order by id", [batch])]
    figures["mark"] = rate(ids, lambda group: call(db, MARK, group))
    claims = [{"item_id": str(item), "holder": str(uuid.uuid4())} for item in ids]
    figures["claim"] = rate(claims, lambda group: call(db, CLAIM, dumped(group)))
    figures["keep"] = rate([kept(claim) for claim in claims], lambda group: call(db, KEEP, dumped(group)))
    done = one(db, "select count(*) from items where batch_id = %s and state = 'done'", batch)
    if done != MEASURED:
        raise AssertionError(f"{done} of {MEASURED} items are done")
    return figures


ENLIST = "select * from public.enlist_v1(%s::jsonb[], %s, 'article', 'gemini-text')"
MARK = "select public.mark_queued_v1(%s)"
CLAIM = "select * from public.claim_v1(%s::jsonb[], 'article', 'gemini-text', '1/gemini-flash', 1000)"
KEEP = "select * from public.keep_v1(%s::jsonb[], 'article', 'gemini-text', 'article_summaries', 1000)"


def call(db: Connection, query: str, *values: Any) -> None:
    db.execute(query, values).fetchall()


def one(db: Connection, query: str, *values: Any) -> Any:
    (value,) = db.execute(query, values).fetchone() or (None,)
    return value


def entry() -> str:
    key = uuid.uuid4().hex * 2
    domain = f"daily{int(key[:2], 16)}.test"
    return json.dumps({"input": {"url": f"https://{domain}/{key}"}, "input_key": key, "domain": domain})


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


def dumped(group: Sequence[Any]) -> list[str]:
    return [json.dumps(member) for member in group]


def groups(things: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(things), GROUP):
        yield things[start : start + GROUP]


def rate(things: Sequence[Any], act: Callable[[Sequence[Any]], None]) -> int:
    started = time.perf_counter()
    for group in groups(things):
        act(group)
    return round(len(things) / (time.perf_counter() - started))


def commit() -> str:
    return subprocess.run(
        ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


if __name__ == "__main__":
    main()
