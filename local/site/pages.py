"""A page as bytes that may be asked for conditionally and compressed."""

import gzip
import hashlib
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import cached_property

from starlette.requests import Request
from starlette.responses import Response


@dataclass(frozen=True)
class Page:
    """What is sent for one address while it does not change."""

    content: bytes
    content_type: str
    last_modified: datetime

    @cached_property
    def etag(self) -> str:
        """Weak, because the compressed and the plain form share it."""
        return f'W/"{hashlib.sha256(self.content).hexdigest()[:16]}"'

    @cached_property
    def compressed(self) -> bytes:
        return gzip.compress(self.content, mtime=0)

    def answer(self, request: Request) -> Response:
        """200 or 304, gzip where it is accepted."""
        if self.is_unchanged(request):
            return Response(status_code=304, headers=self.validators)
        headers = self.validators | {"Content-Type": self.content_type, "Vary": "Accept-Encoding"}
        if "gzip" in request.headers.get("accept-encoding", ""):
            return Response(self.compressed, headers=headers | {"Content-Encoding": "gzip"})
        return Response(self.content, headers=headers)

    @property
    def validators(self) -> dict[str, str]:
        modified = format_datetime(self.last_modified.astimezone(UTC), usegmt=True)
        return {"ETag": self.etag, "Last-Modified": modified}

    def is_unchanged(self, request: Request) -> bool:
        """If-None-Match, where given, decides alone (RFC 9110, 13.2.2); a date must be the one we sent."""
        known = request.headers.get("if-none-match")
        if known is not None:
            return known == "*" or self.etag in [tag.strip() for tag in known.split(",")]
        return request.headers.get("if-modified-since") == self.validators["Last-Modified"]
