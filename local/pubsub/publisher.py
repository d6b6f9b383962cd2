"""google.pubsub.v1.Publisher: topics, and messages into them."""

from typing import Any

import grpc
from google.pubsub_v1 import types

from local.pubsub.broker import Broker
from local.pubsub.names import check_project
from local.pubsub.rpc import Methods, page, unary


def publisher(broker: Broker) -> grpc.GenericRpcHandler:
    """Return the service; methods it leaves out (snapshots, detaching) answer UNIMPLEMENTED."""
    return grpc.method_handlers_generic_handler("google.pubsub.v1.Publisher", unary(_methods(broker)))


def _methods(broker: Broker) -> Methods:
    known = broker.resources

    def publish(request: Any) -> Any:
        return types.PublishResponse.pb()(message_ids=broker.publish(request.topic, request.messages))

    def list_topics(request: Any) -> Any:
        found, token = page(known.topics(check_project(request.project)), request)
        return types.ListTopicsResponse.pb()(topics=found, next_page_token=token)

    def list_subscriptions(request: Any) -> Any:
        known.topic(request.topic)
        found, token = page([kept.name for kept in known.of_topic(request.topic)], request)
        return types.ListTopicSubscriptionsResponse.pb()(subscriptions=found, next_page_token=token)

    return {
        "CreateTopic": (types.Topic, known.create_topic),
        "UpdateTopic": (types.UpdateTopicRequest, lambda r: known.update_topic(r.topic, r.update_mask)),
        "GetTopic": (types.GetTopicRequest, lambda r: known.topic(r.topic)),
        "DeleteTopic": (types.DeleteTopicRequest, lambda r: known.delete_topic(r.topic)),
        "ListTopics": (types.ListTopicsRequest, list_topics),
        "ListTopicSubscriptions": (types.ListTopicSubscriptionsRequest, list_subscriptions),
        "Publish": (types.PublishRequest, publish),
    }
