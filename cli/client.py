"""The API over HTTP: repeats what is safe to repeat, and names what went wrong."""

import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import httpx

from cli.problems import BadInput, KeyRefused, Unreachable
from cli.settings import Settings, is_local

WAITS_SECONDS = (0.2, 0.5, 1.0)
_AGAIN = frozenset({429, 502, 503, 504})
MAX_ITEMS, MAX_BYTES = 10_000, 9_000_000
PAGE = 100


class Client:
    """One API. Every method returns its JSON, or raises a Problem that says what to do."""

    def __init__(self, settings: Settings, *, sleep: Callable[[float], None] = time.sleep) -> None:
        headers = {"User-Agent": "piecework-cli"}
        if settings.key:
            headers["Authorization"] = f"Bearer {settings.key}"
        self.url = settings.url
        self._sleep = sleep
        self._http = httpx.Client(
            base_url=settings.url,
            headers=headers,
            timeout=httpx.Timeout(60, connect=5),
            trust_env=not is_local(settings.url),  # a proxy cannot reach this machine's loopback
        )

    def submit(self, body: dict[str, Any]) -> dict[str, Any]:
        """Make a batch; sent again after a lost answer it is still one. Each call makes its own.

        The same list given again on another day is new work: what is young enough comes from the cache, for nothing.
        """
        headers = {"Idempotency-Key": str(uuid.uuid4())}
        return _json(self._checked("POST", "/v3/batches", json=body, headers=headers))

    def batch(self, batch_id: str) -> dict[str, Any]:
        return _json(self._checked("GET", f"/v3/batches/{_segment(batch_id)}"))

    def batches(self, limit: int) -> list[dict[str, Any]]:
        """Return the newest batches, page by page up to `limit`."""
        found: list[dict[str, Any]] = []
        for page in self._pages("/v3/batches", {"limit": min(limit, PAGE)}):
            found += page["batches"]
            if len(found) >= limit:
                break
        return found[:limit]

    def results(self, batch_id: str, state: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield every item of the batch, or those in one state."""
        parameters = {"limit": PAGE, **({"state": state} if state else {})}
        for page in self._pages(f"/v3/batches/{_segment(batch_id)}/results", parameters):
            yield from page["results"]

    def health(self) -> dict[str, Any]:
        """Return the health report, which comes with a 503 when things are down."""
        answer = self._send("GET", "/health")
        if answer.status_code != 503 or "checks" not in _json(answer):
            self._raise_for(answer)
        return _json(answer)

    def metrics(self) -> str:
        return self._checked("GET", "/metrics").text

    def _pages(self, path: str, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        cursor = None
        while True:
            page = _json(self._checked("GET", path, params={**parameters, **({"cursor": cursor} if cursor else {})}))
            yield page
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def _checked(self, method: str, path: str, **request: Any) -> httpx.Response:
        answer = self._send(method, path, **request)
        for wait in WAITS_SECONDS:
            if answer.status_code not in _AGAIN:
                break
            self._sleep(wait)
            answer = self._send(method, path, **request)
        self._raise_for(answer)
        return answer

    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send it, again if the connection fails. All that is sent here may arrive twice."""
        for wait in (*WAITS_SECONDS, None):
            try:
                return self._http.request(method, path, **request)
            except httpx.TransportError as error:
                if wait is None:
                    raise Unreachable(
                        f"No answer from {self.url} ({type(error).__name__}); is it up? Locally: piecework up."
                    ) from error
                self._sleep(wait)
        raise AssertionError  # pragma: no cover - the last wait is None

    def _raise_for(self, answer: httpx.Response) -> None:
        """Turn a status that is no success into the Problem it stands for."""
        if answer.is_success:
            return
        detail = _detail(answer)
        if answer.status_code in {401, 403}:
            raise KeyRefused(f"{self.url} refused the key ({detail}); check PIECEWORK_KEY or --key.")
        if answer.status_code in {429, 500, 502, 503, 504}:
            raise Unreachable(f"{self.url} is not ready ({detail}); see piecework health, then try again.")
        if answer.is_client_error:
            raise BadInput(f"{self.url} did not take this ({detail}); see piecework --help.")
        raise Unreachable(f"{self.url} is not a Piecework API ({detail}); check PIECEWORK_URL or --url.")


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise Unreachable(f"{answer.url.host} did not answer as a Piecework API does; check PIECEWORK_URL or --url.")
    return body


def _detail(answer: httpx.Response) -> str:
    """Return the problem document's sentence, else the status in words."""
    try:
        body = answer.json()
    except ValueError:
        body = {}
    sentence = (body.get("detail") or body.get("title") or "") if isinstance(body, dict) else ""
    status = f"{answer.status_code} {answer.reason_phrase}".strip()
    return f"{status}: {' '.join(str(sentence).split())[:300]}" if sentence else status


def _segment(batch_id: str) -> str:
    """Return the id when it can stand in a path."""
    if not batch_id or not all(letter.isalnum() or letter in "-_" for letter in batch_id):
        raise BadInput(f"{batch_id!r} is no batch id; see piecework batches.")
    return batch_id
