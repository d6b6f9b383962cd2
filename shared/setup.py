"""Set up or not: an entry point whose settings are missing says which, in one line of its log."""

import functools
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse

from shared.settings import BadSettings
from shared.telemetry import log

Handle = Callable[[Request], Awaitable[Any]]


def needs_settings(name: str) -> Callable[[Handle], Handle]:
    """Answer 500 while a setting is missing or wrong. The caller learns nothing of our settings, and comes again."""

    def decorate(handle: Handle) -> Handle:
        @functools.wraps(handle)
        async def checked(request: Request) -> Any:
            try:
                return await handle(request)
            except BadSettings as error:
                log.critical("bad_settings", function=name, error=str(error))
                return PlainTextResponse("This function is not set up: its log says what is missing.", 500)

        return checked

    return decorate
