"""google.pubsub.v1.Subscriber: subscriptions, and messages out of them by pull."""

import asyncio
from typing import Any

import grpc
from google.protobuf.field_mask_pb2 import FieldMask
from google.pubsub_v1 import types

from local.pubsub.broker import Broker
from local.pubsub.names import check_project, invalid
from local.pubsub.rpc import Methods, page, serialized, unary
from local.pubsub.streaming import Stream, check_pullable

PULL_WAIT_SECONDS = 10.0
MAX_PULLED = 1000


def subscriber(broker: Broker) -> grpc.GenericRpcHandler:
    """Return the service; methods it leaves out (snapshots, seek) answer UNIMPLEMENTED."""

    async def stream(_: Any, context: Any) -> None:
        await Stream(broker, context).run()

    streaming = grpc.stream_stream_rpc_method_handler(
        stream,
        request_deserializer=types.StreamingPullRequest.pb().FromString,
        response_serializer=serialized,
    )
    methods = {**unary(_administration(broker)), **unary(_pulling(broker)), "StreamingPull": streaming}
    return grpc.method_handlers_generic_handler("google.pubsub.v1.Subscriber", methods)


def _administration(broker: Broker) -> Methods:
    known = broker.resources

    def list_subscriptions(request: Any) -> Any:
        found, token = page(known.subscriptions(check_project(request.project)), request)
        return types.ListSubscriptionsResponse.pb()(subscriptions=found, next_page_token=token)

    def update(request: Any) -> Any:
        return known.update_subscription(request.subscription, request.update_mask)

    def modify_push(request: Any) -> None:
        changes = types.Subscription.pb()(name=request.subscription, push_config=request.push_config)
        known.update_subscription(changes, FieldMask(paths=["push_config"]))

    return {
        "CreateSubscription": (types.Subscription, known.create_subscription),
        "UpdateSubscription": (types.UpdateSubscriptionRequest, update),
        "GetSubscription": (types.GetSubscriptionRequest, lambda r: known.subscription(r.subscription)),
        "DeleteSubscription": (
            types.DeleteSubscriptionRequest,
            lambda r: known.delete_subscription(r.subscription),
        ),
        "ListSubscriptions": (types.ListSubscriptionsRequest, list_subscriptions),
        "ModifyPushConfig": (types.ModifyPushConfigRequest, modify_push),
    }


def _pulling(broker: Broker) -> Methods:
    async def pull(request: Any, context: Any) -> Any:
        received = await _pull(broker, request, context.time_remaining())
        return types.PullResponse.pb()(received_messages=received)

    def extend(request: Any) -> None:
        broker.resources.subscription(request.subscription)
        for ack_id in request.ack_ids:
            broker.extend(request.subscription, ack_id, request.ack_deadline_seconds)

    return {
        "Pull": (types.PullRequest, pull),
        "ModifyAckDeadline": (types.ModifyAckDeadlineRequest, extend),
        "Acknowledge": (types.AcknowledgeRequest, lambda r: broker.acknowledge(r.subscription, r.ack_ids)),
    }


async def _pull(broker: Broker, request: Any, remaining: float | None) -> list[Any]:
    """Return what is due; with nothing due wait for it, but answer before the caller gives up."""
    check_pullable(broker, request.subscription)
    if request.max_messages < 1:
        raise invalid("The max_messages must be positive.")
    clock = asyncio.get_running_loop().time
    until = clock() + min(PULL_WAIT_SECONDS, PULL_WAIT_SECONDS if remaining is None else remaining * 0.9)
    while True:
        received = broker.claim(request.subscription, min(request.max_messages, MAX_PULLED))
        if received or request.return_immediately or clock() >= until:
            return received
        await broker.wait(request.subscription, until - clock())
