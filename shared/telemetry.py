"""Telemetry: one JSON line per item, in the words Cloud Logging knows."""

import re
import secrets
from typing import Any

import structlog

TRACEPARENT = re.compile(r"^00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}$")
SEVERITY = {"debug": "DEBUG", "info": "INFO", "warning": "WARNING", "error": "ERROR", "critical": "CRITICAL"}


def _severity(_logger: Any, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
    return {"severity": SEVERITY.get(method, "INFO"), "message": event.pop("event"), **event}


structlog.configure(
    processors=[
        structlog.processors.TimeStamper(fmt="iso", key="time"),
        structlog.processors.format_exc_info,
        _severity,
        structlog.processors.JSONRenderer(default=str),
    ],
    logger_factory=structlog.PrintLoggerFactory(),
    cache_logger_on_first_use=True,
)
log: structlog.stdlib.BoundLogger = structlog.get_logger()


def trace_of(traceparent: str | None) -> tuple[str, str]:
    """(trace id, traceparent to pass on): those given, or new ones (W3C Trace Context)."""
    match = TRACEPARENT.match(traceparent or "")
    trace_id = match.group(1) if match else secrets.token_hex(16)
    return trace_id, f"00-{trace_id}-{secrets.token_hex(8)}-01"
