"""Tracing: one trace from the request that brought an item to the call that kept its row.

traceparent in -> request -> span -> span -> current() -> traceparent out: a message's attribute, a task's header

Without an exporter only the ids travel, and OpenTelemetry's SDK is never loaded: it would cost every cold start. With
one, spans leave before the answer does, because a function's CPU stops with it: see shared/spans.py.
"""

import re
import secrets
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from shared.errors import Failed, Outcome
from shared.loading import load
from shared.settings import Settings

if TYPE_CHECKING:
    from shared.spans import Recorded, Recorder

Kind = Literal["internal", "server", "client", "producer", "consumer"]

# W3C Trace Context: version, trace id, id of the span before, flags (01: recorded)
TRACEPARENT = re.compile(r"^00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}$")


@dataclass(frozen=True)
class Span:
    """A piece of work. Where no exporter is set, it is only its place in the trace."""

    traceparent: str
    recorded: "Recorded | None" = None

    @property
    def trace_id(self) -> str:
        return self.traceparent.split("-")[1]

    def set(self, **attributes: Any) -> None:
        """What is known of it by now. A name's double underscore stands for a dot; None is left out."""
        if self.recorded:
            self.recorded.set(dotted(attributes))

    def rename(self, name: str) -> None:
        if self.recorded:
            self.recorded.rename(name)

    def ended_by(self, error: BaseException) -> None:
        """Only what failed is an error: that an item is skipped says something about the item."""
        self.set(error__type=error.reason if isinstance(error, Outcome) else type(error).__name__)
        if isinstance(error, Failed) or not isinstance(error, Outcome):
            self.fail(str(error))

    def fail(self, why: str) -> None:
        if self.recorded:
            self.recorded.fail(why)


_current: ContextVar[Span | None] = ContextVar("span", default=None)
_recorder: "Recorder | None" = None


@contextmanager
def span(name: str, kind: Kind = "internal", *, parent: str | None = None, **attributes: Any) -> Iterator[Span]:
    """A span below `parent`, a traceparent that came from outside, or below the current one, or of a new trace."""
    above = _current.get()
    before = checked(parent) or (above.traceparent if above else None)
    if _recorder:
        recorded = _recorder.start(name, kind, before, dotted(attributes))
        one = Span(recorded.traceparent, recorded)
    else:
        one = Span(passed_on(before))
    token = _current.set(one)
    try:
        yield one
    except BaseException as error:
        one.ended_by(error)
        raise
    finally:
        _current.reset(token)
        if one.recorded:
            one.recorded.end()


@asynccontextmanager
async def request(
    name: str, settings: Settings, function: str, *, parent: str | None = None, **attributes: Any
) -> AsyncIterator[Span]:
    """The span of one request to a function. What was recorded has left when this ends, or was given up."""
    await _ready(settings, function)
    try:
        with span(name, "server", parent=parent, **attributes) as one:
            yield one
    finally:
        if _recorder:
            await _recorder.flush()


def current() -> str | None:
    """The traceparent to send on; None outside of any span."""
    above = _current.get()
    return above.traceparent if above else None


def annotate(**attributes: Any) -> None:
    """Set attributes of the current span, if there is one."""
    if above := _current.get():
        above.set(**attributes)


def checked(traceparent: str | None) -> str | None:
    """As it came, if it is one."""
    return traceparent if traceparent and TRACEPARENT.match(traceparent) else None


def passed_on(traceparent: str | None) -> str:
    """The same trace with a new span id, or a new trace."""
    if traceparent is None:
        return f"00-{secrets.token_hex(16)}-{secrets.token_hex(8)}-01"
    version, trace_id, _, flags = traceparent.split("-")
    return f"{version}-{trace_id}-{secrets.token_hex(8)}-{flags}"


def dotted(attributes: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "."): value for name, value in attributes.items() if value is not None}


async def _ready(settings: Settings, function: str) -> None:
    global _recorder  # noqa: PLW0603 - one for the process, as its log is
    if _recorder is not None or settings.exporter == "none":
        return
    await load("shared.spans")
    from shared.spans import Recorder, exporter_of  # noqa: PLC0415 - OpenTelemetry's SDK, only where it is used

    _recorder = _recorder or Recorder(exporter_of(settings), function)
