"""Problems: errors as application/problem+json (RFC 9457), each saying what to do."""

from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict, Field
from starlette.exceptions import HTTPException
from starlette.routing import compile_path

from shared.errors import Failed
from shared.store import RowRefused
from shared.telemetry import log

TITLES = {
    400: "Bad request",
    401: "Key needed",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    415: "Not a format we read",
    422: "Input not understood",
    429: "Too many requests",
    500: "Our fault",
    503: "Not now",
}
MEDIA_TYPE = "application/problem+json"


class Problem(Exception):
    """An answer other than success."""

    def __init__(self, status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.headers, self.more = status, detail, headers, more


class ProblemDetails(BaseModel):
    """RFC 9457. `detail` says what to do."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(examples=["about:blank"])
    title: str
    status: int
    detail: str


def answer(status: int, detail: str, *, headers: Mapping[str, str] | None = None, **more: Any) -> JSONResponse:
    body = {
        "type": "about:blank",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        **more,
    }
    usual = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "5"}}.get(status, {})
    return JSONResponse(body, status, {**usual, **(headers or {})}, media_type=MEDIA_TYPE)


def of(problem: Problem) -> JSONResponse:
    return answer(problem.status, problem.detail, headers=problem.headers, **problem.more)


def down(error: Failed) -> JSONResponse:
    log.error("dependency_down", reason=error.reason, error=error.detail)
    return answer(503, f"A service this one needs did not answer ({error.reason}). Try again in a few seconds.")


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What an operation's `responses` say of these statuses, and of those that every operation with a key may have."""
    return described(*sorted({400, 401, 422, 429, 503, *statuses}))


def described(*statuses: int) -> dict[int | str, dict[str, Any]]:
    schema = {"$ref": "#/components/schemas/ProblemDetails"}
    return {status: {"description": TITLES[status], "content": {MEDIA_TYPE: {"schema": schema}}} for status in statuses}


def told(error: Mapping[str, Any]) -> str:
    """One thing that is wrong with a request: where, and what."""
    if error["type"] == "json_invalid":
        return f"body: this is not JSON ({error.get('ctx', {}).get('error', 'it cannot be read')})"
    return f"{'.'.join(map(str, error['loc'][1:])) or 'body'}: {error['msg'].removeprefix('Value error, ')}"


def methods_of(app: FastAPI, path: str) -> list[str]:
    """What may be done with a path, as the OpenAPI document tells it."""
    paths = app.openapi()["paths"]
    here = [path] if path in paths else [one for one in paths if compile_path(one)[0].match(path)]
    known = [paths[one] for one in here]
    return sorted({method.upper() for methods in known for method in methods})


def install(app: FastAPI) -> None:
    """Every way a request can fail ends in one of these."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, error: Problem) -> JSONResponse:
        return of(error)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        return answer(422, "; ".join(map(told, error.errors()[:5])))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        if error.status_code == 404:
            return answer(404, f"There is nothing at {request.url.path}; /openapi.json lists what there is.")
        if error.status_code == 405:
            # What the document leaves out are pages.
            allow = ", ".join(methods_of(request.app, request.url.path) or ["GET"])
            return answer(405, f"{request.url.path} takes {allow}, not {request.method}.", headers={"Allow": allow})
        return answer(error.status_code, str(error.detail), headers=error.headers)

    @app.exception_handler(RowRefused)
    async def _refused(_: Request, error: RowRefused) -> JSONResponse:
        log.warning("row_refused", error=error.detail)
        return answer(422, f"The database cannot hold this: {error.detail}")

    @app.exception_handler(Failed)
    async def _down(_: Request, error: Failed) -> JSONResponse:
        return down(error)

    @app.exception_handler(Exception)
    async def _unforeseen(_: Request, error: Exception) -> JSONResponse:
        log.error("unforeseen", error=repr(error), exc_info=error)
        return answer(500, "Something went wrong on our side; it is in the log.")
