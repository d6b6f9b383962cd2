"""The warehouse: Databricks' SQL Statement Execution API 2.0.

POST statement ─> PENDING, RUNNING ─poll─> SUCCEEDED ─> rows, chunk by chunk
"""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from typing import Any

import httpx

from functions.catalog.content import Row, Statement
from functions.catalog.refusals import CatalogFailed, OutOfTime, refusal, statement_failed
from functions.catalog.settings import CatalogSettings

PATH = "/api/2.0/sql/statements"
WAIT_SECONDS = 30
FIRST_POLL_SECONDS, LAST_POLL_SECONDS = 0.5, 5.0
GONE = frozenset({404, 410})
AGAIN = frozenset({429, 500, 502, 503, 504})
MOST_TRIES = 8
ANSWER_SECONDS = WAIT_SECONDS + 20.0
CANCEL_SECONDS = 5.0
UNDER_WAY = ("PENDING", "RUNNING")

Answer = dict[str, Any]


class Warehouse:
    """One SQL warehouse. The clock, its sleep and chance come from outside."""

    def __init__(
        self,
        settings: CatalogSettings,
        *,
        until: float,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._settings = settings
        self._until, self._clock, self._sleep, self._chance = until, clock, sleep, chance
        self._http = httpx.AsyncClient(
            base_url=settings.databricks_host.rstrip("/"),
            headers={"Authorization": f"Bearer {settings.databricks_token.get_secret_value()}"},
            timeout=httpx.Timeout(ANSWER_SECONDS, connect=10.0),
        )
        # Links into cloud storage carry their own permission: ours must not go there.
        self._links = httpx.AsyncClient(timeout=httpx.Timeout(ANSWER_SECONDS, connect=10.0))

    async def rows(self, statement: Statement) -> AsyncIterator[tuple[Sequence[str], Sequence[Row]]]:
        """The result as (names of the columns, rows), chunk by chunk, while there is time.

        Raises OutOfTime, once the statement was told to stop, and CatalogFailed for all else.
        """
        answer = await self._finished(await self._submit(statement))
        try:
            columns = [column["name"] for column in answer["manifest"]["schema"]["columns"]]
            part = answer.get("result") or {}
            while True:
                if rows := await self._rows_of(part):
                    yield columns, rows
                place = (part.get("external_links") or [part])[0]
                if not (link := place.get("next_chunk_internal_link")):
                    return
                part = await self._ask("GET", link)
        except (KeyError, TypeError, IndexError, AttributeError) as error:
            raise CatalogFailed("bad_answer", f"Databricks sent a result without {error}.") from error

    async def aclose(self) -> None:
        await self._http.aclose()
        await self._links.aclose()

    async def _submit(self, statement: Statement) -> Answer:
        return await self._ask(
            "POST",
            PATH,
            json={
                "warehouse_id": self._settings.databricks_warehouse_id,
                "statement": statement.sql,
                "parameters": list(statement.parameters),
                "wait_timeout": f"{WAIT_SECONDS}s",
                "on_wait_timeout": "CONTINUE",
                "format": "JSON_ARRAY",
                "disposition": self._settings.catalog_disposition,
            },
        )

    async def _finished(self, answer: Answer) -> Answer:
        """The answer that has a result. Raises OutOfTime, CatalogFailed."""
        wait = FIRST_POLL_SECONDS
        while (status := _status(answer))["state"] in UNDER_WAY:
            try:
                await self._rest(wait)
                answer = await self._ask("GET", f"{PATH}/{answer['statement_id']}")
            except OutOfTime:
                await self._cancel(answer["statement_id"])
                raise
            wait = min(wait * 1.6, LAST_POLL_SECONDS)
        if status["state"] != "SUCCEEDED":
            raise statement_failed(status)
        return answer

    async def _rows_of(self, part: Mapping[str, Any]) -> Sequence[Row]:
        links = part.get("external_links")
        if not links:
            rows: Sequence[Row] = part.get("data_array") or []
            return rows
        try:
            answer = await self._sent(self._links, "GET", links[0]["external_link"])
        except CatalogFailed as failed:
            # A link that has expired is refused like a wrong token.
            if failed.reason in {"forbidden", "unauthorized", "refused"}:
                raise CatalogFailed(
                    "result_gone", "A link to the result has expired: the next run asks anew."
                ) from None
            raise
        fetched: Sequence[Row] = _json(answer)
        return fetched

    async def _ask(self, method: str, path: str, **request: Any) -> Answer:
        answer = _json(await self._sent(self._http, method, path, **request))
        if not isinstance(answer, dict):
            raise CatalogFailed("bad_answer", f"{self._settings.databricks_host} did not answer as Databricks does.")
        return answer

    async def _sent(self, client: httpx.AsyncClient, method: str, url: str, **request: Any) -> httpx.Response:
        """The answer, once it is a good one: every request here reads, so each may be sent again."""
        for tried in range(1, MOST_TRIES + 1):
            seconds = None
            try:
                answer = await client.request(method, url, **request)
            except httpx.HTTPError as error:
                # The error of a link would show the link, which is a permission.
                problem = CatalogFailed(
                    "unreachable", f"{self._settings.databricks_host} did not answer ({type(error).__name__})."
                )
            else:
                if answer.is_success:
                    return answer
                if method == "GET" and answer.status_code in GONE:
                    raise CatalogFailed("result_gone", "The statement's result is gone: the next run asks anew.")
                problem = refusal(answer.status_code, answer.text, self._settings)
                if answer.status_code not in AGAIN:
                    raise problem
                seconds = _asked_to_wait(answer)
            if tried == MOST_TRIES:
                raise problem
            await self._rest(self._longer(tried) if seconds is None else seconds, problem)
        raise AssertionError  # pragma: no cover - the last try returns or raises

    def _longer(self, tried: int) -> float:
        """From try to try, and never two clients at once."""
        return min(30.0, 2.0**tried / 4) * (0.5 + self._chance())

    async def _rest(self, seconds: float, problem: CatalogFailed | None = None) -> None:
        """Raises OutOfTime where the rest would end after our time."""
        if self._clock() + seconds >= self._until:
            raise OutOfTime(problem)
        await self._sleep(seconds)

    async def _cancel(self, statement_id: str) -> None:
        """Nobody waits for it any more, so nobody should pay for it."""
        try:
            await self._http.post(f"{PATH}/{statement_id}/cancel", timeout=CANCEL_SECONDS)
        except httpx.HTTPError:
            return


def _status(answer: Answer) -> dict[str, Any]:
    status = answer.get("status")
    if not isinstance(status, dict) or "state" not in status or "statement_id" not in answer:
        raise CatalogFailed("bad_answer", "Databricks answered without the state of the statement.")
    return status


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError as error:
        raise CatalogFailed("bad_answer", f"{answer.url.host} answered something that is no JSON.") from error


def _asked_to_wait(answer: httpx.Response) -> float | None:
    """The seconds of Retry-After, where there are any."""
    told = answer.headers.get("retry-after", "")
    return float(told) if told.replace(".", "", 1).isdecimal() else None
