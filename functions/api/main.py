"""api: the HTTP interface.

GET /live  /ready  /health  /metrics
POST, GET /v3/batches   GET /v3/batches/{id}   GET /v3/batches/{id}/results
"""

import asyncio
import functools
from typing import TYPE_CHECKING

from starlette.requests import Request

from shared.setup import needs_settings

if TYPE_CHECKING:
    from fastapi import FastAPI


@needs_settings("api")
async def handle(_request: Request) -> "FastAPI":
    """Functions Framework serves what is returned, and an application is as good as a response."""
    return app_of(asyncio.get_running_loop())


@functools.cache
def app_of(_loop: asyncio.AbstractEventLoop) -> "FastAPI":
    from functions.api.app import make_app  # noqa: PLC0415 - made at the first request, after the fork

    return make_app()
