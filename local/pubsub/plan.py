"""What should exist once the server runs, made through the real client so that it holds for either server.

--push fanout=URL ─> topic fanout ─> push subscription fanout ─gives up─> topic fanout-dead
                                                                              └> subscription fanout-dead
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import grpc
from google.api_core.exceptions import AlreadyExists
from google.protobuf.field_mask_pb2 import FieldMask
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient, types
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport

from local.pubsub.posting import Endpoint


@dataclass(frozen=True)
class Push:
    """A push subscription, called like its topic."""

    topic: str
    endpoint: Endpoint


@dataclass(frozen=True)
class Delivery:
    """How every push subscription of the plan delivers; no attempts means no dead letters."""

    ack_deadline_seconds: int = 600
    min_backoff_seconds: float = 10
    max_backoff_seconds: float = 600
    max_delivery_attempts: int = 5


@dataclass(frozen=True)
class Plan:
    project: str
    topics: Sequence[str]
    pushes: Sequence[Push]
    delivery: Delivery = Delivery()

    def topic_path(self, topic: str) -> str:
        return f"projects/{self.project}/topics/{topic}"

    def subscription_path(self, name: str) -> str:
        return f"projects/{self.project}/subscriptions/{name}"

    def topic_names(self) -> list[str]:
        """Return every topic to make, those of dead letters included, once each."""
        pushed = [push.topic for push in self.pushes]
        buried = [f"{topic}-dead" for topic in pushed if self.delivery.max_delivery_attempts]
        return list(dict.fromkeys([*self.topics, *pushed, *buried]))

    def subscriptions(self) -> list[types.Subscription]:
        pushes = [self._push_subscription(push) for push in self.pushes]
        return pushes + ([self._dead(push.topic) for push in self.pushes] if self._buries() else [])

    def _buries(self) -> bool:
        return self.delivery.max_delivery_attempts > 0

    def _push_subscription(self, push: Push) -> types.Subscription:
        fields: dict[str, Any] = {
            "name": self.subscription_path(push.topic),
            "topic": self.topic_path(push.topic),
            "push_config": _push_config(push.endpoint),
            "ack_deadline_seconds": self.delivery.ack_deadline_seconds,
            "retry_policy": {
                "minimum_backoff": timedelta(seconds=self.delivery.min_backoff_seconds),
                "maximum_backoff": timedelta(seconds=self.delivery.max_backoff_seconds),
            },
        }
        if self._buries():
            fields["dead_letter_policy"] = {
                "dead_letter_topic": self.topic_path(f"{push.topic}-dead"),
                "max_delivery_attempts": self.delivery.max_delivery_attempts,
            }
        return types.Subscription(**fields)

    def _dead(self, topic: str) -> types.Subscription:
        name = f"{topic}-dead"
        return types.Subscription(name=self.subscription_path(name), topic=self.topic_path(name))


def _push_config(endpoint: Endpoint) -> types.PushConfig:
    if not endpoint.service_account:
        return types.PushConfig(push_endpoint=endpoint.url)
    token = {
        "service_account_email": endpoint.service_account,
        "audience": endpoint.audience or endpoint.url,
    }
    return types.PushConfig(push_endpoint=endpoint.url, oidc_token=token)


async def carry_out(plan: Plan, target: str) -> None:
    """Make what the plan names at the server `target`; what exists is brought into line."""
    async with grpc.aio.insecure_channel(target) as channel:
        publisher = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))
        subscriber = SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=channel))
        for topic in plan.topic_names():
            await _create_topic(publisher, plan.topic_path(topic))
        for subscription in plan.subscriptions():
            await _create_subscription(subscriber, subscription)


async def _create_topic(publisher: PublisherAsyncClient, name: str) -> None:
    try:
        await publisher.create_topic(name=name)
    except AlreadyExists:
        return


async def _create_subscription(subscriber: SubscriberAsyncClient, wanted: types.Subscription) -> None:
    try:
        await subscriber.create_subscription(request=wanted)
    except AlreadyExists:
        paths = ["push_config", "ack_deadline_seconds", "retry_policy", "dead_letter_policy"]
        await subscriber.update_subscription(subscription=wanted, update_mask=FieldMask(paths=paths))
