"""Items for the engine's tests: made, looked at, worked on in this process."""

import json
import time
from collections.abc import AsyncIterator, Callable
from hashlib import sha256
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID, uuid4

import psycopg
import pytest

from local.oidc import Issuer
from tests.engine.google import Tasks
from tests.engine.here import Here, manifests_of
from tests.engine.project import Project


@pytest.fixture
def enlist(database: psycopg.Connection) -> Callable[..., UUID]:
    """enlist(do="done"): a waiting item of the probe in a batch of its own; its id."""

    def enlist(function: str = "probe", quota: str = "probe", **given: Any) -> UUID:
        batch_id, domain = uuid4(), urlsplit(given.get("url", "http://daily.test/")).hostname
        written = json.dumps(given, sort_keys=True)
        one = {"input": given, "input_key": sha256(written.encode()).hexdigest(), "domain": domain.removeprefix("www.")}
        database.execute(
            "insert into batches (id, function, source, state) values (%s, %s, 'items', 'open')", [batch_id, function]
        )
        database.execute("select enlist_v1(array[%s::jsonb], %s, %s, %s)", [json.dumps(one), batch_id, function, quota])
        return UUID(str(database.execute("select id from items where batch_id = %s", [batch_id]).fetchone()["id"]))

    return enlist


@pytest.fixture
def item_of(database: psycopg.Connection) -> Callable[[UUID], Any]:
    """The item's row, with attributes."""

    def item_of(item_id: UUID) -> Any:
        return SimpleNamespace(**database.execute("select * from items where id = %s", [item_id]).fetchone())

    return item_of


@pytest.fixture
def attempts_of(database: psycopg.Connection) -> Callable[[UUID], list[Any]]:
    """The item's rows in attempts, the first first."""

    def attempts_of(item_id: UUID) -> list[Any]:
        rows = database.execute("select * from attempts where item_id = %s order by ended_at", [item_id])
        return [SimpleNamespace(**row) for row in rows]

    return attempts_of


@pytest.fixture
def wait_until() -> Callable[[Callable[[], bool]], None]:
    """Look until it is so; at most 20 seconds."""

    def wait_until(holds: Callable[[], bool]) -> None:
        until = time.monotonic() + 20
        while not holds():
            assert time.monotonic() < until, "it never came to that"
            time.sleep(0.02)

    return wait_until


@pytest.fixture
async def here(
    environment: dict[str, str], project: Project, database: psycopg.Connection, queue: Tasks, issuer: Issuer
) -> AsyncIterator[Callable[..., Here]]:
    """here(work_seconds=1).deliver(item): the probe in this process, with a manifest or settings of one's own."""
    made: list[Here] = []

    def here(**differs: Any) -> Here:
        made.append(Here(environment, manifests_of(project).functions["probe"], issuer, **differs))
        return made[-1]

    yield here
    for one in made:
        await one.aclose()
