"""The OpenAPI document: what FastAPI knows of the routes, and what only we know."""

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from functions.api.admission import is_guarded
from functions.api.problems import ProblemDetails
from functions.api.submission import Submission

RATE_HEADERS = {
    "RateLimit": {"description": '"BUCKET";r=LEFT;t=SECONDS until it is full again', "schema": {"type": "string"}},
    "RateLimit-Policy": {"description": '"BUCKET";q=REQUESTS;w=SECONDS', "schema": {"type": "string"}},
}
RETRY_AFTER = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}}}
REF = "#/components/schemas/{model}"


def describe_in_whole(app: FastAPI, functions: Sequence[str]) -> None:
    """Let /openapi.json tell also of shapes that no route names, of headers, and of the functions there are."""

    def document() -> dict[str, Any]:
        if app.openapi_schema is None:
            app.openapi_schema = completed(
                get_openapi(
                    title=app.title, version=app.version, summary=app.summary, description=app.description,
                    routes=app.routes,
                ),
                functions,
            )  # fmt: skip
        return app.openapi_schema

    app.openapi = document  # type: ignore[method-assign]


def completed(document: dict[str, Any], functions: Sequence[str]) -> dict[str, Any]:
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for model in (ProblemDetails, Submission):
        schema = model.model_json_schema(ref_template=REF)
        schemas |= schema.pop("$defs", {})
        schemas[model.__name__] = schema
    schemas["Submission"]["properties"]["function"]["enum"] = list(functions)
    for path, operations in document["paths"].items():
        for operation in operations.values():
            tell_headers(operation, guarded=is_guarded(path))
    return document


def tell_headers(operation: dict[str, Any], *, guarded: bool) -> None:
    for status, response in operation["responses"].items():
        headers = RATE_HEADERS if guarded and status != "401" else {}
        headers = {**headers, **(RETRY_AFTER if status in {"429", "503"} else {})}
        if headers:
            response["headers"] = {**response.get("headers", {}), **headers}
