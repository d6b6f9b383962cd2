"""The parts are one plugin for tests/engine, tests/api and tests/fanout: a session has one set of them."""

import json
import secrets
from hashlib import sha256

import pytest


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("tests.engine.parts")


class Caller:
    """Somebody with a key of their own."""

    def __init__(self, function, key):
        self.function, self.key = function, key

    def get(self, path, **query):
        return self.function.client.get(f"{self.function.url}{path}", params=query, headers=self._headers())

    def post(self, body, **headers):
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        sent = {**self._headers(), "Content-Type": "application/json", **headers}
        return self.function.client.post(f"{self.function.url}/v3/batches", content=content, headers=sent)

    def act(self, path, body=None):
        """POST something else than a batch."""
        return self.function.client.post(f"{self.function.url}{path}", json=body, headers=self._headers())

    def upload(self, content, *, key=None, **query):
        """JSON lines, from bytes or from an iterator of pieces."""
        sent = {**self._headers(), "Content-Type": "application/x-ndjson", **({"Idempotency-Key": key} if key else {})}
        return self.function.client.post(
            f"{self.function.url}/v3/batches", params={"function": "probe", **query}, content=content, headers=sent
        )

    def submit(self, *items, **more):
        """A batch of the probe; its id."""
        answer = self.post({"function": "probe", "items": list(items), **more})
        assert answer.status_code == 202, answer.text
        return answer.json()["id"]

    @property
    def digest(self):
        return sha256(self.key.encode()).hexdigest()

    def _headers(self):
        return {"Authorization": f"Bearer {self.key}"} if self.key else {}


@pytest.fixture
def caller_of(deployed, database, topic):
    """caller_of(): the API as seen by a new caller."""
    api = deployed("api")

    def caller_of(*, revoked=False, tier="internal", operator=False):
        key = f"pw_{secrets.token_urlsafe(16)}"
        database.execute(
            "insert into api_keys (name, key_hash, tier, operator, revoked_at) "
            "values ('test', %s, %s, %s, case when %s then now() end)",
            [sha256(key.encode()).hexdigest(), tier, operator, revoked],
        )
        return Caller(api, key)

    caller_of.nobody = lambda: Caller(api, None)
    return caller_of


@pytest.fixture
def work_off(deployed, database):
    """Deliver every waiting item once."""

    def work_off():
        probe = deployed("probe")
        waiting = database.execute("select id from items where state = 'waiting' and function = 'probe'").fetchall()
        probe.deliver_all([row["id"] for row in waiting])

    return work_off


@pytest.fixture
def operator(caller_of):
    """The API as an operator sees it."""
    return caller_of(operator=True)


@pytest.fixture
def api(caller_of):
    """The API as one caller sees it."""
    return caller_of()
