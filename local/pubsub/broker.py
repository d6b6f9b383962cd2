"""The middle of it: what becomes of a message.

publish ─> a delivery for each subscription ─claim─> leased ─┬─ acknowledged ─> forgotten
                  ^                                          ├─ put back, or the lease ends ─┐
                  └──────────── after the backoff ───────────┴───────────────────────────────┤
                                     dead-letter topic <─ the attempts are used up ──────────┘
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from google.pubsub_v1 import types

from local.pubsub.names import Refused, invalid
from local.pubsub.policy import backoff_seconds, delivery_attempts, retention_seconds
from local.pubsub.resources import Resources
from local.pubsub.store import Delivery, Store

Message = types.PubsubMessage.pb()
ReceivedMessage = types.ReceivedMessage.pb()
MAX_MESSAGES, MAX_DATA_BYTES, MAX_ATTRIBUTES = 1000, 10_000_000, 100
_DEAD_LETTER = "CloudPubSubDeadLetterSource"


class Bell:
    """Wakes everyone who waits on it."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seconds: float | None) -> None:
        """Return when rung, or after `seconds`."""
        # Not wait_for: before Python 3.12 it swallows a cancellation that meets the ring.
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()


class Broker:
    """One process's Pub/Sub. The clock gives seconds since the epoch and comes from outside."""

    def __init__(self, store: Store, *, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._clock = clock
        self.resources = Resources(store)
        self.resources.changed = self._subscription_changed
        self.subscriptions_changed = Bell()
        self._bells: defaultdict[str, Bell] = defaultdict(Bell)
        for subscription in self.resources.subscriptions():
            if subscription.push_config.push_endpoint:
                store.release(subscription.name, clock())

    def publish(self, topic: str, messages: Sequence[Any]) -> list[str]:
        """Return the message ids once every subscription of the topic is sure to get them."""
        self.resources.topic(topic)
        _check_messages(messages)
        return self._publish(topic, messages)

    def _publish(self, topic: str, messages: Sequence[Any]) -> list[str]:
        now = self._clock()
        subscriptions = [subscription.name for subscription in self.resources.of_topic(topic)]
        bodies = [(_stamped(message, now), message.ordering_key) for message in messages]
        ids = self._store.publish(subscriptions, bodies, now)
        for name in subscriptions:
            self.ring(name)
        return [str(message) for message in ids]

    def claim(self, name: str, limit: int, lease_seconds: float | None = None) -> list[Any]:
        """Return up to `limit` ReceivedMessages that are due, leased to the caller for the ack deadline."""
        subscription = self.resources.subscription(name)
        now = self._clock()
        self._store.expire(name, now - retention_seconds(subscription))
        lease = lease_seconds or subscription.ack_deadline_seconds
        ordered = subscription.enable_message_ordering
        while claimed := self._store.claim(name, now, now + lease, limit, ordered=ordered):
            living = [delivery for delivery in claimed if not self._bury_spent(subscription, delivery)]
            if living:
                return [_received(subscription, delivery) for delivery in living]
        return []

    def acknowledge(self, name: str, ack_ids: Sequence[str]) -> None:
        self.resources.subscription(name)
        self._store.acknowledge(name, [_lease(ack_id) for ack_id in ack_ids])
        self.ring(name)

    def put_back(self, name: str, ack_id: str) -> None:
        """Nack: due again after the backoff, or a dead letter when the attempts are used up."""
        subscription = self.resources.subscription(name)
        _, attempts = lease = _lease(ack_id)
        limit = delivery_attempts(subscription)
        # Used up: due at once, so that the next claim buries it.
        wait = 0.0 if attempts == limit else backoff_seconds(subscription, attempts)
        self._store.move(name, lease, self._clock() + wait)
        self.ring(name)

    def extend(self, name: str, ack_id: str, seconds: int) -> None:
        """ModifyAckDeadline: lease it for `seconds` from now; 0 puts it back."""
        if not 0 <= seconds <= 600:
            raise invalid("Invalid ack deadline: it must be between 0 and 600 seconds.")
        if not seconds:
            self.put_back(name, ack_id)
            return
        self.resources.subscription(name)
        self._store.move(name, _lease(ack_id), self._clock() + seconds)

    def outstanding(self, name: str, ack_id: str) -> bool:
        return self._store.outstanding(name, _lease(ack_id), self._clock())

    def backlog(self, name: str) -> int:
        return self._store.backlog(name)

    def ring(self, name: str) -> None:
        """Wake who waits for the subscription: look again."""
        self._bells[name].ring()

    def _subscription_changed(self, name: str) -> None:
        self.ring(name)
        self.subscriptions_changed.ring()

    async def wait(self, name: str, longest: float | None = None) -> None:
        """Return when something may be due: rung, a lease or backoff ended, or `longest` seconds passed."""
        now = self._clock()
        due = self._store.next_due(name, now)
        waits = [wait for wait in (longest, None if due is None else due - now) if wait is not None]
        await self._bells[name].wait(min(waits, default=None))

    def _bury_spent(self, subscription: Any, delivery: Delivery) -> bool:
        """Hand a delivery that has had its attempts to the dead-letter topic; False when it may live."""
        limit = delivery_attempts(subscription)
        if limit is None or delivery.attempts <= limit:
            return False
        try:
            self._bury(subscription, delivery, limit)
        except Refused:  # no such topic: the service goes on delivering, so do we
            return False
        return True

    def _bury(self, subscription: Any, delivery: Delivery, attempts: int) -> None:
        topic = subscription.dead_letter_policy.dead_letter_topic
        self.resources.topic(topic)
        message = Message.FromString(delivery.body)
        _, project, _, short_name = subscription.name.split("/")
        message.attributes[f"{_DEAD_LETTER}DeliveryCount"] = str(attempts)
        message.attributes[f"{_DEAD_LETTER}Subscription"] = short_name
        message.attributes[f"{_DEAD_LETTER}SubscriptionProject"] = project
        message.attributes[f"{_DEAD_LETTER}TopicPublishTime"] = message.publish_time.ToJsonString()
        self._publish(topic, [message])
        self._store.acknowledge(subscription.name, [(delivery.message_id, delivery.attempts)])
        self.ring(subscription.name)


def _check_messages(messages: Sequence[Any]) -> None:
    if not 1 <= len(messages) <= MAX_MESSAGES:
        raise invalid(f"A publish request carries 1 to {MAX_MESSAGES} messages, not {len(messages)}.")
    for message in messages:
        if not message.data and not message.attributes:
            raise invalid("A message needs data or at least one attribute.")
        if len(message.data) > MAX_DATA_BYTES or len(message.attributes) > MAX_ATTRIBUTES:
            raise invalid(f"A message holds {MAX_DATA_BYTES} bytes and {MAX_ATTRIBUTES} attributes at most.")


def _stamped(message: Any, now: float) -> bytes:
    kept = Message()
    kept.CopyFrom(message)
    kept.publish_time.FromMilliseconds(int(now * 1000))
    kept.ClearField("message_id")
    body: bytes = kept.SerializeToString()
    return body


def _received(subscription: Any, delivery: Delivery) -> Any:
    received = ReceivedMessage(ack_id=delivery.ack_id)
    received.message.ParseFromString(delivery.body)
    received.message.message_id = str(delivery.message_id)
    if delivery_attempts(subscription) is not None:
        received.delivery_attempt = delivery.attempts
    return received


def _lease(ack_id: str) -> tuple[int, int]:
    """Return (message id, attempt). Raises Refused for what this server never gave out."""
    message, dash, attempt = ack_id.partition("-")
    # 18 digits: SQLite's integers end where Python's do not.
    if not (dash and message.isdecimal() and attempt.isdecimal() and max(len(message), len(attempt)) <= 18):
        raise invalid(f"You have passed an invalid ack ID to the service (ack_id={ack_id[:100]}).")
    return int(message), int(attempt)
