"""Spans of time and moments, as people type them: 90s, 10m, 2h, 3d; 2026-11-22T08:00Z."""

import re
from datetime import UTC, datetime, timedelta

from cli.problems import BadInput

SECONDS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def read_span(text: str) -> float:
    """Return the seconds. Raises BadInput."""
    found = re.fullmatch(r"(\d{1,9}(?:\.\d+)?)([smhd]?)", text.strip())
    if found is None:
        raise BadInput(f"{text!r} is no span of time; write 90s, 10m, 2h or 3d.")
    return float(found[1]) * SECONDS[found[2]]


def read_moment(text: str, *, now: datetime | None = None) -> str:
    """Return a moment, or one that is so long ago, as ISO 8601. Raises BadInput."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        pass
    try:
        return ((now or datetime.now(UTC)) - timedelta(seconds=read_span(text))).isoformat()
    except (BadInput, OverflowError):
        raise BadInput(f"{text!r} is no moment; write 2h or 3d for so long ago, or 2026-11-22T08:00Z.") from None


def read_deadline(text: str) -> str:
    """Return a moment as ISO 8601. Raises BadInput for a span, which would be another moment each time it is sent."""
    try:
        return datetime.fromisoformat(text).astimezone(UTC).isoformat()
    except (ValueError, OverflowError):
        raise BadInput(f"{text!r} is no moment; write the deadline as 2026-11-22T08:00Z.") from None
