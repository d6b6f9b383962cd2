"""Clients of Google's services: with the machine's credentials over TLS, which are looked for once."""

import google.auth
import pytest
from google.auth.credentials import AnonymousCredentials
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcAsyncIOTransport

from shared import channels
from shared.channels import IDLE_SECONDS, Reopening, channel
from tests.engine.test_clock import Hands


class Client:
    """Closes as a client of Google's does."""

    def __init__(self):
        self.transport, self.closed = self, False

    async def close(self):
        self.closed = True


@pytest.fixture
def looked_for(monkeypatch):
    """How often the machine was asked for its credentials."""
    asked = []

    def default(scopes):
        asked.append(scopes)
        return AnonymousCredentials(), None

    monkeypatch.setattr(google.auth, "default", default)
    channels.credentials.cache_clear()
    yield asked
    channels.credentials.cache_clear()


async def test_the_credentials_are_kept_for_the_next_connection(looked_for):
    first, second = (channel("https://cloudtasks.test", CloudTasksGrpcAsyncIOTransport) for _ in range(2))
    await first.close()
    await second.close()

    assert looked_for == [("https://www.googleapis.com/auth/cloud-platform",)]


async def test_a_client_that_was_idle_is_closed_and_made_anew():
    hands = Hands()
    client = Reopening(Client, hands)
    first = await client.get()
    hands.at += IDLE_SECONDS
    same = await client.get()
    hands.at += IDLE_SECONDS + 1
    second = await client.get()

    assert same is first
    assert second is not first
    assert (first.closed, second.closed) == (True, False)
