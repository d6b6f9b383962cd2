"""Push: every due message of a push subscription becomes one POST, and its status decides what follows.

claim ─> {"message": ..., "subscription": ...} + OIDC token ─POST─> 102/200/201/202/204: acknowledged
                                                            └────> anything else, or nothing: put back
"""

import asyncio
import base64
from contextlib import suppress
from typing import Any

from local.pubsub.broker import Broker
from local.pubsub.names import Refused
from local.pubsub.policy import ACKNOWLEDGED
from local.pubsub.posting import Endpoint, Poster, Sign, push_client

# The POST times out at the ack deadline; the lease outlives it, so no message is twice under way.
LEASE_MARGIN_SECONDS = 5


class Pusher:
    """Pushes for every push subscription of the broker, as they come and go."""

    def __init__(self, broker: Broker, sign: Sign | None, *, max_outstanding: int = 50) -> None:
        """`sign` makes ID tokens; without it a subscription's oidc_token is left out."""
        self._broker = broker
        self._sign = sign
        self._max_outstanding = max_outstanding
        self._outstanding: dict[str, int] = {}

    async def run(self) -> None:
        """Push until cancelled."""
        async with push_client() as client, asyncio.TaskGroup() as tasks:
            poster = Poster(client, self._sign)
            while True:
                for name in self._not_yet_pushed():
                    self._outstanding[name] = 0
                    tasks.create_task(self._push(name, poster, tasks))
                await self._broker.subscriptions_changed.wait(None)

    def _not_yet_pushed(self) -> list[str]:
        names = [subscription.name for subscription in self._broker.resources.subscriptions()]
        return [name for name in names if name not in self._outstanding and self._is_push(name)]

    def _is_push(self, name: str) -> bool:
        try:
            return bool(self._broker.resources.subscription(name).push_config.push_endpoint)
        except Refused:
            return False

    async def _push(self, name: str, poster: Poster, tasks: asyncio.TaskGroup) -> None:
        """Keep up to `max_outstanding` deliveries under way until it is no push subscription any more."""
        while self._is_push(name):
            subscription = self._broker.resources.subscription(name)
            lease = subscription.ack_deadline_seconds + LEASE_MARGIN_SECONDS
            free = self._max_outstanding - self._outstanding[name]
            for received in self._broker.claim(name, free, lease):
                self._outstanding[name] += 1
                tasks.create_task(self._deliver(subscription, received, poster))
            await self._broker.wait(name)
        del self._outstanding[name]

    async def _deliver(self, subscription: Any, received: Any, poster: Poster) -> None:
        push, name = subscription.push_config, subscription.name
        token = push.oidc_token
        endpoint = Endpoint(push.push_endpoint, token.service_account_email, token.audience)
        answer = await poster.post(endpoint, envelope(name, received), subscription.ack_deadline_seconds)
        if name in self._outstanding:
            self._outstanding[name] -= 1
        with suppress(Refused):  # deleted meanwhile
            if answer in ACKNOWLEDGED:
                self._broker.acknowledge(name, [received.ack_id])
            else:
                print(f"pubsub: {endpoint.url}: {answer}, put back", flush=True)
                self._broker.put_back(name, received.ack_id)


def envelope(subscription: str, received: Any) -> dict[str, Any]:
    """Return the wrapped body of a push: both spellings of id and time, optional parts where present."""
    message = received.message
    published = message.publish_time.ToJsonString()
    body: dict[str, Any] = {
        "data": base64.b64encode(message.data).decode(),
        "messageId": message.message_id,
        "message_id": message.message_id,
        "publishTime": published,
        "publish_time": published,
    }
    if message.attributes:
        body["attributes"] = dict(message.attributes)
    if message.ordering_key:
        body["orderingKey"] = message.ordering_key
    attempt = {"deliveryAttempt": received.delivery_attempt} if received.delivery_attempt else {}
    return {"message": body, "subscription": subscription, **attempt}
