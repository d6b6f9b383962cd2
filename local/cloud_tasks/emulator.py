"""The emulator as one object: start, stop, and what tests and people want to see inside.

gRPC (wire) -> QueueCalls, TaskCalls, ... -> Catalog + Dispatcher -> Delivery -> HttpClient
                                              └ Store
"""

import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import grpc.aio

from local.cloud_tasks import queue_settings, wire
from local.cloud_tasks.authorization import Authorization
from local.cloud_tasks.batch_calls import BatchCalls
from local.cloud_tasks.catalog import Catalog
from local.cloud_tasks.clock import Clock, WallClock
from local.cloud_tasks.delivery import Delivery
from local.cloud_tasks.dispatcher import Dispatcher
from local.cloud_tasks.faults import Faults
from local.cloud_tasks.http_client import HttpClient
from local.cloud_tasks.messages import Message
from local.cloud_tasks.queue_calls import QueueCalls
from local.cloud_tasks.side_calls import SideCalls
from local.cloud_tasks.store import NoStore, SqliteStore, Store
from local.cloud_tasks.task_calls import TaskCalls
from local.cloud_tasks.throttling import Throttle
from local.oidc import Issuer

_SWEEP_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Options:
    """How an emulator behaves; every part has a default that needs nothing."""

    data: Path | None = None
    issuer: Issuer | None = None
    clock: Clock = field(default_factory=WallClock)
    faults: Faults = field(default_factory=Faults)
    app_engine: str | None = None
    accounts: frozenset[str] = frozenset()
    throttle: Callable[[], Throttle] = Throttle
    tls: ssl.SSLContext | None = None
    log: Callable[[str], None] | None = None
    notice: Callable[[str], None] | None = None


class CloudTasks:
    """A running Cloud Tasks: `async with CloudTasks() as tasks:` and connect a client to `tasks.port`."""

    def __init__(self, options: Options | None = None, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Raises StoreFailed when the data file cannot be used."""
        options = options or Options()
        self.host = host
        self.port = port
        self._clock = options.clock
        self._store: Store = SqliteStore(options.data) if options.data else NoStore()
        self._client = HttpClient(options.tls)
        self._catalog = Catalog(self._clock, self._store, options.throttle)
        self._dispatcher = Dispatcher(self._clock, self._catalog, self._delivery(options), options.log, options.notice)
        self._server = self._serve(options)

    async def start(self) -> None:
        """Serve. Raises RuntimeError when the port is taken."""
        self._catalog.restore()
        host = f"[{self.host}]" if ":" in self.host else self.host
        self.port = self._server.add_insecure_port(f"{host}:{self.port}")
        await self._server.start()
        self._dispatcher.pump_all()
        self._sweep_later()

    async def stop(self, grace: float = 0.0) -> None:
        """Stop; attempts on their way get `grace` seconds. What is not done stays in the data file."""
        await self._server.stop(None)
        self._sweep_timer.cancel()
        await self._dispatcher.stop(grace)
        self._client.close()
        self._store.close()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    def keep_queue(self, settings: Message) -> None:
        """Create a queue, or give it these settings; its tasks and its state stay. Raises Refused."""
        known = self._catalog.queues.get(settings.name)
        complete = queue_settings.created(settings)
        if known is not None:
            complete.state = known.settings.state
        if known is not None and known.settings.HasField("purge_time"):
            complete.purge_time.CopyFrom(known.settings.purge_time)
        self._dispatcher.pump(self._catalog.keep_queue(complete))

    def drop_reserved_names(self) -> None:
        """Make the names of finished tasks and deleted queues free at once."""
        self._catalog.drop_reserved_names()

    def counts(self) -> dict[str, tuple[int, int]]:
        """Return for each queue how many tasks it holds, and how many attempts are on their way."""
        return {name: (len(queue.tasks), queue.running) for name, queue in self._catalog.queues.items()}

    def shares(self) -> dict[str, float]:
        """Return for each queue the share of its rate that it may use now: less than 1 while it is throttled."""
        now = self._clock.time()
        return {name: queue.share(now) for name, queue in self._catalog.queues.items()}

    async def settled(self) -> None:
        """Return when no attempt is on its way."""
        await self._dispatcher.settled()

    def _delivery(self, options: Options) -> Delivery:
        return Delivery(
            self._clock,
            self._client,
            Authorization(options.issuer, self._clock),
            faults=options.faults,
            app_engine=options.app_engine,
        )

    def _serve(self, options: Options) -> Any:
        parts = self._clock, self._catalog, self._dispatcher
        tasks = TaskCalls(*parts, accounts=options.accounts)
        server = grpc.aio.server(options=wire.OPTIONS)
        server.add_generic_rpc_handlers(
            wire.handlers(QueueCalls(*parts), tasks, BatchCalls(*parts, tasks), SideCalls(self._catalog), self._store)
        )
        return server

    def _sweep_later(self) -> None:
        self._sweep_timer = self._clock.call_at(self._clock.time() + _SWEEP_SECONDS, self._sweep)

    def _sweep(self) -> None:
        self._catalog.sweep()
        self._sweep_later()
