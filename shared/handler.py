"""The handler: one task in, one answer out.

Cloud Tasks POST {"item_id"} -> who calls? -> claim -> work -> keep -> (a new task, for later) -> answer, one log line

The answer tells the queue one thing only: 200, finished with; 500, send it again, for nothing could be written down.
429 and 503 would slow all of it, and so would many 500.
"""

import asyncio
import functools
import json
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar
from uuid import UUID, uuid4

from pydantic import BaseModel, ValidationError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_delay, wait_exponential_jitter

from shared.endings import ending
from shared.errors import Failed, HeldBack, Outcome, Rejected, StoreDown, Unheard
from shared.identity import Unauthorized
from shared.items import Claim, ClaimRequest, Ended, Kept
from shared.loading import load_beside
from shared.manifest import manifests
from shared.queue import Delivery
from shared.services import Engine, Services
from shared.settings import settings
from shared.setup import needs_settings
from shared.stopping import InstanceStopped
from shared.telemetry import log
from shared.tracing import Span, span
from shared.tracing import request as traced

Item = TypeVar("Item", bound=BaseModel)
Heard = TypeVar("Heard")
Work = Callable[[Item, Services], Awaitable[BaseModel]]
Handle = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class Task:
    """One delivery, as its headers and body tell it."""

    item_id: UUID
    queue: str
    retry: int
    traceparent: str | None


def item_handler(model: type[Item], *, version: str, loads: Sequence[str] = ()) -> Callable[[Work[Item]], Handle]:
    """Make `async def work(item, services) -> row` the entry point of its function.

    `version` names the prompt (or the rules) a result was made with: another one makes results anew. `loads` are
    modules that are heavy and needed later: a new process begins with them while its first item is being claimed.
    """

    def decorate(work: Work[Item]) -> Handle:
        name = work.__module__.split(".")[1]

        @functools.cache
        def engine_of(_loop: asyncio.AbstractEventLoop) -> Engine:
            engine = Engine(settings(), manifests().functions[name], version)
            engine.stopping.listen()
            load_beside(loads)
            return engine

        @needs_settings(name)
        async def handle(request: Request) -> Response:
            return await answer(request, engine_of(asyncio.get_running_loop()), model, work)

        # Functions Framework finds the entry point by its name.
        handle.__name__ = handle.__qualname__ = "handle"
        return handle

    return decorate


async def answer(request: Request, engine: Engine, model: type[Item], work: Work[Item]) -> Response:
    """Check the caller and the payload; then the item's way."""
    try:
        await engine.callers.check(
            request.headers.get("authorization"),
            audience=engine.url,
            email=engine.settings.tasks_service_account,
        )
        task = read_task(request, await request.body())
    except Unauthorized as error:
        log.warning("unauthorized", function=engine.manifest.name, error=str(error))
        return PlainTextResponse(str(error), error.status)
    except Rejected as error:
        # 4xx would be tried again for ever; there is no item that could be lost.
        log.error("bad_task", function=engine.manifest.name, error=error.detail)
        return PlainTextResponse(f"dropped: {error.detail}")
    name = engine.manifest.name
    async with traced(f"item {name}", engine.settings, name, parent=task.traceparent) as trace:
        return await follow(task, trace, engine, model, work)


def read_task(request: Request, body: bytes) -> Task:
    try:
        item_id = UUID(json.loads(body)["item_id"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise Rejected("bad_task", 'the body must be {"item_id": "<uuid>"}') from error
    retry = request.headers.get("x-cloudtasks-taskretrycount", "0")
    return Task(
        item_id,
        request.headers.get("x-cloudtasks-queuename", ""),
        int(retry[:9]) if retry.isdecimal() else 0,
        request.headers.get("traceparent"),
    )


async def follow(task: Task, trace: Span, engine: Engine, model: type[Item], work: Work[Item]) -> Response:
    """One delivery from claim to answer. A failed attempt gets a new task, as a deferred one does.

    The queue is asked to send this one again only where that could not be written down: it slows down for everybody
    when many tasks fail, whoever's they are.
    """
    started = time.monotonic()
    claim = Claim(task.item_id, uuid4(), "unknown")
    ended = kept = None
    try:
        with span("claim") as claiming:
            claim = await claimed(ClaimRequest(task.item_id, claim.holder), engine, started)
            claiming.set(decision=claim.decision, reason=claim.reason, wait_seconds=claim.wait)
        if claim.decision == "run":
            ended = await attempt(claim, engine, model, work)
            with span("keep", outcome=ended.outcome) as keeping:
                ended, kept = await keep(ended, engine, started)
                keeping.set(state=kept.state, accepted=kept.accepted)
        wait = ended.rest_seconds if ended else claim.wait if claim.decision == "rest" else None
        if wait is not None and (kept is None or kept.state == "waiting"):
            at = datetime.now(UTC) + timedelta(seconds=wait)
            await engine.queue.put(Delivery(task.item_id, engine.manifest, at, trace.traceparent))
    except Failed as error:
        before = ended or Ended(task.item_id, claim.holder, "failed")
        ended, kept = replace(before, outcome="failed", reason=error.reason, error=error.detail), None
    except Exception:  # noqa: BLE001 - whatever it is, the queue is told to come again, in a word
        log.exception("unforeseen", function=engine.manifest.name, item_id=str(task.item_id))
        ended, kept = Ended(task.item_id, claim.holder, "failed", "unforeseen"), None
    tell(task, trace, claim, ended, kept, engine, time.monotonic() - started)
    outcome = ended.outcome if ended else claim.decision
    return PlainTextResponse(outcome, 500 if outcome == "failed" and kept is None else 200)


async def claimed(request: ClaimRequest, engine: Engine, started: float) -> Claim:
    """The claim of this delivery. Raises StoreDown.

    Where its answer was lost the item may be ours: claimed again by the same holder it costs no attempt, while the same
    from the next delivery would. A part of the time that the work does not need is for that.
    """
    spare = (engine.manifest.timeout_seconds - engine.manifest.work_seconds) / 2
    left = max(0.0, spare - (time.monotonic() - started))
    return await insist(lambda: engine.claims.submit(request), Unheard, left)


async def attempt(claim: Claim, engine: Engine, model: type[Item], work: Work[Item]) -> Ended:
    """Do the work within its time; how it ended, as a value."""
    services = Services(engine, claim)
    started = time.monotonic()
    error: BaseException | None = None
    row: dict[str, Any] | None = None
    try:
        async with engine.stopping.limit(engine.manifest.work_seconds):
            item = read_input(model, claim)
            row = (await work(item, services)).model_dump(mode="json")
    except Outcome as outcome:
        error = outcome
    except InstanceStopped:
        error = HeldBack(datetime.now(UTC), "instance_stopped", "The platform stopped this instance; another goes on")
    except TimeoutError:
        error = Failed("timeout", f"The work took longer than {engine.manifest.work_seconds:g} s")
    except (Exception, asyncio.CancelledError) as unforeseen:
        if stopping():
            raise
        log.exception("unforeseen", function=engine.manifest.name, item_id=str(claim.item_id))
        error = Failed("unforeseen", f"{type(unforeseen).__name__}: {unforeseen}")
    return ending(claim, services, engine, error, row, time.monotonic() - started)


def stopping() -> bool:
    """Is it this request that was cancelled, rather than something its work waited for?"""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def read_input(model: type[Item], claim: Claim) -> Item:
    """The item's input as its model. Raises Rejected.

    A key that the model does not know is a mistake of whoever typed it. In a row of a backlog it is left out: a backlog
    does not offer a row again, so nobody's mistake may end it.
    """
    given = claim.input
    if claim.from_backlog and (unknown := sorted(set(given) - set(model.model_fields))):
        log.warning("unknown_keys", item_id=str(claim.item_id), keys=unknown)
        given = {key: value for key, value in given.items() if key in model.model_fields}
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, problem["loc"])) or "input"
        raise Rejected("bad_input", f"{where}: {problem['msg'].removeprefix('Value error, ')}") from error


async def keep(ended: Ended, engine: Engine, started: float) -> tuple[Ended, Kept]:
    """What was kept in the end, and what became of it.

    Tried while the request lasts: the work may have been paid for, and a database that is late comes back.
    """
    left = engine.manifest.timeout_seconds - (time.monotonic() - started) - 10
    return await insist(lambda: engine.keeps.submit(ended), StoreDown, max(left, 1))


async def insist(ask: Callable[[], Awaitable[Heard]], again: type[StoreDown], seconds: float) -> Heard:
    """What the database says in the end: asked once more for so long, while what is raised is `again`."""
    async for trial in AsyncRetrying(
        retry=retry_if_exception_type(again),
        stop=stop_after_delay(seconds),
        wait=wait_exponential_jitter(initial=0.5, max=10),
        reraise=True,
    ):
        with trial:
            return await ask()
    raise StoreDown("unreachable")


def tell(  # noqa: PLR0913
    task: Task, trace: Span, claim: Claim, ended: Ended | None, kept: Kept | None, engine: Engine, seconds: float
) -> None:
    """One line per delivery, and the same on its span."""
    outcome = ended.outcome if ended else claim.decision
    write = log.warning if outcome in {"failed", "dead", "overloaded"} else log.info
    told = {
        "function": engine.manifest.name,
        "item_id": str(task.item_id),
        "batch_id": str(claim.batch_id) if claim.batch_id else None,
        "queue": task.queue,
        "delivery": task.retry + 1,
        "attempt": claim.attempt,
        "outcome": outcome,
        "state": kept.state if kept else None,
        "reason": ended.reason if ended else claim.reason,
        "error": ended.error if ended else None,
        "seconds": round(seconds, 3),
        "tokens_in": ended.spent.tokens_in if ended else 0,
        "tokens_out": ended.spent.tokens_out if ended else 0,
        "cost_usd": ended.spent.cost_usd if ended else 0.0,
    }
    trace.set(**told)
    if outcome == "failed":
        trace.fail(str(told["error"] or told["reason"]))
    write(
        "item",
        **{"logging.googleapis.com/trace": f"projects/{engine.settings.project_id}/traces/{trace.trace_id}"},
        **told,
    )
