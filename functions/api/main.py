"""api: the HTTP interface. docs/api.md tells what stands between its endpoints, /docs what each takes and gives.

GET /live  /ready  /health  /metrics  /docs  /openapi.json
/v3/batches  /v3/items  /v3/dead-letters  /v3/posters  /v3/rate-limit  /v3/audit  /v3/monitoring  /v3/cache
"""

import asyncio
import functools
from typing import TYPE_CHECKING

from starlette.requests import Request

from shared.loading import load_now
from shared.setup import needs_settings

if TYPE_CHECKING:
    from fastapi import FastAPI


@needs_settings("api")
async def handle(_request: Request) -> "FastAPI":
    """Functions Framework serves what is returned, and an application is as good as a response."""
    return app_of(asyncio.get_running_loop())


@functools.cache
def app_of(_loop: asyncio.AbstractEventLoop) -> "FastAPI":
    load_now("functions.api.app")
    from functions.api.app import make_app  # noqa: PLC0415 - made at the first request, after the fork

    return make_app()
