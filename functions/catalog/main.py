"""catalog: the customer's table of contents becomes rows of posters.

Pub/Sub topic "catalog" -push-> Order -> a statement per page -> catalog_keep_v1 -> table "posters"
"""

import asyncio
import functools

from starlette.requests import Request
from starlette.responses import JSONResponse

from functions.catalog.catalog import Report
from functions.catalog.orders import BadOrder, Order, read_push
from functions.catalog.running import run
from shared.errors import Failed
from shared.identity import Callers, Unauthorized
from shared.manifest import manifests
from shared.settings import settings
from shared.setup import needs_settings
from shared.telemetry import log


@needs_settings("catalog")
async def handle(request: Request) -> JSONResponse:
    """One push. 2xx acknowledges it; anything else lets Pub/Sub send it again, in the end to its dead letters."""
    try:
        await callers(asyncio.get_running_loop()).check(
            request.headers.get("authorization"),
            audience=settings().url_of("catalog"),
            email=settings().pubsub_service_account,
        )
        report = await carry_out(read_push(await request.body()))
    except Unauthorized as error:
        log.warning("unauthorized", function="catalog", error=str(error))
        return JSONResponse({"error": str(error)}, error.status)
    except BadOrder as error:
        log.error("bad_order", error=str(error))
        return JSONResponse({"error": str(error)}, 400)
    except Failed as error:
        log.error("catalog_failed", reason=error.reason, error=error.detail)
        return JSONResponse({"reason": error.reason, "error": error.detail}, 500)
    return JSONResponse(report)


async def carry_out(order: Order) -> Report:
    report = await run(order)
    log.info("catalog_read", order=order.model_dump(mode="json"), **report)
    return report


@functools.cache
def callers(_loop: asyncio.AbstractEventLoop) -> Callers:
    return Callers.of(settings(), manifests().functions["catalog"])
