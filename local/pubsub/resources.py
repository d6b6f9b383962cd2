"""Topics and subscriptions: made, listed, changed and deleted by the rules of the service."""

from collections.abc import Callable
from typing import Any

from google.protobuf.field_mask_pb2 import FieldMask
from google.pubsub_v1 import types

from local.pubsub.names import check_name, exists, invalid, missing, unsupported
from local.pubsub.store import Store

Topic = types.Topic.pb()
Subscription = types.Subscription.pb()
DELETED_TOPIC = "_deleted-topic_"
_UNSUPPORTED = (
    "filter",
    "bigquery_config",
    "cloud_storage_config",
    "bigtable_config",
    "enable_exactly_once_delivery",
    "message_transforms",
)
Listener = Callable[[str], None]


class Resources:
    """What exists, in memory as in the store. `changed` hears the name of each subscription touched."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._topics = {name: Topic.FromString(body) for name, body in store.topics().items()}
        self._subscriptions = {name: Subscription.FromString(body) for name, body in store.subscriptions().items()}
        self.changed: Listener = lambda _: None

    def create_topic(self, topic: Any) -> Any:
        check_name(topic.name, "topics")
        if topic.name in self._topics:
            raise exists(topic.name)
        return self._keep_topic(topic)

    def update_topic(self, changes: Any, mask: FieldMask) -> Any:
        return self._keep_topic(_merged(self.topic(changes.name), changes, mask))

    def topic(self, name: str) -> Any:
        """Return the topic. Raises Refused (NOT_FOUND)."""
        if name not in self._topics:
            raise missing(name)
        return self._topics[name]

    def topics(self, project: str) -> list[Any]:
        return _within(self._topics, f"{project}/")

    def delete_topic(self, name: str) -> None:
        """Delete the topic; its subscriptions stay, and keep what they have."""
        self.topic(name)
        del self._topics[name]
        self._store.delete_topic(name)
        for subscription in self.of_topic(name):
            subscription.topic = DELETED_TOPIC
            self._keep_subscription(subscription)

    def create_subscription(self, subscription: Any) -> Any:
        check_name(subscription.name, "subscriptions")
        if subscription.name in self._subscriptions:
            raise exists(subscription.name)
        self.topic(subscription.topic)
        return self._keep_subscription(checked(subscription))

    def update_subscription(self, changes: Any, mask: FieldMask) -> Any:
        return self._keep_subscription(checked(_merged(self.subscription(changes.name), changes, mask)))

    def subscription(self, name: str) -> Any:
        """Return the subscription. Raises Refused (NOT_FOUND)."""
        if name not in self._subscriptions:
            raise missing(name)
        return self._subscriptions[name]

    def subscriptions(self, project: str = "") -> list[Any]:
        return _within(self._subscriptions, f"{project}/" if project else "")

    def of_topic(self, topic: str) -> list[Any]:
        return [kept for kept in self._subscriptions.values() if kept.topic == topic]

    def delete_subscription(self, name: str) -> None:
        self.subscription(name)
        del self._subscriptions[name]
        self._store.delete_subscription(name)
        self.changed(name)

    def _keep_topic(self, topic: Any) -> Any:
        self._store.put_topic(topic.name, topic.SerializeToString())
        self._topics[topic.name] = topic
        return topic

    def _keep_subscription(self, subscription: Any) -> Any:
        self._store.put_subscription(subscription.name, subscription.topic, subscription.SerializeToString())
        self._subscriptions[subscription.name] = subscription
        self.changed(subscription.name)
        return subscription


def checked(subscription: Any) -> Any:
    """Return the subscription with its defaults filled in. Raises Refused for what breaks a rule."""
    for field in _UNSUPPORTED:
        if _is_set(subscription, field):
            raise unsupported(f"Subscription.{field}")
    _check_push(subscription.push_config)
    _check_dead_letter(subscription.dead_letter_policy)
    subscription.ack_deadline_seconds = subscription.ack_deadline_seconds or 10
    if not 10 <= subscription.ack_deadline_seconds <= 600:
        raise invalid("Invalid ack deadline: it must be between 10 and 600 seconds.")
    if not subscription.HasField("message_retention_duration"):
        subscription.message_retention_duration.seconds = 7 * 86400
    subscription.state = types.Subscription.State.ACTIVE
    return subscription


def _check_push(push: Any) -> None:
    if push.push_endpoint and not push.push_endpoint.startswith(("http://", "https://")):
        raise invalid(f"Invalid push endpoint: (url={push.push_endpoint}). It must be an http or https URL.")
    if push.HasField("no_wrapper"):
        raise unsupported("PushConfig.no_wrapper")


def _check_dead_letter(policy: Any) -> None:
    if policy.dead_letter_topic:
        check_name(policy.dead_letter_topic, "topics")
    if policy.max_delivery_attempts and not 5 <= policy.max_delivery_attempts <= 100:
        raise invalid("Invalid max delivery attempts: it must be between 5 and 100.")


def _is_set(message: Any, field: str) -> bool:
    return any(descriptor.name == field for descriptor, _ in message.ListFields())


def _merged(kept: Any, changes: Any, mask: FieldMask) -> Any:
    """Return a copy of `kept` with the masked fields of `changes`."""
    if not mask.paths or not mask.IsValidForDescriptor(kept.DESCRIPTOR):
        raise invalid("The update_mask must name one field at least, and only fields that there are.")
    if "name" in mask.paths or "topic" in mask.paths:
        raise invalid("The update_mask names a field that cannot be changed.")
    merged = type(kept)()
    merged.CopyFrom(kept)
    mask.MergeMessage(changes, merged, replace_message_field=True, replace_repeated_field=True)
    return merged


def _within(resources: dict[str, Any], prefix: str) -> list[Any]:
    return [resources[name] for name in sorted(resources) if name.startswith(prefix)]
