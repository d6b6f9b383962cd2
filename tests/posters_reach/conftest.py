"""The API over the engine's database, and posters in it that have been analysed, or not."""

import json
import secrets
from dataclasses import dataclass
from hashlib import sha256

import pytest
from psycopg import sql

from cli import app, watch
from tests.posters_reach.rows import analysis, as_columns


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("tests.engine.parts")


class Caller:
    """Somebody with a key."""

    def __init__(self, function, key, key_id):
        self.function, self.key, self.id = function, key, key_id

    def get(self, path, **query):
        headers = {"Authorization": f"Bearer {self.key}"} if self.key else {}
        return self.function.client.get(f"{self.function.url}{path}", params=query, headers=headers)

    def post(self, body, *, content_type="application/json"):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        headers = {"Authorization": f"Bearer {self.key}", "Content-Type": content_type}
        return self.function.client.post(f"{self.function.url}/v3/posters", content=content, headers=headers)


@pytest.fixture
def posters(database):
    database.execute("truncate posters, poster_analyses restart identity")
    return database


@pytest.fixture
def caller_of(deployed, posters):
    """caller_of(operator=True): the API as seen by a new caller."""
    api = deployed("api")

    def caller_of(*, operator=False):
        key = f"pw_{secrets.token_urlsafe(16)}"
        digest = sha256(key.encode()).hexdigest()
        row = posters.execute(
            "insert into api_keys (name, key_hash, tier, operator) values ('test', %s, 'internal', %s) returning id",
            [digest, operator],
        ).fetchone()
        return Caller(api, key, row["id"])

    return caller_of


@pytest.fixture
def operator(caller_of):
    return caller_of(operator=True)


@pytest.fixture
def customer(caller_of):
    return caller_of()


@pytest.fixture
def item_of(posters):
    """item_of("t1", state="dead", owner=id): an item of poster, in a batch of its own; its id."""

    def item_of(content_id, *, state="done", owner=None, reason=None, error=None, url=None):
        posters.execute(
            "insert into quotas (name, requests_per_minute) values ('gemini-vision', 30) on conflict do nothing"
        )
        batch = posters.execute(
            "insert into batches (function, source, state, owner) values ('poster', 'items', 'open', %s) returning id",
            [owner],
        ).fetchone()
        given = {
            "content_id": content_id,
            "title": "The Tin Exchange",
            "url": url or f"http://posters.test/{content_id}.jpg",
        }
        item = posters.execute(
            "insert into items (batch_id, owner, function, quota, state, input, input_key, reason, error)"
            " values (%s, coalesce(%s, operator_id()), 'poster', 'gemini-vision', %s, %s, %s, %s, %s) returning id",
            [batch["id"], owner, state, json.dumps(given), content_id, reason, error],
        ).fetchone()
        posters.execute("update items set result_id = id where id = %s and state = 'done'", [item["id"]])
        return item["id"]

    return item_of


@pytest.fixture
def analysed(posters, item_of):
    """analysed("t1", score=0.4, owner=id, zones=...): a poster with its row; the item's id."""

    def analysed(content_id, *, owner=None, **differs):
        item = item_of(content_id, owner=owner)
        row = as_columns({"item_id": item, **analysis(content_id, **differs)})
        names = sql.SQL(", ").join(map(sql.Identifier, row))
        marks = sql.SQL(", ").join(sql.Placeholder() * len(row))
        posters.execute(
            sql.SQL("insert into poster_analyses ({}) values ({})").format(names, marks), list(row.values())
        )
        return item

    return analysed


@dataclass
class Ran:
    code: int
    out: str
    err: str


@pytest.fixture
def piecework(operator, monkeypatch, capsys):
    """Run the command in this process, with an operator's key; its waits are short."""
    monkeypatch.setenv("PIECEWORK_URL", operator.function.url)
    monkeypatch.setenv("PIECEWORK_KEY", operator.key)
    monkeypatch.setattr(watch, "FIRST_POLL_SECONDS", 0.001)

    def run(*arguments):
        code = app.main(arguments)
        return Ran(code, *capsys.readouterr())

    return run
