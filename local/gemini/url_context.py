"""The url_context tool: reads the pages a prompt names, from the sample site and from nowhere else.

Hosts under the reserved top-level domain `.test` are served by the sample site; any other host is reported
as not retrieved and never dialled.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape
from urllib.parse import urljoin, urlsplit

import httpx

MOST_URLS = 20
MOST_REDIRECTS = 3
MOST_BYTES = 5_000_000
URL = re.compile(r"https?://[^\s<>\"'`)\]}]+")
_TITLE = re.compile(r"<title[^>]*>(.*?)</title>", re.IGNORECASE | re.DOTALL)
_NOT_FREE = re.compile(r"\"isAccessibleForFree\"\s*:\s*\"?false", re.IGNORECASE)
_STATUS = "URL_RETRIEVAL_STATUS_"


@dataclass(frozen=True)
class Retrieved:
    url: str
    status: str
    html: str = ""

    def metadata(self) -> dict[str, str]:
        return {"retrievedUrl": self.url, "urlRetrievalStatus": _STATUS + self.status}


def urls_in(texts: Sequence[str]) -> list[str]:
    found = [url.rstrip(".,;:!?") for text in texts for url in URL.findall(text)]
    return list(dict.fromkeys(found))[:MOST_URLS]


def readable(html: str) -> str:
    """Title and main text of a page."""
    import trafilatura  # noqa: PLC0415 - 150 ms that only this tool needs

    title = _TITLE.search(html)
    heading = f"# {unescape(title.group(1)).strip()}\n" if title and title.group(1).strip() else ""
    return heading + (trafilatura.extract(html, fast=True, include_comments=False) or "")


class Pages:
    def __init__(self, site: str | None) -> None:
        """`site` is "host:port" of the sample site, None where there is none."""
        self._site = site
        self._client = httpx.AsyncClient(timeout=10, trust_env=False)

    async def close(self) -> None:
        await self._client.aclose()

    async def retrieve(self, url: str) -> Retrieved:
        """Never raises: what went wrong is in the status."""
        try:
            return await self._followed(url)
        except (httpx.HTTPError, httpx.InvalidURL, ValueError):
            return Retrieved(url, "ERROR")

    async def _followed(self, url: str) -> Retrieved:
        at = url
        for _ in range(MOST_REDIRECTS + 1):
            host = urlsplit(at).hostname or ""
            if not (self._site and host.endswith(".test")):
                return Retrieved(url, "ERROR")
            response, html = await self._got(at, host)
            if response.is_redirect:
                at = urljoin(at, response.headers["location"])
                continue
            return _judged(url, response, html)
        return Retrieved(url, "ERROR")

    async def _got(self, url: str, host: str) -> tuple[httpx.Response, str]:
        parts = urlsplit(url)
        target = f"http://{self._site}{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        async with self._client.stream("GET", target, headers={"Host": host}) as response:
            body = b""
            async for piece in response.aiter_bytes():
                body += piece
                if len(body) > MOST_BYTES:
                    raise ValueError("the page is too large")
            return response, body.decode(response.encoding or "utf-8", "replace")


def _judged(url: str, response: httpx.Response, html: str) -> Retrieved:
    if response.status_code == 402 or _NOT_FREE.search(html):
        return Retrieved(url, "PAYWALL")
    is_text = response.headers.get("content-type", "text/html").startswith(("text/", "application/xhtml"))
    return Retrieved(url, "SUCCESS", html) if response.is_success and is_text else Retrieved(url, "ERROR")
