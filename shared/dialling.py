"""How the outside is dialled: resolve, refuse what is not global unicast, connect to what was checked.

The check stands where the socket is opened, so a redirect meets it like a first request does, and a name that
answers differently the second time (DNS rebinding) is never asked a second time.
"""

import asyncio
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from typing import Any

import httpcore
import httpx

from shared.addresses import inner_kind, literal, special_kind
from shared.errors import DomainFailed, HeldBack, Rejected
from shared.tls import context

Resolve = Callable[[str], Awaitable[Sequence[str]]]

# Where web pages are served. Anything else on a public host would make us a port scanner, or a mail sender.
PORTS = frozenset({80, 443, 8080, 8443})
ADDRESSES_TRIED = 2
# After which glibc gives a name up: two tries of 5 seconds.
LOOKUP = timedelta(seconds=10)


class SystemResolver:
    """Asks the system's resolver, in threads of its own: a name that hangs holds up no other work.

    A lookup cannot be called off: it keeps its thread until the system gives up, long after its fetch did. So there
    are several threads for each item of an instance (one that idles is used again before another is made).
    """

    def __init__(self, now: Callable[[], datetime], threads: int = 256) -> None:
        self._now = now
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="resolve")
        self._free = threading.BoundedSemaphore(threads)

    async def __call__(self, host: str) -> list[str]:
        """The host's addresses, IPv4 first: Cloud Run has no way out over IPv6.

        Raises socket.gaierror; HeldBack("dns_busy") where names that hang hold every thread, whoever's they are.
        """
        if not self._free.acquire(blocking=False):
            raise HeldBack(
                self._now() + LOOKUP, "dns_busy", f"Too many names hang for {host} to be looked up just now."
            )
        looked_up = self._threads.submit(_look_up, host)
        looked_up.add_done_callback(lambda _: self._free.release())
        found = await asyncio.wrap_future(looked_up)
        return sorted(dict.fromkeys(found), key=lambda address: ":" in address)


def _look_up(host: str) -> list[str]:
    return [str(answer[4][0]) for answer in socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)]


class GuardedBackend(httpcore.AsyncNetworkBackend):
    """Opens TCP connections to global unicast addresses only. TLS and Host keep the name.

    `sample_site` ("127.0.0.1:8605", normally empty) is dialled for every host under the reserved .test.
    """

    def __init__(self, resolve: Resolve, dial: httpcore.AsyncNetworkBackend, sample_site: str = "") -> None:
        self._resolve = resolve
        self._dial = dial
        self._sample_site = sample_site

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's interface
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises Rejected("blocked_address"), DomainFailed("dns", "dns_down"), what `resolve` raises, ConnectError."""
        if self._is_sample(host):
            name, _, sample_port = self._sample_site.rpartition(":")
            return await self._dial.connect_tcp(name, int(sample_port), timeout, local_address, socket_options)
        addresses = (await self._allowed(host, port))[:ADDRESSES_TRIED]
        share = None if timeout is None else timeout / len(addresses)
        for address in addresses[:-1]:
            try:
                return await self._dial.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout):
                continue
        return await self._dial.connect_tcp(addresses[-1], port, share, local_address, socket_options)

    async def check(self, host: str, port: int) -> None:
        """Return if this host would be dialled. Raises what connect_tcp raises before it dials."""
        if not self._is_sample(host):
            await self._allowed(host, port)

    async def sleep(self, seconds: float) -> None:
        await self._dial.sleep(seconds)

    def _is_sample(self, host: str) -> bool:
        return bool(self._sample_site) and is_sample(host)

    async def _allowed(self, host: str, port: int) -> Sequence[str]:
        """The host's addresses, all of them checked. One bad address refuses the host: a name that mixes
        public and private is an attack or a mistake, and its good half is whichever its owner puts first.
        """
        check_host(host, port)
        address = literal(host)
        addresses = [address] if address else await self._addresses(host)
        for address in addresses:
            if kind := special_kind(address):
                raise Rejected("blocked_address", _blocked(host, address, kind))
        return addresses

    async def _addresses(self, host: str) -> Sequence[str]:
        try:
            addresses = await self._resolve(host)
        except socket.gaierror as error:
            if error.errno == socket.EAI_AGAIN:
                raise DomainFailed("dns_down", f"The name {host} could not be looked up just now.") from error
            raise DomainFailed("dns", f"The name {host} does not exist.") from error
        except UnicodeError as error:
            raise Rejected("bad_input", f"{host} is not a host name; check its spelling.") from error
        if not addresses:
            raise DomainFailed("dns", f"The name {host} has no address.")
        return addresses


class GuardedTransport(httpx.AsyncBaseTransport):
    """httpx over an httpcore pool whose connections a GuardedBackend opens; errors stay httpcore's."""

    def __init__(self, backend: GuardedBackend) -> None:
        # No limit here: the instance's concurrency is one, and waiting for a slot looks like a slow domain.
        self._pool = httpcore.AsyncConnectionPool(
            ssl_context=context(),
            max_connections=None,
            max_keepalive_connections=20,
            keepalive_expiry=5.0,
            network_backend=backend,
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        url = request.url
        answer = await self._pool.handle_async_request(
            httpcore.Request(
                request.method,
                httpcore.URL(scheme=url.raw_scheme, host=url.raw_host, port=url.port, target=url.raw_path),
                headers=request.headers.raw,
                content=request.stream,
                extensions=request.extensions,
            )
        )
        return httpx.Response(answer.status, headers=answer.headers, stream=_Stream(answer))

    async def aclose(self) -> None:
        await self._pool.aclose()


class _Stream(httpx.AsyncByteStream):
    def __init__(self, answer: httpcore.Response) -> None:
        self._answer = answer

    async def __aiter__(self) -> AsyncIterator[bytes]:
        async for chunk in self._answer.aiter_stream():
            yield chunk

    async def aclose(self) -> None:
        await self._answer.aclose()


def is_sample(host: str) -> bool:
    """Whether the host is under .test, which no public name ever is (RFC 6761)."""
    return host.lower().rstrip(".").endswith(".test")


def check_host(host: str, port: int) -> None:
    """What can be said of a host before it is looked up: whoever takes an address for later asks this too.

    Raises Rejected("blocked_address").
    """
    if port not in PORTS:
        allowed = ", ".join(str(allowed) for allowed in sorted(PORTS))
        raise Rejected("blocked_address", f"{host}:{port} is not dialled: only ports {allowed} are.")
    if kind := inner_kind(host):
        raise Rejected("blocked_address", _blocked(host, host, kind))


def _blocked(host: str, address: str, kind: str) -> str:
    shown = host if host == address else f"{host} ({address})"
    return f"{shown} is not a public address but {kind}; only hosts on the public Internet are called."
