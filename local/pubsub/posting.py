"""One POST to a push endpoint, signed as the service account of its subscription."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

Sign = Callable[[str, str], str]  # (service account e-mail, audience) -> ID token


@dataclass(frozen=True)
class Endpoint:
    """Where a push goes; without a service account it carries no token."""

    url: str
    service_account: str = ""
    audience: str = ""


class Poster:
    """Posts over one client; `sign` makes ID tokens, and without it none are sent."""

    def __init__(self, client: httpx.AsyncClient, sign: Sign | None) -> None:
        self._client = client
        self._sign = sign

    async def post(self, endpoint: Endpoint, body: Any, seconds: float) -> int | str:
        """Return the status, or in words why there was none within `seconds`. Redirects are not followed."""
        try:
            async with asyncio.timeout(seconds):
                headers = self._headers(endpoint)
                answer = await self._client.post(endpoint.url, json=body, headers=headers, timeout=None)
        except TimeoutError:
            return f"no answer in {seconds:g} s"
        except Exception as error:  # noqa: BLE001 - an endpoint is anyone's text: it may fail only itself
            return f"{type(error).__name__}: {error}"
        return answer.status_code

    def _headers(self, endpoint: Endpoint) -> dict[str, str]:
        headers = {"User-Agent": "CloudPubSub-Google", "From": "noreply@google.com"}
        if self._sign and endpoint.service_account:
            token = self._sign(endpoint.service_account, endpoint.audience or endpoint.url)
            headers["Authorization"] = f"Bearer {token}"
        return headers


def push_client() -> httpx.AsyncClient:
    """Return a client that opens as many connections as there are pushes under way, and heeds no proxy."""
    return httpx.AsyncClient(limits=httpx.Limits(max_connections=None), trust_env=False)
