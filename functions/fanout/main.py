"""fanout: a backlog or a batch becomes tasks.

Pub/Sub topic "fanout" -push-> Order -> enlist_v1 -> one task per item -> mark_queued_v1
"""

import asyncio
import functools

from starlette.requests import Request
from starlette.responses import JSONResponse

from functions.fanout.fanout import Fanout, Report, UnknownFunction, UnknownOptions
from functions.fanout.orders import BadOrder, FanBacklog, FanBatch, Push, read_push, run_id
from shared.errors import Failed
from shared.identity import Callers, Unauthorized
from shared.manifest import manifests
from shared.settings import settings
from shared.setup import needs_settings
from shared.telemetry import log
from shared.tracing import request as traced


@needs_settings("fanout")
async def handle(request: Request) -> JSONResponse:
    """One push. 2xx acknowledges it; anything else lets Pub/Sub send it again, in the end to its dead letters."""
    try:
        await callers(asyncio.get_running_loop()).check(
            request.headers.get("authorization"),
            audience=settings().url_of("fanout"),
            email=settings().pubsub_service_account,
        )
        push = read_push(await request.body())
        async with traced("fan out", settings(), "fanout", parent=push.traceparent) as trace:
            report = await carry_out(push, fanout(asyncio.get_running_loop()))
            trace.set(**report)
    except Unauthorized as error:
        log.warning("unauthorized", function="fanout", error=str(error))
        return JSONResponse({"error": str(error)}, error.status)
    except (BadOrder, UnknownFunction, UnknownOptions) as error:
        log.error("bad_order", error=str(error))
        return JSONResponse({"error": str(error)}, 400)
    except Failed as error:
        log.error("fanout_failed", reason=error.reason, error=error.detail)
        return JSONResponse({"error": error.detail}, 500)
    log.info("fanned_out", message_id=push.message_id, order=push.order.model_dump(mode="json"), **report)
    return JSONResponse(report)


async def carry_out(push: Push, work: Fanout) -> Report:
    """One order, by its kind."""
    await work.ready()
    match push.order:
        case FanBacklog() as order:
            return await work.backlog(order, run_id(push))
        case FanBatch() as order:
            return await work.batch(order)
        case order:
            return await work.sweep(order)


@functools.cache
def fanout(_loop: asyncio.AbstractEventLoop) -> Fanout:
    return Fanout(settings(), manifests(), seconds=manifests().functions["fanout"].work_seconds)


@functools.cache
def callers(_loop: asyncio.AbstractEventLoop) -> Callers:
    return Callers.of(settings(), manifests().functions["fanout"])
