"""probe: does what its input says, to see what the engine makes of it.

queue "probe" -> ProbeItem -> one of DEEDS -> ProbeRow -> table "probe_rows"
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any, NoReturn

from pydantic import BaseModel, ConfigDict

from shared.errors import Deferred, DomainFailed, Failed, ModelFailed, Overloaded, Rejected, Skipped
from shared.handler import item_handler
from shared.services import Services


class ProbeItem(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    do: str
    n: int = 0
    url: str = "http://daily.test/economy/harbour-bridge"
    seconds: float = 60.0
    text: str = "a detail"


class ProbeRow(BaseModel):
    said: str | None
    number: float | None = None
    url: str | None = None


class Said(BaseModel):
    title: str
    summary: str


async def done(item: ProbeItem, services: Services) -> ProbeRow:
    return ProbeRow(said=f"attempt {services.attempt}", url=item.url)


async def misfit(item: ProbeItem, services: Services) -> ProbeRow:
    """A row that its table refuses."""
    return ProbeRow(said=None)


async def unspeakable(item: ProbeItem, services: Services) -> ProbeRow:
    """A row that JSON has no words for."""
    return ProbeRow(said="a number", number=float("nan"))


async def ask(item: ProbeItem, services: Services) -> ProbeRow:
    answer = await services.gemini.ask("Summarise this.", item.text, into=Said)
    return ProbeRow(said=answer.value.summary)


async def ask_twice(item: ProbeItem, services: Services) -> ProbeRow:
    await ask(item, services)
    return await ask(item, services)


async def ask_misfit(item: ProbeItem, services: Services) -> ProbeRow:
    await ask(item, services)
    return await misfit(item, services)


async def ask_late(item: ProbeItem, services: Services) -> ProbeRow:
    """The work before the question took longer than its slot."""
    await asyncio.sleep(item.seconds)
    return await ask(item, services)


async def fetch(item: ProbeItem, services: Services) -> ProbeRow:
    page = await services.fetch(item.url, accept="text/html", max_bytes=5_000_000)
    services.unless_unchanged(str(len(page.body)))
    return await ask(item, services)


async def share(item: ProbeItem, services: Services) -> ProbeRow:
    """Its text is what it turned out to hold."""
    known = await services.known(item.text, version="1")
    return ProbeRow(said=f"like {known['said']}") if known else await ask(item, services)


async def two_steps(item: ProbeItem, services: Services) -> ProbeRow:
    if "first" not in services.memo:
        services.again(first="taken")
    return ProbeRow(said=f"{services.memo['first']} and done on attempt {services.attempt}")


async def slow(item: ProbeItem, services: Services) -> ProbeRow:
    await asyncio.sleep(item.seconds)
    return ProbeRow(said="late")


async def given_up(item: ProbeItem, services: Services) -> ProbeRow:
    """A task that the work waits for was cancelled by something else."""
    waiting = asyncio.create_task(asyncio.sleep(60))
    waiting.cancel()
    await waiting
    return ProbeRow(said="never")


def raising(make: Callable[[ProbeItem], BaseException]) -> Callable[[ProbeItem, Services], Awaitable[Any]]:
    async def deed(item: ProbeItem, services: Services) -> NoReturn:
        raise make(item)

    return deed


DEEDS: dict[str, Callable[[ProbeItem, Services], Awaitable[ProbeRow]]] = {
    "done": done,
    "misfit": misfit,
    "unspeakable": unspeakable,
    "ask": ask,
    "ask_twice": ask_twice,
    "ask_late": ask_late,
    "ask_misfit": ask_misfit,
    "fetch": fetch,
    "share": share,
    "two_steps": two_steps,
    "slow": slow,
    "given_up": given_up,
    "skip": raising(lambda item: Skipped("nothing_here", item.text)),
    "reject": raising(lambda item: Rejected("hopeless", item.text)),
    "defer": raising(lambda item: Deferred(datetime.now(UTC) + timedelta(seconds=item.seconds), "closed", item.text)),
    "overload": raising(lambda item: Overloaded(item.seconds, "minute_quota", item.text)),
    "fail": raising(lambda item: Failed("hiccup", item.text)),
    "domain_fail": raising(lambda item: DomainFailed("http_500", item.text)),
    "model_fail": raising(lambda item: ModelFailed("model_error", item.text)),
    "crash": raising(lambda item: ZeroDivisionError(item.text)),
}


@item_handler(ProbeItem, version="probe-1")
async def handle(item: ProbeItem, services: Services) -> ProbeRow:
    return await DEEDS[item.do](item, services)
