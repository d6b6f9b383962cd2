"""Page: what a URL held when it was fetched. A value, so that the reading of pages needs no network code."""

from dataclasses import dataclass
from datetime import datetime, timedelta


@dataclass(frozen=True, slots=True)
class Page:
    """One fetched document. `body` is decompressed; `content_type` is lower case, without parameters.

    `charset` is what the header declares, or None. When `not_modified`, the body is empty: what the caller
    has from last time still holds.
    """

    url: str
    final_url: str
    status: int
    content_type: str
    charset: str | None
    body: bytes
    etag: str | None
    last_modified: str | None
    fetched_at: datetime
    not_modified: bool = False


@dataclass(frozen=True, slots=True)
class Posted:
    """How a server answered what was sent to it. `retry_after`: for how long it wants to be left alone."""

    status: int
    retry_after: timedelta | None
