"""The store: Supabase, spoken to by SQL functions (rpc) and keyset pages.

Errors are renamed here once: what the database did not like about the data is RowRefused, all else StoreDown.
"""

from base64 import b64decode
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx
from postgrest import APIError, AsyncPostgrestClient, ReturnMethod
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt

from shared.errors import Failed, StoreDown, Unheard
from shared.items import Claim, ClaimRequest, Ended, Kept
from shared.manifest import Manifest
from shared.settings import Settings
from shared.tls import context

# A statement ends after 8 s by Supabase's own timeout; the rest is for a pooler that is slow to hand out a connection.
# Giving up earlier would leave leases behind that nobody holds.
ANSWER_SECONDS = 25.0
ROWS_PER_CALL = 500
# SQLSTATE classes that speak of the data: cardinality, data exception, integrity constraint, limits of the program (too
# long for an index, nested too deeply).
DATA_CLASSES = ("21", "22", "23", "54")
# Where the database was not even asked.
UNASKED = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.UnsupportedProtocol)


class RowRefused(Failed):
    """The database refused the data itself; sending it again would be refused again."""


class Store:
    """A connection pool to Supabase. Every call is safe to repeat: each is tried once more on a fresh connection."""

    def __init__(self, url: str, key: str, *, seconds: float = ANSWER_SECONDS) -> None:
        headers = {"apikey": key}
        if key.startswith("eyJ"):  # a legacy service_role JWT is wanted as a bearer token too
            headers["Authorization"] = f"Bearer {key}"
        # Supabase answers to this one, too, in a role that may do nothing here.
        self._public_key = key.startswith("sb_publishable_") or '"anon"' in claims_of(key)
        self._url = url.rstrip("/")
        # HTTP/1.1: an idle HTTP/2 connection that the server closed fails the next request.
        self._http = httpx.AsyncClient(
            headers=headers,
            verify=context(),
            timeout=httpx.Timeout(seconds, connect=5.0),
            limits=httpx.Limits(max_connections=20),
        )
        self._client = AsyncPostgrestClient(
            f"{self._url}/rest/v1", headers=headers, http_client=self._http, retry_enabled=False
        )

    @staticmethod
    def of(settings: Settings) -> "Store":
        return Store(settings.supabase_url, settings.supabase_secret_key.get_secret_value())

    async def call(self, function: str, **arguments: Any) -> Any:
        """Call a SQL function; its rows, or its value. Raises RowRefused, StoreDown."""
        return await self._execute(lambda: self._client.rpc(function, arguments))

    async def answers(
        self, function: str, argument: str, asked: Sequence[Mapping[str, Any]], key: Sequence[str], **arguments: Any
    ) -> dict[tuple[Any, ...], Mapping[str, Any]]:
        """What a SQL function answers to each of `asked`, by the columns `key`, which both have.

        It is called again for those whose answers the project's max-rows cut off; the function bears being repeated.
        """
        told: dict[tuple[Any, ...], Mapping[str, Any]] = {}
        left = list(asked)
        while left:
            rows = await self.call(function, **{argument: left}, **arguments)
            if not rows:
                break
            told |= {tuple(row[column] for column in key): row for row in rows}
            left = [one for one in left if tuple(one[column] for column in key) not in told]
        return told

    async def select(self, table: str, columns: str = "*", **equal: Any) -> list[dict[str, Any]]:
        """The few rows of `table` where each named column has its value. Use `pages` where there may be many."""
        rows: list[dict[str, Any]] = await self._execute(
            lambda: _where(self._client.from_(table).select(columns), equal)
        )
        return rows

    async def insert(self, table: str, rows: Sequence[Mapping[str, Any]], *, on_conflict: str = "") -> None:
        """Insert rows (all with the same keys), leaving those that are there already as they are."""
        for start in range(0, len(rows), ROWS_PER_CALL):
            chunk = [dict(row) for row in rows[start : start + ROWS_PER_CALL]]
            await self._execute(
                lambda chunk=chunk: self._client.from_(table).upsert(
                    chunk, on_conflict=on_conflict, ignore_duplicates=True, returning=ReturnMethod.minimal
                )
            )

    async def update(self, table: str, values: Mapping[str, Any], **equal: Any) -> list[dict[str, Any]]:
        """Set `values` where each named column has its value; the rows as they are now."""
        rows: list[dict[str, Any]] = await self._execute(
            lambda: _where(self._client.from_(table).update(dict(values)), equal)
        )
        return rows

    async def pages(
        self,
        table: str,
        columns: str,
        *,
        key: str,
        after: Any = None,
        size: int = ROWS_PER_CALL,
        **equal: Any,
    ) -> AsyncIterator[list[dict[str, Any]]]:
        """Pages of rows in the order of the unique column `key`. Page 10,000 costs what page 1 does.

        They end with an empty one: a page may be shorter than asked for, as the project's max-rows cuts it off.
        """
        while True:

            def query(after: Any = after) -> Any:
                found = _where(self._client.from_(table).select(columns), equal).order(key).limit(size)
                return found if after is None else found.gt(key, after)

            rows = await self._execute(query)
            if not rows:
                return
            yield rows
            after = rows[-1][key]

    async def newest(
        self, table: str, columns: str, limit: int, before: Any = None, **equal: Any
    ) -> list[dict[str, Any]]:
        """Up to `limit` rows by falling id, from `before` on; fewer only where there are no more."""
        rows: list[dict[str, Any]] = []
        while len(rows) < limit:

            def query(before: Any = before, left: int = limit - len(rows)) -> Any:
                found = _where(self._client.from_(table).select(columns), equal).order("id", desc=True).limit(left)
                return found if before is None else found.lt("id", str(before))

            more = await self._execute(query)
            if not more:
                break
            rows += more
            before = more[-1]["id"]
        return rows

    async def sync_quotas(self, quotas: Mapping[str, Mapping[str, Any]]) -> None:
        """Write the limits of functions/quotas.yaml; where their pace stands is left as it is."""
        await self.call("sync_quotas_v1", quotas=[{"name": name, **limits} for name, limits in quotas.items()])

    async def enlist(
        self, entries: Sequence[Mapping[str, Any]], batch_id: str, manifest: Manifest
    ) -> Mapping[str, int]:
        """{"enlisted", "duplicates"}. Entries as shared.enlisting makes them, ROWS_PER_CALL at most."""
        (done,) = await self.call(
            "enlist_v1",
            inputs=entries,
            batch_id=batch_id,
            function_name=manifest.name,
            quota_name=manifest.quota,
        )
        counted: Mapping[str, int] = done
        return counted

    async def backlog_count(self, manifest: Manifest, most: int) -> int:
        """How many rows the function's backlog still holds, counted no further than `most`."""
        found: int = await self.call("backlog_count_v1", backlog_view=manifest.backlog, most=most)
        return found

    async def claim(  # noqa: PLR0913 - each has its name
        self,
        requests: Sequence[ClaimRequest],
        manifest: Manifest,
        variant: str,
        *,
        ready: bool = False,
        lead_seconds: float = 0.0,
        patience_seconds: float | None = None,
    ) -> list[Claim]:
        """One decision per request, in their order. See claim_v1.

        `ready`: the next thing is the metered call. No slot is nearer than `lead_seconds`, none that is given further
        off than `patience_seconds`, by default the manifest's.
        """
        rows = await self.answers(
            "claim_v1",
            "claims",
            [request.as_json() for request in requests],
            ("item_id", "holder"),
            function_name=manifest.name,
            quota_name=manifest.quota,
            variant=variant,
            reserve_tokens=manifest.reserve_tokens,
            lease_seconds=manifest.lease_seconds,
            patience_seconds=manifest.patience(ready=ready) if patience_seconds is None else patience_seconds,
            max_attempts=manifest.max_attempts,
            cache_seconds=manifest.cache_days * 86400,
            books=ready or not manifest.prepares,
            lead_seconds=lead_seconds,
            cache=manifest.cache,
        )
        return [Claim.of(rows[str(request.item_id), str(request.holder)]) for request in requests]

    async def keep(self, ended: Sequence[Ended], manifest: Manifest) -> list[Kept]:
        """Return once all of it is durable. See keep_v1."""
        rows = await self.answers(
            "keep_v1",
            "results",
            [one.as_json() for one in ended],
            ("item_id", "holder"),
            function_name=manifest.name,
            quota_name=manifest.quota,
            result_table=manifest.table,
            reserve_tokens=manifest.reserve_tokens,
            max_attempts=manifest.max_attempts,
        )
        kept = {key: Kept.of(row) for key, row in rows.items()}
        return [
            kept.get(
                (str(one.item_id), str(one.holder)),
                Kept(one.item_id, accepted=False, state="unknown", attempts=0),
            )
            for one in ended
        ]

    async def check(self) -> None:
        """Raises StoreDown with a sentence on what is wrong: address, key, or migrations that were not applied."""
        await self.call("mark_queued_v1", item_ids=[])

    async def aclose(self) -> None:
        await self._http.aclose()

    async def _execute(self, query: Any) -> Any:
        try:
            async for attempt in AsyncRetrying(
                stop=stop_after_attempt(2), retry=retry_if_exception_type(httpx.TransportError), reraise=True
            ):
                with attempt:
                    return (await query().execute()).data
        except httpx.TransportError as error:
            kind = StoreDown if isinstance(error, UNASKED) else Unheard
            raise kind(
                f"Supabase did not answer at {self._url} ({type(error).__name__}): check SUPABASE_URL and the project"
            ) from error
        except APIError as error:
            raise self._renamed(error) from error
        except (TypeError, ValueError) as error:
            # NaN, half of a surrogate pair: JSON has no word for it, so it cannot even be sent.
            raise RowRefused("row_refused", f"not JSON: {error}") from error

    def _renamed(self, error: APIError) -> Exception:
        code, message = error.code or "", error.message or "no message"
        if code[:2] in DATA_CLASSES:
            return RowRefused("row_refused", f"{message} ({code})")
        if code == "42501" and not self._public_key:
            return StoreDown(f"{message}; the migrations grant it to service_role: apply them (`make migrate`)")
        if code in {"401", "42501", "PGRST301"} or "API key" in message:
            return StoreDown(f"Supabase refused the key ({message}): check SUPABASE_SECRET_KEY")
        if code in {"PGRST202", "PGRST205", "42883", "42P01"}:
            return StoreDown(f"{message}: apply supabase/migrations to {self._url}")
        return StoreDown(f"Supabase at {self._url}: {message} ({code or 'no code'})")


def claims_of(key: str) -> str:
    """What a legacy key says of itself, as JSON; nothing for one that is no JWT."""
    try:
        return b64decode(key.split(".")[1] + "==", altchars=b"-_").decode()
    except (IndexError, ValueError):
        return ""


def _where(query: Any, equal: Mapping[str, Any]) -> Any:
    for column, value in equal.items():
        query = query.is_(column, "null") if value is None else query.eq(column, value)
    return query
