"""Spans that are recorded: OpenTelemetry's, exported at the end of the request they belong to.

No thread exports in the background: with the answer a function's CPU stops, and what was not sent by then is late or
lost. Requests that end together share one export; a collector that does not answer costs SECONDS, then rests.
"""

import asyncio
import sys
import time
from collections.abc import Mapping, Sequence
from typing import Any

from opentelemetry.context import Context
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SpanExporter, SpanExportResult
from opentelemetry.trace import (
    NonRecordingSpan,
    Span,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from shared.batching import GroupCommit
from shared.settings import Settings
from shared.telemetry import log

SECONDS = 2.0
REST_SECONDS = 30.0
# Of spans that wait to leave; more are dropped.
MOST_WAITING = 5_000


class Recorded:
    """One span under way."""

    def __init__(self, span: Span) -> None:
        self._span = span
        context = span.get_span_context()
        self.traceparent = f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags:02x}"

    def set(self, attributes: Mapping[str, Any]) -> None:
        for name, value in attributes.items():
            self._span.set_attribute(name, value if isinstance(value, bool | int | float) else str(value))

    def rename(self, name: str) -> None:
        self._span.update_name(name)

    def fail(self, description: str) -> None:
        self._span.set_status(Status(StatusCode.ERROR, description))

    def end(self) -> None:
        self._span.end()


class Recorder(SpanProcessor):
    """Makes spans and collects those that have ended, until `flush`. OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES and
    OTEL_TRACES_SAMPLER hold here as everywhere."""

    def __init__(self, exporter: SpanExporter, function: str) -> None:
        named = Resource({"service.name": function, "service.namespace": "piecework"})
        provider = TracerProvider(resource=named.merge(OTELResourceDetector().detect()), shutdown_on_exit=False)
        provider.add_span_processor(self)
        self._tracer = provider.get_tracer("piecework")
        self._exporter = exporter
        self._ended: list[ReadableSpan] = []
        self._exports: GroupCommit[None, None] = GroupCommit(self._export)
        self._rests_until = 0.0

    def start(self, name: str, kind: str, traceparent: str | None, attributes: Mapping[str, Any]) -> Recorded:
        span = self._tracer.start_span(
            name, context=context_of(traceparent), kind=SpanKind[kind.upper()], attributes=dict(attributes)
        )
        return Recorded(span)

    def on_end(self, span: ReadableSpan) -> None:
        if span.context and span.context.trace_flags.sampled and len(self._ended) < MOST_WAITING:
            self._ended.append(span)

    async def flush(self) -> None:
        """Return when what has ended is with the collector, or was given up. Never raises."""
        if time.monotonic() < self._rests_until:
            self._ended.clear()
        elif self._ended:
            await self._exports.submit(None)

    async def _export(self, asked: Sequence[None]) -> Sequence[None]:
        spans, self._ended = self._ended, []
        if spans and not await self._sent(spans):
            self._rests_until = time.monotonic() + REST_SECONDS
            log.warning("spans_lost", spans=len(spans), hint="check OTEL_EXPORTER_OTLP_ENDPOINT and the collector")
        return asked

    async def _sent(self, spans: Sequence[ReadableSpan]) -> bool:
        try:
            async with asyncio.timeout(SECONDS + 1):
                return await asyncio.to_thread(self._exporter.export, spans) is SpanExportResult.SUCCESS
        except Exception:  # noqa: BLE001 - no trace is worth an item
            return False


def exporter_of(settings: Settings) -> SpanExporter:
    if settings.exporter == "console":
        # One line each, as Cloud Logging takes them.
        return ConsoleSpanExporter(out=sys.stdout, formatter=lambda span: str(span.to_json(indent=None)) + "\n")
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415 - not for console

    return OTLPSpanExporter(endpoint=f"{settings.otel_exporter_otlp_endpoint.rstrip('/')}/v1/traces", timeout=SECONDS)


def context_of(traceparent: str | None) -> Context:
    """The context of a span below this one; an empty one begins a trace."""
    if traceparent is None:
        return Context()
    _, trace_id, span_id, flags = traceparent.split("-")
    above = SpanContext(int(trace_id, 16), int(span_id, 16), is_remote=True, trace_flags=TraceFlags(int(flags, 16)))
    return set_span_in_context(NonRecordingSpan(above), Context())
