"""The HTTP of it: what the API takes, and the answers as it writes them."""

import asyncio
import json
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from local.databricks.faults import Faults, Rule
from local.databricks.refusals import Refused, bad_parameter, no_statement
from local.databricks.statements import Pace, Statement, Statements
from local.databricks.warehouse import StatementFailed, Warehouse

WAITS = re.compile(r"(0|[5-9]|[1-4]\d|50)s")
LINK_SECONDS = 900.0
PATH = "/api/2.0/sql/statements"

Answer = Callable[[Request], Awaitable[Response]]


class Service:
    """One workspace with one SQL warehouse."""

    def __init__(self, warehouse: Warehouse, *, warehouse_id: str, token: str, pace: Pace | None = None) -> None:
        self.tables = warehouse
        self.statements = Statements(warehouse, pace or Pace(), time.monotonic)
        self.faults = Faults()
        self.warehouse_id = warehouse_id
        self._token = token
        self._links: dict[str, tuple[Statement, int, float]] = {}

    def app(self) -> Starlette:
        app = Starlette(
            routes=[
                Route(PATH, self._guarded("submit", self._submit), methods=["POST"]),
                Route(f"{PATH}/{{id}}", self._guarded("poll", self._poll)),
                Route(f"{PATH}/{{id}}/cancel", self._guarded("cancel", self._cancel), methods=["POST"]),
                Route(f"{PATH}/{{id}}/result/chunks/{{index:int}}", self._guarded("chunk", self._chunk)),
                Route("/external/{secret}", self._external),
                Route("/faults", self._add_fault, methods=["POST"]),
                Route("/faults", self._clear_faults, methods=["DELETE"]),
                Route("/stats", lambda _: JSONResponse({"statements": self.statements.asked()})),
            ],
            exception_handlers={Refused: _refused},
        )
        app.state.service = self
        return app

    def _guarded(self, place: str, answer: Answer) -> Answer:
        async def guarded(request: Request) -> Response:
            self._check_token(request)
            if struck := await self._struck(request, place):
                return struck
            return await answer(request)

        return guarded

    def _check_token(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token:
            raise Refused(401, "401", "Credential was not sent or was of an unsupported type for this API.")
        if not secrets.compare_digest(token.encode(), self._token.encode()):
            raise Refused(403, "403", "Invalid access token.")

    async def _struck(self, request: Request, place: str) -> Response | None:
        rule = self.faults.strike(place)
        if rule is None:
            return None
        if refusal := rule.refusal():
            raise refusal
        if rule.fault == "garbage":
            return Response("<html>maintenance</html>", media_type="text/html")
        if rule.fault == "drop":
            _drop(request)
        return await self._submit(request, rule) if place == "submit" else None

    async def _submit(self, request: Request, rule: Rule | None = None) -> Response:
        statement = self.statements.submit(checked(await _json(request), self.warehouse_id))
        if rule and rule.fault == "slow":
            statement.extra_seconds = rule.seconds
        if rule and rule.fault == "failed":
            statement.error = StatementFailed("XXKDA", "[INTERNAL_ERROR] The warehouse ran out of memory.")
        wait = float(statement.ask.get("wait_timeout", "10s").removesuffix("s"))
        until = self.statements.clock() + wait
        if not statement.is_over(self.statements.clock()):
            await asyncio.sleep(max(0.0, min(statement.over_at, until) - self.statements.clock()))
        if wait and not statement.is_over(until) and statement.ask.get("on_wait_timeout") == "CANCEL":
            statement.canceled = True
        return self._told(request, self.statements.find(statement.id))

    async def _poll(self, request: Request) -> Response:
        return self._told(request, self.statements.find(request.path_params["id"]))

    async def _cancel(self, request: Request) -> Response:
        statement = self.statements.find(request.path_params["id"])
        statement.canceled = statement.canceled or not statement.is_over(self.statements.clock())
        return JSONResponse({})

    async def _chunk(self, request: Request) -> Response:
        statement = self.statements.find(request.path_params["id"])
        index = request.path_params["index"]
        if statement.result is None or index >= len(statement.chunks()):
            raise no_statement(statement.id)
        return JSONResponse(self._result(request, statement, index))

    async def _external(self, request: Request) -> Response:
        """As cloud storage does it: the link itself is the permission, and another one beside it is an error."""
        if request.headers.get("authorization"):
            return Response("Only one auth mechanism allowed", 400)
        rule = self.faults.strike("link")
        statement, index, until = self._links.get(request.path_params["secret"], (None, 0, 0.0))
        if statement is None or self.statements.clock() > until or (rule and rule.fault == "expired"):
            return Response("This link has expired", 403)
        if rule and (refusal := rule.refusal()):
            return refusal.answer()
        return Response(json.dumps(statement.chunks()[index], separators=(",", ":")), media_type="application/json")

    def _told(self, request: Request, statement: Statement) -> Response:
        state = statement.state(self.statements.clock())
        told: dict[str, Any] = {"statement_id": statement.id, "status": {"state": state}}
        if statement.error is not None:
            told["status"] |= {
                "error": {"error_code": "BAD_REQUEST", "message": str(statement.error)},
                "sql_state": statement.error.state,
            }
        if state == "SUCCEEDED":
            told |= {"manifest": manifest(statement), "result": self._result(request, statement, 0)}
        return JSONResponse(told)

    def _result(self, request: Request, statement: Statement, index: int) -> dict[str, Any]:
        chunks = statement.chunks()
        place: dict[str, Any] = {
            "chunk_index": index,
            "row_offset": index * statement.pace.chunk_rows,
            "row_count": len(chunks[index]),
        }
        if index + 1 < len(chunks):
            place["next_chunk_index"] = index + 1
            offset = (index + 1) * statement.pace.chunk_rows
            place["next_chunk_internal_link"] = f"{PATH}/{statement.id}/result/chunks/{index + 1}?row_offset={offset}"
        if statement.ask.get("disposition", "INLINE") == "INLINE":
            return {**place, "data_array": chunks[index]} if chunks[index] else place
        return {"external_links": [self._link(request, statement, index, place)]}

    def _link(self, request: Request, statement: Statement, index: int, place: Mapping[str, Any]) -> dict[str, Any]:
        secret = secrets.token_urlsafe(16)
        self._links[secret] = (statement, index, self.statements.clock() + LINK_SECONDS)
        return {
            **place,
            "byte_count": len(json.dumps(statement.chunks()[index], separators=(",", ":"))),
            "external_link": f"{request.base_url}external/{secret}",
            "expiration": (datetime.now(UTC) + timedelta(seconds=LINK_SECONDS)).isoformat(),
        }

    async def _add_fault(self, request: Request) -> Response:
        rule = self.faults.add(await _json(request))
        return JSONResponse({"fault": rule.fault, "at": rule.at, "count": rule.count})

    async def _clear_faults(self, _: Request) -> Response:
        self.faults.clear()
        return JSONResponse({})


def checked(ask: Any, warehouse_id: str) -> Mapping[str, Any]:
    """The request to run a statement, if the API would take it. Raises Refused."""
    if not isinstance(ask, dict) or not isinstance(ask.get("statement"), str) or not ask["statement"].strip():
        raise bad_parameter("statement is missing")
    if ask.get("warehouse_id") != warehouse_id:
        raise Refused(404, "NOT_FOUND", f"SQL warehouse {ask.get('warehouse_id')!r} does not exist.")
    if not WAITS.fullmatch(str(ask.get("wait_timeout", "10s"))):
        raise bad_parameter("wait_timeout must be 0s or between 5s and 50s")
    if ask.get("format", "JSON_ARRAY") != "JSON_ARRAY":
        raise bad_parameter("this server writes JSON_ARRAY alone")
    if ask.get("disposition", "INLINE") not in {"INLINE", "EXTERNAL_LINKS"}:
        raise bad_parameter("disposition is INLINE or EXTERNAL_LINKS")
    return ask


def manifest(statement: Statement) -> dict[str, Any]:
    chunks, result = statement.chunks(), statement.result
    columns = result.columns if result else ()
    return {
        "format": "JSON_ARRAY",
        "schema": {
            "column_count": len(columns),
            "columns": [
                {"name": name, "type_name": kind, "type_text": kind, "position": position}
                for position, (name, kind) in enumerate(columns)
            ],
        },
        "total_chunk_count": len(chunks),
        "total_row_count": sum(map(len, chunks)),
        "chunks": [
            {"chunk_index": index, "row_offset": index * statement.pace.chunk_rows, "row_count": len(chunk)}
            for index, chunk in enumerate(chunks)
        ],
        "truncated": statement.truncated,
    }


async def _refused(_: Request, error: Exception) -> Response:
    if not isinstance(error, Refused):
        raise error
    return error.answer()


async def _json(request: Request) -> Any:
    try:
        return await request.json()
    except ValueError as error:
        raise Refused(400, "MALFORMED_REQUEST", "The body is no JSON.") from error


def _drop(request: Request) -> None:
    """End the connection without a word: ASGI has none for it."""
    request.receive.__self__.transport.abort()  # type: ignore[attr-defined]
