"""A Pub/Sub on a free port with a clock in hand, and a function that answers as told."""

import asyncio
import socket
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest
import uvicorn
from google.pubsub_v1 import PublisherAsyncClient, SubscriberAsyncClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcAsyncIOTransport
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from local.pubsub.broker import Broker
from local.pubsub.own import listen
from local.pubsub.push import Pusher
from local.pubsub.store import Store

SECONDS = 20
TOPIC = "projects/p/topics/fanout"
SUBSCRIPTION = "projects/p/subscriptions/fanout"


@dataclass
class Function:
    """Answers each POST with the next of `statuses`, the last one for ever."""

    url: str
    statuses: list[int] = field(default_factory=lambda: [200])
    posts: asyncio.Queue[tuple[dict[str, str], dict[str, Any]]] = field(default_factory=asyncio.Queue)

    async def answer(self, request: Request) -> Response:
        self.posts.put_nowait((dict(request.headers), await request.json()))
        return Response(status_code=self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0])

    async def next(self) -> tuple[dict[str, str], dict[str, Any]]:
        return await asyncio.wait_for(self.posts.get(), SECONDS)


class _Server(uvicorn.Server):
    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@pytest.fixture
async def function() -> AsyncIterator[Function]:
    listener = socket.create_server(("127.0.0.1", 0))
    made = Function(f"http://127.0.0.1:{listener.getsockname()[1]}/")
    app = Starlette(routes=[Route("/", made.answer, methods=["POST"])])
    server = _Server(uvicorn.Config(app, log_level="error", lifespan="off"))
    serving = asyncio.create_task(server.serve(sockets=[listener]))
    yield made
    serving.cancel()
    await asyncio.gather(serving, return_exceptions=True)
    listener.close()


@dataclass
class PubSub:
    """The server under test with the real clients for it."""

    broker: Broker
    target: str
    publisher: PublisherAsyncClient
    subscriber: SubscriberAsyncClient
    channel: grpc.aio.Channel
    now: list[float]

    def pass_time(self, seconds: float) -> None:
        self.now[0] += seconds
        for subscription in self.broker.resources.subscriptions():
            self.broker.ring(subscription.name)

    async def publish(self, data: bytes = b"work", topic: str = TOPIC, **attributes: str) -> str:
        message = {"data": data, "attributes": attributes}
        return (await self.publisher.publish(topic=topic, messages=[message])).message_ids[0]

    async def pull(self, subscription: str = SUBSCRIPTION) -> list[Any]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            answer = await self.subscriber.pull(subscription=subscription, max_messages=10, return_immediately=True)
        return list(answer.received_messages)

    async def acknowledged(self, subscription: str = SUBSCRIPTION) -> None:
        """Return once nothing of the subscription is left to acknowledge."""
        async with asyncio.timeout(SECONDS):
            while self.broker.backlog(subscription):
                await self.broker.wait(subscription)


def sign(email: str, audience: str) -> str:
    return f"{email}|{audience}"


@pytest.fixture
async def pubsub() -> AsyncIterator[PubSub]:
    now = [1_800_000_000.0]
    clock: Callable[[], float] = lambda: now[0]  # noqa: E731 - read at each call
    broker = Broker(Store(None), clock=clock)
    server, port = listen(broker, "127.0.0.1", 0)
    await server.start()
    pushing = asyncio.create_task(Pusher(broker, sign).run())
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        publisher = PublisherAsyncClient(transport=PublisherGrpcAsyncIOTransport(channel=channel))
        subscriber = SubscriberAsyncClient(transport=SubscriberGrpcAsyncIOTransport(channel=channel))
        await publisher.create_topic(name=TOPIC)
        yield PubSub(broker, f"127.0.0.1:{port}", publisher, subscriber, channel, now)
        pushing.cancel()
        await server.stop(0)
