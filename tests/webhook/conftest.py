"""The parts are one plugin for tests/engine, tests/api, tests/fanout and this folder: a session has one set of them."""

import json
from collections import deque
from uuid import UUID

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tests.engine.running import served


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("tests.engine.parts")


class Receiver:
    """Somebody's server: answers as it is told to, remembers what came."""

    def __init__(self):
        self.answers, self.came = deque(), []
        self.app = Starlette(routes=[Route("/{path:path}", self._take, methods=["POST"])])

    async def _take(self, request: Request) -> PlainTextResponse:
        self.came.append((dict(request.headers), await request.body()))
        status, headers = self.answers.popleft() if self.answers else (200, {})
        return PlainTextResponse("x" * 1000, status, headers)


@pytest.fixture
def receiver():
    receiver = Receiver()
    with served(receiver.app) as url:
        receiver.place = url.removeprefix("http://")
        yield receiver


@pytest.fixture
def webhook(deployer, receiver, database):
    """The function as deployed, for which every host under .test is the receiver."""
    return deployer.another("webhook", f"webhook-{receiver.place.rsplit(':', 1)[1]}", SAMPLE_SITE=receiver.place)


@pytest.fixture
def ended_batch(database):
    """ended_batch(url): a batch that has ended, and the item that is to tell of it; their ids."""

    def ended_batch(url="https://receiver.test/hook", secret="a-secret-of-theirs", **columns):
        (batch,) = database.execute(
            "insert into batches (function, source, state, webhook_url, webhook_secret) "
            "values ('probe', 'items', 'accepting', %s, %s) returning id",
            [url, secret],
        ).fetchall()
        database.execute("select open_batch_v1(%s)", [batch["id"]])
        (row,) = database.execute("select * from webhook_backlog").fetchall()
        entry = {"input": row["input"], "input_key": row["source_key"], "source_key": row["source_key"]}
        (telling,) = database.execute(
            "insert into batches (function, source, state) values ('webhook', 'backlog', 'open') returning id"
        ).fetchall()
        database.execute(
            "select enlist_v1(array[%s::jsonb], %s, 'webhook', 'webhooks')", [json.dumps(entry), telling["id"]]
        )
        item = database.execute("select id from items where batch_id = %s", [telling["id"]]).fetchone()["id"]
        return batch["id"], UUID(str(item))

    return ended_batch
