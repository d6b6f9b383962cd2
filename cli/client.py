"""The API over HTTP: repeats what is safe to repeat, waits where it is told to, and names what went wrong."""

import os
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any
from urllib.parse import quote

import httpx

from cli.problems import BadInput, KeyRefused, Limited, Unreachable
from cli.settings import Settings, is_local

WAITS_SECONDS = (0.2, 0.5, 1.0)
_AGAIN = frozenset({502, 503, 504})
# So long a command waits for its rate limit in all.
MOST_WAIT_SECONDS = 180.0
UPLOAD_SECONDS = 120.0
MAX_ITEMS, MAX_BYTES = 10_000, 9_000_000
PAGE, RESULTS_PAGE = 100, 500
PROBLEM = "application/problem+json"


class Client:
    """One API. Every method returns its JSON, or raises a Problem that says what to do."""

    def __init__(
        self, settings: Settings, *, tell: Callable[[str], None], sleep: Callable[[float], None] = time.sleep
    ) -> None:
        headers = {"User-Agent": "piecework-cli"}
        if settings.key:
            headers["Authorization"] = f"Bearer {settings.key}"
        if token := os.environ.get("PIECEWORK_ID_TOKEN", "").strip():
            # Google's own, which it looks at before it lets anybody through to an API that is not public.
            headers["X-Serverless-Authorization"] = f"Bearer {token}"
        self.url = settings.url
        self._sleep = sleep
        self._tell = tell
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

    def upload(self, lines: Iterable[bytes], order: dict[str, Any], key: str) -> dict[str, Any]:
        """Make a batch of JSON lines, which are read anew where they are sent again; under one key it is one batch."""
        headers = {"Idempotency-Key": key, "Content-Type": "application/x-ndjson"}
        more = {"params": order, "content": lines, "timeout": UPLOAD_SECONDS}
        return _json(self._checked("POST", "/v3/batches", headers=headers, **more))

    def batch(self, batch_id: str) -> dict[str, Any]:
        return _json(self._checked("GET", f"/v3/batches/{_segment(batch_id)}"))

    def batches(self, limit: int, **filters: Any) -> list[dict[str, Any]]:
        """Return the newest batches, page by page up to `limit`."""
        return self.some("/v3/batches", "batches", limit, **filters)

    def results(self, batch_id: str, state: str | None = None) -> Iterator[dict[str, Any]]:
        """Yield every item of the batch, or those in one state, with their inputs whole: lists cut long ones."""
        parameters = {"limit": RESULTS_PAGE, **({"state": state} if state else {})}
        for page in self._pages(f"/v3/batches/{_segment(batch_id)}/results", parameters):
            for row in page["results"]:
                if row.get("input_cut"):
                    row |= {"input": self.get("v3", "items", row["item_id"])["input"], "input_cut": False}
                yield row

    def keep_posters(self, posters: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return {"added", "changed", "unchanged", "bad"}; sent again, nothing changes."""
        return _json(self._checked("POST", "/v3/posters", json={"posters": posters}))

    def poster(self, content_id: str) -> dict[str, Any]:
        return _json(self._checked("GET", f"/v3/posters/{_path(content_id)}"))

    def overlay(self, content_id: str, image: str) -> str:
        """Return the SVG."""
        return self._checked("GET", f"/v3/posters/{_path(content_id)}/overlay.svg", params={"image": image}).text

    def posters(self, sort: str) -> Iterator[dict[str, Any]]:
        """Yield every analysed poster."""
        for page in self._pages("/v3/posters", {"limit": PAGE, "sort": sort}):
            yield from page["posters"]

    def poster_list(self, *, inactive: bool, unseen: bool) -> Iterator[dict[str, Any]]:
        """Yield the rows of the table posters."""
        for page in self._pages("/v3/poster-list", {"limit": PAGE, "inactive": inactive, "unseen": unseen}):
            yield from page["posters"]

    def health(self) -> dict[str, Any]:
        """Return the health report, which comes with a 503 when things are down."""
        answer = self._send("GET", "/health")
        if answer.status_code != 503 or "checks" not in _json(answer):
            self._raise_for(answer)
        return _json(answer)

    def metrics(self) -> str:
        return self._checked("GET", "/metrics").text

    def get(self, *path: str, **parameters: Any) -> dict[str, Any]:
        """Parameters that are None are left out."""
        return _json(self._checked("GET", joined(*path), params=given(parameters)))

    def act(self, *path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        """POST what does the same when it is sent twice."""
        return _json(self._checked("POST", joined(*path), json=body))

    def some(self, path: str, name: str, limit: int, *, page: int = PAGE, **parameters: Any) -> list[dict[str, Any]]:
        """Return the first rows of a list, page by page up to `limit`; each page has them under `name`."""
        found: list[dict[str, Any]] = []
        for one in self._pages(path, {**given(parameters), "limit": min(limit, page)}):
            found += one[name]
            if len(found) >= limit:
                break
        return found[:limit]

    def _pages(self, path: str, parameters: dict[str, Any]) -> Iterator[dict[str, Any]]:
        cursor = None
        while True:
            page = _json(self._checked("GET", path, params={**parameters, **({"cursor": cursor} if cursor else {})}))
            yield page
            cursor = page.get("next_cursor")
            if not cursor:
                return

    def _checked(self, method: str, path: str, **request: Any) -> httpx.Response:
        """Send it until it is answered: again where the API is not ready, and after the wait that a 429 asks for."""
        waits, left = iter(WAITS_SECONDS), MOST_WAIT_SECONDS
        while True:
            answer = self._send(method, path, **request)
            if answer.status_code == 429:
                left = self._wait_for_limit(answer, left)
            elif answer.status_code in _AGAIN and (wait := next(waits, None)) is not None:
                self._sleep(wait)
            else:
                self._raise_for(answer)
                return answer

    def _wait_for_limit(self, answer: httpx.Response, left: float) -> float:
        """Wait as long as the answer asks; return what is left to wait. Raises Limited when that is too little."""
        told = answer.headers.get("retry-after", "")
        wait = float(told) if told.isdigit() else WAITS_SECONDS[-1]
        if wait > left:
            raise Limited(f"{_detail(answer)} That is too long to wait here: come back then.")
        self._tell(f"Waiting {wait:.0f} s: {_detail(answer)}")
        self._sleep(wait)
        return left - wait

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
        if answer.status_code in {401, 403} and PROBLEM not in answer.headers.get("content-type", ""):
            raise KeyRefused(
                f"{self.url} refused you before the API was asked ({detail}); where it is not public, set "
                "PIECEWORK_ID_TOKEN to what gcloud auth print-identity-token says, anew each hour."
            )
        if answer.status_code == 403:
            raise KeyRefused(f"{self.url} does not let this key do that ({detail}).")
        if answer.status_code == 401:
            raise KeyRefused(f"{self.url} refused the key ({detail}); check PIECEWORK_KEY or --key.")
        if answer.status_code in {500, 502, 503, 504}:
            raise Unreachable(f"{self.url} is not ready ({detail}); see piecework health, then try again.")
        if answer.is_client_error:
            raise BadInput(
                f"{self.url} did not take this ({detail}){'' if ': ' in detail else '; see piecework --help'}."
            )
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


def joined(*path: str) -> str:
    """Return the path whose last parts may be ids that were typed. Raises BadInput for what is none."""
    first, *rest = path
    return "/".join((first, *map(_segment, rest)))


def given(parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in parameters.items() if value is not None}


def _segment(batch_id: str) -> str:
    """Return the id when it can stand in a path."""
    if not batch_id or not all(letter.isalnum() or letter in "-_" for letter in batch_id):
        raise BadInput(f"{batch_id!r} is no id; piecework batches and piecework items find show them.")
    return batch_id


def _path(content_id: str) -> str:
    """Return the id as it stands in a path of the API. Raises BadInput for what no path holds."""
    if not content_id.strip() or set(content_id.split("/")) & {"", ".", ".."}:
        raise BadInput(f"{content_id!r} is no content_id.")
    return quote(content_id, safe="/")
