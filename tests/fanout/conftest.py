"""The parts are one plugin for tests/engine, tests/api and tests/fanout: a session has one set of them."""

import base64
import json

import pytest

from functions.fanout.fanout import Fanout
from tests.engine.here import manifests_of, settings_of


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("tests.engine.parts")


@pytest.fixture
def push(deployed):
    """push({"sweep": True}): a message to the fan-out, as Pub/Sub pushes it."""
    function = deployed("fanout")

    def push(order, *, message_id="1", token=None):
        return function.post(envelope(order, message_id), token=function.token("pubsub") if token is None else token)

    push.function = function
    return push


@pytest.fixture
def batch_of(database):
    """batch_of(3): a batch of that many waiting items without tasks; its id and theirs."""

    def batch_of(count, function="probe", quota="probe", **columns):
        (batch,) = database.execute(
            "insert into batches (function, source, state) values (%s, 'items', 'open') returning id", [function]
        ).fetchall()
        inputs = [
            json.dumps({"input": {"do": "done", "n": n}, "input_key": f"key {n}", "domain": "daily.test"})
            for n in range(count)
        ]
        database.execute("select enlist_v1(%s::jsonb[], %s, %s, %s)", [inputs, batch["id"], function, quota])
        items = database.execute("select id from items where batch_id = %s order by id", [batch["id"]]).fetchall()
        return batch["id"], [item["id"] for item in items]

    return batch_of


def envelope(order, message_id="1"):
    data = order if isinstance(order, bytes) else json.dumps(order).encode()
    message = {"data": base64.b64encode(data).decode(), "messageId": message_id, "attributes": {}}
    return {"message": message, "subscription": "projects/piecework-local/subscriptions/fanout"}


@pytest.fixture
async def fanout(environment, project, database, queue, topic):
    """fanout(seconds=0): the work of the fan-out in this process, with its time and its settings."""
    made = []

    def fanout(*, seconds=60.0, **differs):
        made.append(Fanout(settings_of(environment, **differs), manifests_of(project), seconds=seconds))
        return made[-1]

    yield fanout
    for one in made:
        await one.store.aclose()


@pytest.fixture
def backlog(database):
    def backlog(*urls):
        for url in urls:
            database.execute("insert into news_urls (url) values (%s)", [url])

    return backlog
