"""Set up or not: an entry point whose settings are missing or wrong says which, in one line of its log."""

import functools
import os
from collections.abc import Awaitable, Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import PlainTextResponse

from shared.manifest import Manifest, manifests
from shared.settings import BadSettings, Settings, settings
from shared.telemetry import log

Handle = Callable[[Request], Awaitable[Any]]


def needs_settings(name: str) -> Callable[[Handle], Handle]:
    """Answer 500 while a setting is missing or wrong. The caller learns nothing of our settings, and comes again."""
    stop_gunicorns_timeout()

    def decorate(handle: Handle) -> Handle:
        @functools.wraps(handle)
        async def checked(request: Request) -> Any:
            try:
                refuse_unchecked_callers(settings(), manifests().functions[name])
                return await handle(request)
            except BadSettings as error:
                log.critical("bad_settings", function=name, error=str(error))
                return PlainTextResponse("This function is not set up: its log says what is missing.", 500)

        return checked

    return decorate


def stop_gunicorns_timeout() -> None:
    """Keep gunicorn from killing its worker after a pause.

    functions-framework hands it Cloud Run's request timeout, as the longest time between two heartbeats. Between
    requests an instance has no CPU, and no heartbeat: after a longer pause the worker would be killed when the next
    request wakes it. To be called while the function loads; Cloud Run itself ends a request that takes too long.
    """
    os.environ["CLOUD_RUN_TIMEOUT_SECONDS"] = "0"


def refuse_unchecked_callers(settings: Settings, manifest: Manifest) -> None:
    """Raises BadSettings where a public function is told that the platform checks its callers: it admits everybody."""
    if settings.platform_checks_callers and "public" in manifest.callers:
        raise BadSettings(
            f"PLATFORM_CHECKS_CALLERS is wrong: the platform lets everybody call {manifest.name!r} "
            "(callers: [public] in its function.yaml): do not set it there"
        )
