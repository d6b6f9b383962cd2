"""Problems: errors as application/problem+json (RFC 9457), each saying what to do."""

from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from shared.errors import Failed
from shared.telemetry import log

TITLES = {
    400: "Bad request",
    401: "Key needed",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    413: "Too large",
    422: "Input not understood",
    500: "Our fault",
    503: "Not now",
}


class Problem(Exception):
    """An answer other than success."""

    def __init__(self, status: int, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.detail, self.more = status, detail, more


def answer(status: int, detail: str, **more: Any) -> JSONResponse:
    body = {
        "type": "about:blank",
        "title": TITLES.get(status, "Error"),
        "status": status,
        "detail": detail,
        **more,
    }
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {"Retry-After": "5"} if status == 503 else None
    return JSONResponse(body, status, headers, media_type="application/problem+json")


def install(app: FastAPI) -> None:
    """Every way a request can fail ends in one of these."""

    @app.exception_handler(Problem)
    async def _problem(_: Request, error: Problem) -> JSONResponse:
        return answer(error.status, error.detail, **error.more)

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> JSONResponse:
        problems = [f"{'.'.join(map(str, one['loc'][1:])) or 'body'}: {one['msg']}" for one in error.errors()[:5]]
        return answer(422, "; ".join(problems))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        detail = f"There is nothing at {request.url.path}; /openapi.json lists what there is."
        return answer(error.status_code, detail if error.status_code == 404 else str(error.detail))

    @app.exception_handler(Failed)
    async def _down(_: Request, error: Failed) -> JSONResponse:
        log.error("dependency_down", reason=error.reason, error=error.detail)
        return answer(503, f"A service this one needs did not answer ({error.reason}). Try again in a few seconds.")

    @app.exception_handler(Exception)
    async def _unforeseen(_: Request, error: Exception) -> JSONResponse:
        log.error("unforeseen", error=repr(error), exc_info=error)
        return answer(500, "Something went wrong on our side; it is in the log.")
