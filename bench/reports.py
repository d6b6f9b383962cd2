"""What watching costs with a million items in the table: metrics, dashboard, progress of a batch, beside a plain count.

python -m bench.reports
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

from bench import record
from bench.sql import Connection, fill, measure, migrate, one
from local.postgres import get_server, socket_folder  # type: ignore[attr-defined]

ITEMS = 1_000_000
OWNERS, BATCHES = 50, 400
ROUNDS = 10


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="piecework-") as folder:
        server = get_server(Path(folder) / "data", cleanup_mode="stop")
        try:
            with psycopg.connect(host=socket_folder(server), user="postgres", dbname="postgres", autocommit=True) as db:
                found = run(db)
        finally:
            server.cleanup()
    record.write("reports", found)


def run(db: Connection) -> dict[str, Any]:
    migrate(db)
    fill(db, ITEMS)
    measure(db)
    busy = one(db, "select batch_id from items group by 1 order by count(*) desc limit 1")
    one_batch = look(db, busy)
    customers(db)
    return {
        "items": one(db, "select count(*) from items"),
        "milliseconds": {
            "one batch of a million": one_batch,
            f"{OWNERS} owners with {BATCHES} batches each": look(db, busy),
        },
    }


def customers(db: Connection) -> None:
    """Owners with many small batches, a fifth of whose items is dead, and two days of attempts."""
    db.execute(
        "insert into api_keys (name, key_hash) "
        "select 'k' || n, encode(sha256(int8send(n)), 'hex') from generate_series(1, %s) n",
        [OWNERS],
    )
    db.execute(
        "insert into batches (function, source, state, owner) select 'article', 'items', 'open', k.id "
        "from api_keys k, generate_series(1, %s)",
        [BATCHES],
    )
    db.execute(
        """
        insert into items (batch_id, function, quota, input, input_key, state, reason, finished_at)
        select b.id, 'article', 'gemini-text', '{}', n::text, case when n = 1 then 'dead' else 'done' end,
          case when n = 1 then 'bad_input' end, now()
        from batches b, generate_series(1, 5) n where b.owner is not null
        """
    )
    db.execute(
        """
        insert into attempts (item_id, holder, attempt, outcome, seconds, ended_at)
        select i.id, gen_random_uuid(), 1, i.state, random() * 20, now() - random() * interval '2 days'
        from items i join batches b on b.id = i.batch_id where b.owner is not null
        """
    )
    db.execute("select fold_tallies_v1()")
    db.execute("vacuum analyze")


def look(db: Connection, batch: Any) -> dict[str, float]:
    """Milliseconds of each question, the median."""
    owner = one(db, "select id from api_keys limit 1")
    return {
        "metrics_v1": median(lambda: db.execute("select metrics_v1()").fetchall()),
        "health_v1": median(lambda: db.execute("select * from health_v1()").fetchall()),
        "dashboard_v1, an operator's": median(lambda: one(db, "select dashboard_v1(everything())")),
        "dashboard_v1, an owner's": median(lambda: one(db, "select dashboard_v1(%s)", owner)) if owner else 0.0,
        "batch_progress_v1 of the million": median(
            lambda: db.execute("select * from batch_progress_v1(array[%s]::uuid[])", [batch]).fetchall()
        ),
        "for comparison, a count of the million": median(
            lambda: db.execute("select state, count(*) from items where batch_id = %s group by 1", [batch]).fetchall()
        ),
    }


def median(ask: Callable[[], Any]) -> float:
    times = []
    for _ in range(ROUNDS):
        started = time.perf_counter()
        ask()
        times.append(time.perf_counter() - started)
    return round(statistics.median(times) * 1000, 1)


if __name__ == "__main__":
    main()
