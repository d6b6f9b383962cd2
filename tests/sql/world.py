"""What a function, the fan-out and the clock do to the database, in few words."""

import json
import uuid
from typing import Any, Self

import psycopg
from psycopg.rows import dict_row

QUOTA = "gemini-text"
DOMAIN = "daily.test"
Row = dict[str, Any]

ARTICLE = {
    "url": "https://daily.test/a",
    "final_url": "https://daily.test/a",
    "url_key": "daily.test/a",
    "title": "The bridge",
    "summary": "It is open.",
    "key_points": ["open"],
    "entities": [],
    "topics": ["traffic"],
    "sentiment": "neutral",
    "read_by": "fetch",
    "model": "m",
    "prompt_version": "1",
    "tokens_in": 100,
    "tokens_out": 10,
    "cost_usd": 0.001,
    "latency_ms": 5,
    "attempts": 1,
}


class World:
    """One connection to the database of a test."""

    def __init__(self, db: psycopg.Connection[Row]) -> None:
        self.db = db
        self.batch_id = uuid.UUID(int=0)
        self.shifted = 0.0

    @classmethod
    def new(cls, db: psycopg.Connection[Row]) -> Self:
        """A world with one quota, fast enough not to matter, and one batch that takes items to the end."""
        world = cls(db)
        world.quota()
        world.batch_id = world.batch("accepting")
        return world

    def beside(self) -> "World":
        """The same world over another connection."""
        other = World(psycopg.connect(self.db.info.dsn, autocommit=True, row_factory=dict_row))
        other.db.execute("set role service_role")
        other.batch_id = self.batch_id
        return other

    def as_owner(self, statement: str) -> None:
        """What only the owner of the tables may do."""
        self.db.execute("reset role")
        self.db.execute(statement)
        self.db.execute("set role service_role")

    def rows(self, query: str, *values: Any) -> list[Row]:
        return self.db.execute(query, values).fetchall()

    def one(self, query: str, *values: Any) -> Any:
        (row,) = self.rows(query, *values)
        return next(iter(row.values()))

    def listed(self, call: str, *values: Any) -> list[Row]:
        """The rows in the JSON array that a SQL function returns; ids as ids."""
        rows: list[Row] = self.one(f"select {call}", *values)
        return [{**row, "item_id": uuid.UUID(row["item_id"])} if "item_id" in row else row for row in rows]

    def quota(self, name: str = QUOTA, requests_per_minute: float = 1e6, **limits: float) -> str:
        limit = {"name": name, "requests_per_minute": requests_per_minute, **limits}
        self.db.execute("select sync_quotas_v1(%s::jsonb[])", [[json.dumps(limit)]])
        return name

    def batch(self, state: str = "open", function: str = "article", source: str = "backlog") -> uuid.UUID:
        found: uuid.UUID = self.one(
            "insert into batches (function, source, state) values (%s, %s, %s) returning id", function, source, state
        )
        return found

    def enlist(self, *keys: str, batch: uuid.UUID | None = None, quota: str = QUOTA, **more: Any) -> Row:
        inputs = [{"input": {"url": key}, "input_key": key, "domain": DOMAIN, **more} for key in keys]
        (row,) = self.rows(
            "select * from enlist_v1(%s::jsonb[], %s, 'article', %s)",
            [json.dumps(one) for one in inputs], batch or self.batch_id, quota,
        )  # fmt: skip
        return row

    def items(self, count: int = 1, **more: Any) -> list[uuid.UUID]:
        """New items with inputs of their own."""
        keys = [uuid.uuid4().hex for _ in range(count)]
        self.enlist(*keys, **more)
        found = self.rows("select id, input_key from items where input_key = any (%s)", keys)
        ids = {row["input_key"]: row["id"] for row in found}
        return [ids[key] for key in keys]

    def item(self, key: str | None = None, **more: Any) -> uuid.UUID:
        """One new item; a key makes it like others with that key."""
        key = key or uuid.uuid4().hex
        self.enlist(key, **more)
        found: uuid.UUID = self.one(
            "select id from items where input_key = %s and batch_id = %s", key, more.get("batch") or self.batch_id
        )
        return found

    def claim(self, *asked: uuid.UUID | tuple[uuid.UUID, uuid.UUID], **arguments: Any) -> list[Row]:
        """One claim for each item, by a delivery of its own or by the holder that is given."""
        pairs = [one if isinstance(one, tuple) else (one, uuid.uuid4()) for one in asked]
        claims = [json.dumps({"item_id": str(item), "holder": str(holder)}) for item, holder in pairs]
        given = {"function_name": "article", "quota_name": QUOTA, "variant": "1/m", **arguments}
        named = ", ".join(f"{name} => %s" for name in given)
        return self.rows(f"select * from claim_v1(%s::jsonb[], {named})", claims, *given.values())

    def ready(self, *named: tuple[Row, str], **arguments: Any) -> list[Row]:
        """Who runs already books its slot, and names the content that it found."""
        claims = [
            json.dumps({"item_id": str(claim["item_id"]), "holder": str(claim["holder"]), "content": content})
            for claim, content in named
        ]
        return self.rows(
            "select * from claim_v1(%s::jsonb[], 'article', %s, variant => %s)",
            claims, QUOTA, arguments.get("variant", "1/m"),
        )  # fmt: skip

    def run(self, item: uuid.UUID, **arguments: Any) -> Row:
        """A claim that has to run."""
        (claim,) = self.claim(item, **arguments)
        assert claim["decision"] == "run", claim
        return claim

    def keep(self, *ended: Row, **arguments: Any) -> list[Row]:
        given = {"function_name": "article", "quota_name": QUOTA, "result_table": "article_summaries", **arguments}
        named = ", ".join(f"{name} => %s" for name in given)
        results = [json.dumps(one, default=str) for one in ended]
        return self.rows(f"select * from keep_v1(%s::jsonb[], {named})", results, *given.values())

    def finish(self, item: uuid.UUID, outcome: str = "done", **more: Any) -> Row:
        """Claim the item, run it, keep how it ended."""
        (kept,) = self.keep(ended(self.run(item), outcome, **more))
        return kept

    def state(self, item: uuid.UUID) -> Row:
        (row,) = self.rows(
            """
            select *, extract(epoch from leased_until - clock_timestamp())::float as lease,
              extract(epoch from not_before - clock_timestamp())::float as rest,
              extract(epoch from queued_at - clock_timestamp())::float as queued_in
            from items where id = %s
            """,
            item,
        )
        return row

    def breaker(self, name: str = f"domain:{DOMAIN}") -> Row | None:
        found = self.rows(
            """
            select state, failures, successes, reason, probe_holder,
              -- Postgres 15 subtracts nothing from what is infinite.
              case when isfinite(rests_until)
                then extract(epoch from rests_until - clock_timestamp())::float end as rest
            from breakers where name = %s
            """,
            name,
        )
        return found[0] if found else None

    def pass_time(self, seconds: float) -> None:
        """All that is written down happened so much earlier."""
        self.shifted += seconds
        columns = self.rows(
            """
            select table_name as "table", array_agg(column_name::text) as moments
            from information_schema.columns join information_schema.tables using (table_schema, table_name)
            where table_schema = 'public' and table_type = 'BASE TABLE' and data_type = 'timestamp with time zone'
            group by table_name
            """
        )
        for one in columns:
            sets = ", ".join(f"{moment} = {moment} - make_interval(secs => %(seconds)s)" for moment in one["moments"])
            self.db.execute(f"update {one['table']} set {sets}", {"seconds": seconds})


def ended(claim: Row, outcome: str = "done", **more: Any) -> Row:
    """How an attempt ended, as shared.items.Ended writes it."""
    return {
        "item_id": claim["item_id"],
        "holder": claim["holder"],
        "outcome": outcome,
        "reason": None,
        "error": None,
        "rest_seconds": None,
        "counted": True,
        "memo": {},
        "validators": None,
        "unchanged": None,
        "result": ARTICLE if outcome == "done" else None,
        "model_calls": 0,
        "tokens_in": 0,
        "tokens_out": 0,
        "cost_usd": 0,
        "seconds": 0.1,
        "upstreams": {},
        **more,
    }


def paid(tokens_in: int = 100, tokens_out: int = 10, cost_usd: float = 0.001) -> Row:
    return {"model_calls": 1, "tokens_in": tokens_in, "tokens_out": tokens_out, "cost_usd": cost_usd}
