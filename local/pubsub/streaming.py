"""StreamingPull: messages one way, acknowledgements and longer leases the other, until the caller leaves."""

import asyncio
from typing import Any

import grpc
from google.pubsub_v1 import types

from local.pubsub.broker import Broker
from local.pubsub.names import Refused, invalid

GROUP = 100
MAX_OUTSTANDING = 1000


class Stream:
    """One open StreamingPull call."""

    def __init__(self, broker: Broker, context: Any) -> None:
        self._broker = broker
        self._context = context
        self._sent: set[str] = set()

    async def run(self) -> None:
        """Serve until the caller leaves; a rule break ends the call with its status."""
        first = await self._context.read()
        if first is grpc.aio.EOF:
            return
        try:
            check_pullable(self._broker, first.subscription)
            await self._serve(first)
        except Refused as refused:
            await self._context.abort(refused.code, str(refused))

    async def _serve(self, first: Any) -> None:
        ways = {asyncio.create_task(self._listen(first)), asyncio.create_task(self._send(first))}
        try:
            ended, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            for way in ended:
                way.result()
        finally:
            for way in ways:
                way.cancel()

    async def _listen(self, first: Any) -> None:
        request = first
        while request is not grpc.aio.EOF:
            self._obey(first.subscription, request)
            request = await self._context.read()

    def _obey(self, subscription: str, request: Any) -> None:
        if len(request.modify_deadline_ack_ids) != len(request.modify_deadline_seconds):
            raise invalid("Each of modify_deadline_ack_ids needs its modify_deadline_seconds.")
        if request.ack_ids:
            self._broker.acknowledge(subscription, request.ack_ids)
        for ack_id, seconds in zip(request.modify_deadline_ack_ids, request.modify_deadline_seconds, strict=True):
            self._broker.extend(subscription, ack_id, seconds)

    async def _send(self, first: Any) -> None:
        limit = first.max_outstanding_messages if first.max_outstanding_messages > 0 else MAX_OUTSTANDING
        while True:
            self._sent = {sent for sent in self._sent if self._broker.outstanding(first.subscription, sent)}
            room = min(limit - len(self._sent), GROUP)
            received = self._broker.claim(first.subscription, room, first.stream_ack_deadline_seconds)
            if received:
                self._sent.update(one.ack_id for one in received)
                await self._context.write(self._response(first.subscription, received))
            else:
                await self._broker.wait(first.subscription)

    def _response(self, name: str, received: list[Any]) -> Any:
        ordered = self._broker.resources.subscription(name).enable_message_ordering
        properties = types.StreamingPullResponse.SubscriptionProperties.pb()(message_ordering_enabled=ordered)
        return types.StreamingPullResponse.pb()(received_messages=received, subscription_properties=properties)


def check_pullable(broker: Broker, name: str) -> None:
    if broker.resources.subscription(name).push_config.push_endpoint:
        message = "This method is not supported for this subscription type: it is a push subscription."
        raise Refused(grpc.StatusCode.FAILED_PRECONDITION, message)
