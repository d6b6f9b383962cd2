"""Our own Pub/Sub, whole: store, broker, pushes and the gRPC port."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import grpc

from local.pubsub.broker import Broker
from local.pubsub.posting import Sign
from local.pubsub.publisher import publisher
from local.pubsub.push import Pusher
from local.pubsub.store import Store
from local.pubsub.subscriber import subscriber

_OPTIONS = [
    # Without this a second server would share the port in silence.
    ("grpc.so_reuseport", 0),
    ("grpc.max_receive_message_length", 11 * 1024 * 1024),
    ("grpc.max_send_message_length", -1),
]


@asynccontextmanager
async def own_pubsub(
    host: str, port: int, data: Path | None, sign: Sign | None
) -> AsyncIterator[tuple[int, asyncio.Task[None]]]:
    """Run a Pub/Sub; yield its port and its pushing, which ends by itself only when it fails.

    Raises OSError for a taken port, sqlite3.Error for a bad file.
    """
    store = Store(data)
    broker = Broker(store)
    server, bound = listen(broker, host, port)
    await server.start()
    pushing = asyncio.create_task(Pusher(broker, sign).run())
    try:
        yield bound, pushing
    finally:
        await server.stop(grace=0)
        pushing.cancel()
        await asyncio.gather(pushing, return_exceptions=True)
        store.close()


def listen(broker: Broker, host: str, port: int) -> tuple[grpc.aio.Server, int]:
    """Return a server for the broker, not yet started, and its port. Raises OSError when that is taken."""
    server = grpc.aio.server(options=_OPTIONS)
    server.add_generic_rpc_handlers((publisher(broker), subscriber(broker)))
    try:
        return server, server.add_insecure_port(f"{host}:{port}")
    except RuntimeError as error:
        raise OSError(f"{host}:{port} is taken") from error
