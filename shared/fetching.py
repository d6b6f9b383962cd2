"""Fetch one page from the open Internet, guarded and bounded.

url -> parse -> may it be read? (robots) -> a place in its host's line (turns) -> dial what was checked (dialling)
    -> status (answers) -> body within bounds (bodies) -> Page
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.message import Message
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpcore
import httpx

from shared import robots
from shared.answers import REDIRECTS, check_length, check_type, redirect_target, refusal, retry_after
from shared.bodies import ACCEPT_ENCODING, BoundedBody
from shared.connection_errors import BROKEN, renamed, twice
from shared.dialling import GuardedBackend, GuardedTransport, Resolve, SystemResolver, is_sample
from shared.errors import DomainFailed, HeldBack, Rejected
from shared.pages import Page, Posted
from shared.robots import Robots
from shared.turns import Turns, standing_still
from shared.urls import DEFAULT_PORTS, host_of, parse, site_of

MAX_REDIRECTS = 5
TIMEOUT = httpx.Timeout(10.0, connect=5.0)
# So long an item waits for requests of ours to the same host, then it leaves its slot of the instance to others.
LINE_SECONDS = 10.0
LINE_REST = timedelta(seconds=30)


class Fetcher:
    """One guarded HTTP client for a process, made at the first fetch. `user_agent` says who asks.

    At most `max_per_host` requests to one host are open at once. With `obey_robots` no page is fetched that its host's
    robots.txt forbids. `sample_site` ("127.0.0.1:8605"; empty in deployments) is every host under .test, over http.
    `resolve` and `dial` are the outside: how names become addresses, how a checked address is connected to.
    """

    def __init__(  # noqa: PLR0913 - each has its name, and a default
        self,
        user_agent: str,
        *,
        obey_robots: bool = False,
        max_per_host: int = 4,
        sample_site: str = "",
        resolve: Resolve | None = None,
        dial: httpcore.AsyncNetworkBackend | None = None,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._user_agent = user_agent
        self._sample_site = sample_site
        self._resolve = resolve
        self._dial = dial
        self._now = now
        self._lines = Turns(max_per_host)
        self._robots = Robots(user_agent, self._robots_txt, now) if obey_robots else None
        self._backend: GuardedBackend | None = None
        self._client: httpx.AsyncClient | None = None

    async def fetch(  # noqa: PLR0913 - each bound has its name, and a default
        self,
        url: str,
        *,
        accept: str = "text/html",
        max_bytes: int = 5_000_000,
        seconds: float = 20.0,
        etag: str | None = None,
        last_modified: str | None = None,
    ) -> Page:
        """The page at `url`, after at most five redirects, within `seconds` and `max_bytes` (also unpacked).

        With `etag` or `last_modified` of an earlier fetch the page may come back as `not_modified`. Raises
        Skipped    robots, gone, paywall, forbidden, legal_block, captcha, not_html, wrong_type, no_content, refused
        Rejected   bad_input, blocked_address, too_large, redirect_loop, bad_redirect, bad_encoding
        Deferred   domain_rests: the site named a time, or answered 429
        HeldBack   dns_busy: no name can be looked up just now; host_busy: too many requests of ours to this host
        DomainFailed   dns, dns_down, tls, timeout, connection, bad_response, http_500, robots_unreachable ...
        """
        headers = self._headers(accept, etag, last_modified)
        try:
            async with asyncio.timeout(seconds) as limit:
                return await self._follow(url, headers, accept, max_bytes, limit)
        except TimeoutError as error:
            raise DomainFailed("timeout", f"{url} took longer than {seconds:g} seconds.") from error

    async def check_robots(self, url: str) -> None:
        """Return if the page at `url` may be read by its host's robots.txt, for who reads it otherwise than by `fetch`.

        Redirects are not looked at. Raises Skipped("robots"), and what fetch raises of a host that cannot be reached.
        """
        if self._robots:
            await self._robots.check(parse(url))

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, seconds: float = 10.0) -> Posted:
        """Send `body` to `url`, as guarded as a fetch is. Redirects are not followed, the answer's body is not read.

        Raises Rejected("bad_input", "blocked_address"), HeldBack("dns_busy", "host_busy"), DomainFailed (dns, ...).
        """
        sent = {"User-Agent": self._user_agent, **headers}
        try:
            async with asyncio.timeout(seconds) as limit:
                async with self._answered(parse(url), sent, limit, method="POST", content=body) as response:
                    rest = retry_after(response.headers.get("retry-after", ""), self._now())
                    return Posted(response.status_code, rest)
        except TimeoutError as error:
            raise DomainFailed("timeout", f"{host_of(parse(url))} took longer than {seconds:g} seconds.") from error

    async def check(self, url: str, *, seconds: float = 5.0) -> None:
        """Return if `fetch` would dial this address: for one that somebody else is to open for us.

        Its redirects are not known here, nor what its name will mean to whoever opens it. Raises Rejected("bad_input",
        "blocked_address"), HeldBack("dns_busy"), DomainFailed("dns", "dns_down", "timeout").
        """
        address = parse(url)
        host = host_of(address)
        try:
            async with asyncio.timeout(seconds):
                await self._guard().check(host, address.port or DEFAULT_PORTS[address.scheme])
        except TimeoutError as error:
            raise DomainFailed("timeout", f"{host} took longer than {seconds:g} seconds to be looked up.") from error

    async def aclose(self) -> None:
        """Close what is open. A later fetch opens anew."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _follow(
        self, url: str, headers: Mapping[str, str], accept: str, max_bytes: int, limit: asyncio.Timeout
    ) -> Page:
        here, seen = parse(url), set[str]()
        while True:
            seen.add(str(here))
            if self._robots:
                with standing_still(limit):
                    await self._robots.check(here)
            async with self._answered(here, headers, limit) as response:
                if response.status_code not in REDIRECTS:
                    return await self._page(url, here, response, accept, max_bytes)
                here = redirect_target(here, response)
            if str(here) in seen or len(seen) > MAX_REDIRECTS:
                raise Rejected("redirect_loop", f"{url} redirects in a loop, or more than {MAX_REDIRECTS} times.")

    async def _robots_txt(self, file: httpx.URL) -> bytes:
        """What is read of a robots.txt; b"" where there is none. Raises Deferred, DomainFailed, Rejected (its host)."""
        here = file
        try:
            async with asyncio.timeout(robots.SECONDS) as limit:
                for _ in range(1 + MAX_REDIRECTS):
                    async with self._answered(here, self._headers("text/plain", None, None), limit) as response:
                        if response.status_code not in REDIRECTS:
                            return await self._rules(response, here)
                        here = redirect_target(here, response)
        except TimeoutError as error:
            raise robots.unreachable(file, f"took longer than {robots.SECONDS:g} seconds") from error
        except Rejected as error:
            # Only its own host's address speaks for the page, too. Else: a redirect that leads nowhere.
            if error.reason == "blocked_address" and here == file:
                raise
        return b""

    async def _rules(self, response: httpx.Response, here: httpx.URL) -> bytes:
        if failure := robots.unavailable(response.status_code, response.headers, here, self._now()):
            raise failure
        if not response.is_success:
            return b""
        return await _read(response, robots.MOST_BYTES, host_of(here), cut=True)

    @asynccontextmanager
    async def _answered(
        self,
        url: httpx.URL,
        headers: Mapping[str, str],
        limit: asyncio.Timeout,
        *,
        method: str = "GET",
        content: bytes | None = None,
    ) -> AsyncIterator[httpx.Response]:
        """The response with its body unread, in one of its host's places. `limit` does not run while it waits for that.

        Raises HeldBack("host_busy"): the wait is our own doing, so it says nothing of the host.
        """
        async with AsyncExitStack() as held:
            try:
                with standing_still(limit):
                    await held.enter_async_context(self._lines.take(site_of(url), seconds=LINE_SECONDS))
            except TimeoutError as error:
                until = self._now() + LINE_REST
                raise HeldBack(until, "host_busy", f"Other items are reading from {host_of(url)} just now.") from error
            response = await self._send(url, headers, method=method, content=content)
            yield await held.enter_async_context(aclosing(response))

    async def _send(
        self, url: httpx.URL, headers: Mapping[str, str], *, method: str = "GET", content: bytes | None = None
    ) -> httpx.Response:
        """The response with its body unread."""
        client = self._opened()
        # Left to itself httpx decodes the name for this header, and fails on names idna cannot decode.
        named = {"Host": url.netloc.decode("ascii"), **headers}
        request = client.build_request(method, self._dialled(url), headers=named, content=content)
        try:
            return await twice()(client.send, request, stream=True)
        except BROKEN as error:
            raise renamed(error, host_of(url)) from error

    async def _page(self, url: str, here: httpx.URL, response: httpx.Response, accept: str, max_bytes: int) -> Page:
        headers, status = response.headers, response.status_code
        if refused := refusal(status, headers, host_of(here), self._now()):
            raise refused
        content_type, charset = _content_type(headers)
        if status == 304:
            _check_was_conditional(response, host_of(here))
            body = b""
        else:
            check_type(content_type, accept, host_of(here))
            check_length(headers, max_bytes, host_of(here))
            body = await _read(response, max_bytes, host_of(here))
        return Page(
            url=url,
            final_url=str(here),
            status=status,
            content_type=content_type,
            charset=charset,
            body=body,
            etag=headers.get("etag"),
            last_modified=headers.get("last-modified"),
            fetched_at=self._now(),
            not_modified=status == 304,
        )

    def _opened(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                transport=GuardedTransport(self._guard()),
                timeout=TIMEOUT,
                trust_env=False,
                # Items share the client but never a cookie: what one site told us about one item stays there.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            )
        return self._client

    def _guard(self) -> GuardedBackend:
        if self._backend is None:
            dial = self._dial or httpcore.AnyIOBackend()
            self._backend = GuardedBackend(self._resolve or SystemResolver(self._now), dial, self._sample_site)
        return self._backend

    def _dialled(self, url: httpx.URL) -> httpx.URL:
        sample = self._sample_site and is_sample(host_of(url))
        return url.copy_with(scheme="http") if sample else url

    def _headers(self, accept: str, etag: str | None, last_modified: str | None) -> dict[str, str]:
        headers = {
            "User-Agent": self._user_agent,
            "Accept": f"{accept}, */*;q=0.1",
            "Accept-Encoding": ACCEPT_ENCODING,
        }
        conditions = {"If-None-Match": etag, "If-Modified-Since": last_modified}
        # A server may send back bytes that no header may hold; then the page is simply read again.
        return headers | {name: value for name, value in conditions.items() if value and _is_sendable(value)}


def _is_sendable(value: str) -> bool:
    return value.isascii() and value.isprintable()


def _check_was_conditional(response: httpx.Response, host: str) -> None:
    if not {"if-none-match", "if-modified-since"} & set(response.request.headers):
        raise DomainFailed("bad_response", f"{host} says that a page has not changed which was never read.")


async def _read(response: httpx.Response, max_bytes: int, host: str, *, cut: bool = False) -> bytes:
    """The body. With `cut` a longer one gives its whole lines within `max_bytes`."""
    body = BoundedBody(response.headers.get("content-encoding", ""), max_bytes, host)
    try:
        async for chunk in response.aiter_raw():
            body.feed(chunk)
    except BROKEN as error:
        raise renamed(error, host) from error
    except Rejected:
        if not cut:
            raise
        return body.head().rpartition(b"\n")[0]
    return body.finish()


def _content_type(headers: httpx.Headers) -> tuple[str, str | None]:
    message = Message()
    message["content-type"] = headers.get("content-type", "")
    declared = "content-type" in headers and "/" in headers["content-type"]
    return (message.get_content_type() if declared else ""), message.get_content_charset()
