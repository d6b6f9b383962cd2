"""Fetch one page from the open Internet, guarded and bounded.

url -> parse -> dial what was checked (dialling) -> status (answers) -> body within bounds (bodies) -> Page
"""

import asyncio
import ssl
from collections.abc import Callable, Mapping
from contextlib import aclosing
from datetime import UTC, datetime
from email.message import Message
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpcore
import httpx
import tenacity

from shared.answers import REDIRECTS, check_length, check_type, refusal, retry_after
from shared.bodies import ACCEPT_ENCODING, BoundedBody
from shared.dialling import GuardedBackend, GuardedTransport, Resolve, SystemResolver, is_sample
from shared.errors import DomainFailed, Rejected
from shared.pages import Page, Posted
from shared.urls import host_of, parse

MAX_REDIRECTS = 5
TIMEOUT = httpx.Timeout(10.0, connect=5.0)

_ERRORS = {
    httpcore.ConnectTimeout: ("timeout", "did not answer in time"),
    httpcore.TimeoutException: ("timeout", "did not answer in time"),
    httpcore.ConnectError: ("connection", "could not be reached"),
    httpcore.NetworkError: ("connection", "broke the connection"),
    httpcore.ProtocolError: ("bad_response", "does not speak HTTP as it should"),
    # Of a record after the handshake: httpcore lets it through as it is.
    ssl.SSLError: ("tls", "sends what does not decrypt"),
}
_BROKEN = tuple(_ERRORS)


class Fetcher:
    """One guarded HTTP client for a process, made at the first fetch. `user_agent` says who asks.

    `sample_site` ("127.0.0.1:8605") stands in, over plain http, for every host under .test; normally empty.
    `resolve` and `dial` are the outside: how names become addresses, how a checked address is connected to.
    """

    def __init__(
        self,
        user_agent: str,
        *,
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
        Skipped    gone, paywall, forbidden, legal_block, captcha, not_html, wrong_type, no_content, refused
        Rejected   bad_input, blocked_address, too_large, redirect_loop, bad_redirect, bad_encoding
        Deferred   domain_rests: the site named a time, or answered 429; dns_busy: no name can be looked up just now
        DomainFailed   dns, dns_down, tls, timeout, connection, bad_response, http_500 ...
        """
        headers = self._headers(accept, etag, last_modified)
        try:
            async with asyncio.timeout(seconds):
                return await self._follow(url, headers, accept, max_bytes)
        except TimeoutError as error:
            raise DomainFailed("timeout", f"{url} took longer than {seconds:g} seconds.") from error

    async def post(self, url: str, body: bytes, headers: Mapping[str, str], *, seconds: float = 10.0) -> Posted:
        """Send `body` to `url`, as guarded as a fetch is. Redirects are not followed, the answer's body is not read.

        Raises Rejected("bad_input", "blocked_address"), Deferred("dns_busy"), DomainFailed (dns, tls, timeout, ...).
        """
        sent = {"User-Agent": self._user_agent, **headers}
        try:
            async with asyncio.timeout(seconds):
                async with aclosing(await self._send(parse(url), sent, method="POST", content=body)) as response:
                    rest = retry_after(response.headers.get("retry-after", ""), self._now())
                    return Posted(response.status_code, rest)
        except TimeoutError as error:
            raise DomainFailed("timeout", f"{host_of(parse(url))} took longer than {seconds:g} seconds.") from error

    async def aclose(self) -> None:
        """Close what is open. A later fetch opens anew."""
        client, self._client = self._client, None
        if client is not None:
            await client.aclose()

    async def _follow(self, url: str, headers: Mapping[str, str], accept: str, max_bytes: int) -> Page:
        here, seen = parse(url), set[str]()
        while True:
            seen.add(str(here))
            async with aclosing(await self._send(here, headers)) as response:
                if response.status_code not in REDIRECTS:
                    return await self._page(url, here, response, accept, max_bytes)
                here = _target(here, response)
            if str(here) in seen or len(seen) > MAX_REDIRECTS:
                raise Rejected("redirect_loop", f"{url} redirects in a loop, or more than {MAX_REDIRECTS} times.")

    async def _send(
        self, url: httpx.URL, headers: Mapping[str, str], *, method: str = "GET", content: bytes | None = None
    ) -> httpx.Response:
        """The response with its body unread. Only connecting is tried a second time: it is free, and safe."""
        client = self._opened()
        # Left to itself httpx decodes the name for this header, and fails on names idna cannot decode.
        named = {"Host": url.netloc.decode("ascii"), **headers}
        request = client.build_request(method, self._dialled(url), headers=named, content=content)
        try:
            return await _twice()(client.send, request, stream=True)
        except _BROKEN as error:
            raise _renamed(error, host_of(url)) from error

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
            dial = self._dial or httpcore.AnyIOBackend()
            backend = GuardedBackend(self._resolve or SystemResolver(self._now), dial, self._sample_site)
            self._client = httpx.AsyncClient(
                transport=GuardedTransport(backend),
                timeout=TIMEOUT,
                trust_env=False,
                # Items share the client but never a cookie: what one site told us about one item stays there.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
            )
        return self._client

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


async def _read(response: httpx.Response, max_bytes: int, host: str) -> bytes:
    body = BoundedBody(response.headers.get("content-encoding", ""), max_bytes, host)
    try:
        async for chunk in response.aiter_raw():
            body.feed(chunk)
    except _BROKEN as error:
        raise _renamed(error, host) from error
    return body.finish()


def _target(here: httpx.URL, response: httpx.Response) -> httpx.URL:
    location = response.headers.get("location", "").strip()
    if not location:
        raise DomainFailed("bad_response", f"{host_of(here)} redirects without saying where to.")
    try:
        return parse(str(here.join(location.replace(" ", "%20"))))
    except (httpx.InvalidURL, ValueError, Rejected) as error:
        raise Rejected(
            "bad_redirect", f"{host_of(here)} redirects to {location[:200]}, which cannot be read."
        ) from error


def _content_type(headers: httpx.Headers) -> tuple[str, str | None]:
    message = Message()
    message["content-type"] = headers.get("content-type", "")
    declared = "content-type" in headers and "/" in headers["content-type"]
    return (message.get_content_type() if declared else ""), message.get_content_charset()


def _twice() -> tenacity.AsyncRetrying:
    return tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception(_is_retryable), stop=tenacity.stop_after_attempt(2), reraise=True
    )


def _is_retryable(error: BaseException) -> bool:
    connecting = isinstance(error, httpcore.ConnectError | httpcore.ConnectTimeout)
    return connecting and not _tls_error(error)


def _renamed(error: Exception, host: str) -> DomainFailed:
    if tls := _tls_error(error):
        return DomainFailed("tls", f"{host} could not prove who it is: {tls.reason or tls}.")
    reason, what = next(words for kind, words in _ERRORS.items() if isinstance(error, kind))
    return DomainFailed(reason, f"{host} {what}.")


def _tls_error(error: BaseException) -> ssl.SSLError | None:
    """httpcore's pool cuts the cause off (`raise ... from None`), but each error carries it as argument."""
    first = error.args[0] if error.args else None
    return first if isinstance(first, ssl.SSLError) else None
