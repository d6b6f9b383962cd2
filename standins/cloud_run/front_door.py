"""All services of one front door, each at its port."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from standins.cloud_run.caller import CallerConnection
from standins.cloud_run.instance import GRACE_SECONDS
from standins.cloud_run.leftovers import Leftovers
from standins.cloud_run.pool import Pool
from standins.cloud_run.services import BadServices, Services
from standins.cloud_run.tokens import Tokens


class FrontDoor:
    """`start` it, `stop` it; in between `redeploy` replaces the services' instances."""

    def __init__(
        self,
        services: Services,
        *,
        host: str = "127.0.0.1",
        log: Callable[[str], None],
        instances_file: Path | None = None,
    ) -> None:
        """`instances_file`: where it notes its instances, so that one that was killed leaves none behind."""
        self._host = host
        self._leftovers = Leftovers(instances_file)
        self._tokens = Tokens(services.issuer)
        self.pools = {service.name: Pool(service, log, self._note) for service in services.services}
        self._servers: list[asyncio.Server] = []
        self._callers: set[CallerConnection] = set()

    async def start(self) -> None:
        """Listen at every port. Raises OSError."""
        self._leftovers.end()
        loop = asyncio.get_running_loop()
        for pool in self.pools.values():
            self._servers.append(
                await loop.create_server(self._connections(pool), self._host, pool.service.port, backlog=1024)
            )
            pool.keep_minimum()

    def _note(self) -> None:
        self._leftovers.write(one.pid for pool in self.pools.values() for one in pool.instances)

    def _connections(self, pool: Pool) -> Callable[[], CallerConnection]:
        return lambda: CallerConnection(pool, self._tokens, self._callers)

    def redeploy(self, services: Services) -> None:
        """New instances for every service. Raises BadServices when a name or a port is another than before."""
        before = {name: pool.service.port for name, pool in self.pools.items()}
        if {service.name: service.port for service in services.services} != before:
            raise BadServices("services cannot be added, removed or moved while they run: start the front door anew")
        for service in services.services:
            self.pools[service.name].replace(service)

    async def stop(self, grace_seconds: float = GRACE_SECONDS) -> None:
        """Take no more requests, and stop every instance."""
        for server in self._servers:
            server.close()
        for caller in list(self._callers):
            caller.close_when_idle()
        await asyncio.gather(*(pool.close(grace_seconds) for pool in self.pools.values()))

    def port(self, name: str) -> int:
        """Where the service listens."""
        place = list(self.pools).index(name)
        return int(self._servers[place].sockets[0].getsockname()[1])

    def stats(self) -> dict[str, Any]:
        return {
            "cpu_seconds": time.process_time(),
            "services": {name: stats_of(pool) for name, pool in self.pools.items()},
        }


def stats_of(pool: Pool) -> dict[str, Any]:
    return {
        "requests": pool.requests,
        # 0: the caller went away before there was an answer.
        "statuses": {str(status): count for status, count in sorted(pool.counts.items())},
        "starts": pool.starts,
        "ends": pool.ends,
        "instances": [
            {"name": one.name, "pid": one.pid, "port": one.port, "state": one.state, "in_flight": one.in_flight}
            for one in pool.instances
        ],
    }
