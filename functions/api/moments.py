"""Moments as callers write them: ISO 8601 with an offset. A bare number could be seconds or milliseconds."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BeforeValidator


def written_out(given: Any) -> Any:
    """Raises ValueError for a number."""
    if isinstance(given, int | float) or (isinstance(given, str) and re.fullmatch(r"\s*[-+]?[\d.]+\s*", given)):
        raise ValueError("write it as 2026-11-22T08:00:00Z")
    return given


def in_utc(moment: datetime) -> datetime:
    """Postgres takes no offset of 16 hours or more. Raises ValueError for what is beyond the calendar."""
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError("there is no such year") from error


Moment = Annotated[AwareDatetime, BeforeValidator(written_out), AfterValidator(in_utc)]
