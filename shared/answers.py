"""What a web server's answer means for the item: a rule on status and headers, no I/O.

2xx, 304 -> read on | 3xx -> follow | 404, 410 -> Skipped("gone") | 429, 503 + Retry-After -> Deferred | ...
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import httpx

from shared.errors import Deferred, DomainFailed, Outcome, Rejected, Skipped
from shared.urls import host_of, parse

REDIRECTS = frozenset({301, 302, 303, 307, 308})
REST = timedelta(seconds=60)
SHORTEST_REST, LONGEST_REST = timedelta(seconds=1), timedelta(hours=1)

# Nothing a retry would change, and nothing of ours to mend: the publisher decided.
_FINAL = {
    401: ("paywall", "asks for a login"),
    402: ("paywall", "asks for payment"),
    # Most often a wall against programs; an owner who says no is not asked again.
    403: ("forbidden", "refuses to show this page"),
    404: ("gone", "has no such page"),
    406: ("not_html", "has this page in no form that was asked for"),
    410: ("gone", "has removed this page"),
    451: ("legal_block", "may not show this page for legal reasons"),
}
_HTML = frozenset({"text/html", "application/xhtml+xml"})


def refusal(status: int, headers: httpx.Headers, host: str, now: datetime) -> Outcome | None:
    """What a status that brings no page means; None for one that does (2xx with a body, 304, redirects)."""
    if headers.get("cf-mitigated") == "challenge":
        return Skipped("captcha", f"{host} asks its visitors to prove that they are human.")
    if status in (429, 503) and (rest := _rest(status, headers, now)):
        return Deferred(now + rest, "domain_rests", f"{host} answered {status}: too busy just now.")
    if status in (204, 205):
        return Skipped("no_content", f"{host} answered {status}: an empty page.")
    if status in _FINAL:
        reason, what = _FINAL[status]
        return Skipped(reason, f"{host} {what} ({status}).")
    if status == 408 or status >= 500 or status < 200:
        return DomainFailed(f"http_{status}", f"{host} answered {status}.")
    return Skipped("refused", f"{host} answered {status}.") if status >= 400 else None


def check_type(content_type: str, accept: str, host: str) -> None:
    """Raises Skipped when another kind of page came than was asked for. A missing type gets its chance."""
    if not content_type or _matches(content_type, accept):
        return
    reason = "not_html" if accept in _HTML else "wrong_type"
    raise Skipped(reason, f"{host} sent {content_type}, not {accept}.")


def check_length(headers: httpx.Headers, max_bytes: int, host: str) -> None:
    """Raises Rejected("too_large") when the declared length alone says so: nothing is read then."""
    declared = headers.get("content-length", "")
    if declared.isdecimal() and int(declared) > max_bytes:
        raise Rejected("too_large", f"{host} announced {declared} bytes; at most {max_bytes} are read.")


def _rest(status: int, headers: httpx.Headers, now: datetime) -> timedelta | None:
    asked = retry_after(headers.get("retry-after", ""), now)
    if asked is None:
        return REST if status == 429 else None
    return min(max(asked, SHORTEST_REST), LONGEST_REST)


def retry_after(value: str, now: datetime) -> timedelta | None:
    """Retry-After as seconds or as an HTTP date (RFC 9110, 10.2.3); None when it is neither."""
    if value.strip().isdecimal():
        # More digits than any server means would overflow a timedelta.
        return timedelta(seconds=int(value.strip()[:9]))
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now


def _matches(content_type: str, accept: str) -> bool:
    if accept in _HTML:
        return content_type in _HTML
    kind, _, form = accept.partition("/")
    return accept in {content_type, "*/*"} or (form == "*" and content_type.startswith(f"{kind}/"))


def redirect_target(here: httpx.URL, response: httpx.Response) -> httpx.URL:
    """Where it leads. Raises DomainFailed("bad_response"), Rejected("bad_redirect")."""
    location = response.headers.get("location", "").strip()
    if not location:
        raise DomainFailed("bad_response", f"{host_of(here)} redirects without saying where to.")
    try:
        return parse(str(here.join(location.replace(" ", "%20"))))
    except (httpx.InvalidURL, ValueError, Rejected) as error:
        raise Rejected(
            "bad_redirect", f"{host_of(here)} redirects to {location[:200]}, which cannot be read."
        ) from error
