"""What a URL is here: checked the same way wherever one enters, and one spelling for one page.

raw text -> parse -> httpx.URL -> domain (breakers, politeness) | normalise (identity, in fanout and api)
"""

import re
from contextlib import suppress
from ipaddress import ip_address
from typing import Annotated
from urllib.parse import unquote_to_bytes

import httpx
from pydantic import AfterValidator

from shared.errors import Rejected

MAX_CHARACTERS = 2083
DEFAULT_PORTS = {"http": 80, "https": 443}

# Browsers read a backslash as a slash and many parsers do not: such a URL has two hosts.
_AMBIGUOUS = re.compile(r"[\x00-\x20\x7f-\xa0\\]")
_NAME = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
_IPV6 = re.compile(r"[0-9a-f:.]+(?:%[0-9a-z_.%-]+)?")

# Parameters that tell a page where its reader came from and never change what it says.
_TRACKING = re.compile(
    r"utm_.*|mtm_.*|hsa_.*|oly_.*|_hs\w*|_ga|_gl"
    r"|gclid|gclsrc|gbraid|wbraid|dclid|fbclid|igsh|igshid|msclkid|twclid|ttclid|yclid|li_fat_id|epik"
    r"|mc_[ce]id|mkt_tok|vero_id|rb_clickid|s_cid|ncid|cmpid|ito|xtor|smid|guccounter|guce_\w+|ref_src|ref_url"
)


def parse(url: str) -> httpx.URL:
    """The URL without its fragment and its host's final dot, if it can be fetched.

    Raises Rejected("bad_input"): what to do.
    """
    if len(url) > MAX_CHARACTERS:
        raise _too_long(url)
    return _parsed(url)


def _parsed(url: str) -> httpx.URL:
    if _AMBIGUOUS.search(url):
        raise _bad("The URL holds a space, a backslash or a control character; percent-encode it (a space is %20).")
    try:
        parsed = httpx.URL(url).copy_with(fragment=None)
        _check(parsed)
        # Certificates are made out to names without it.
        return parsed.copy_with(host=host_of(parsed)) if parsed.raw_host.endswith(b".") else parsed
    # idna raises its own UnicodeError family for names that only look like punycode.
    except (httpx.InvalidURL, UnicodeError) as error:
        raise _bad(f"This is not a URL: {error}. Send one like https://example.com/story.") from error


def fetchable(url: str) -> str:
    """The address as it was written, if `parse` takes it. Raises ValueError: what to do."""
    try:
        parse(url.strip())
    except Rejected as refused:
        raise ValueError(refused.detail) from refused
    return url.strip()


# The address of an item: of its model's field.
Fetchable = Annotated[str, AfterValidator(fetchable)]


def domain(url: str) -> str:
    """The host in lower case and ASCII, without a leading "www." and a final dot: one breaker per value."""
    return site_of(parse(url))


def site_of(parsed: httpx.URL) -> str:
    """What counts as one site for breakers and politeness, see `domain`."""
    return host_of(parsed).removeprefix("www.")


def host_of(parsed: httpx.URL) -> str:
    """The host in lower case and ASCII, as it is looked up; an IPv6 address in its one short spelling.

    httpx's own `host` fails on names idna cannot decode.
    """
    host = parsed.raw_host.decode("ascii").lower().rstrip(".")
    with suppress(ValueError):
        return ip_address(host).compressed if ":" in host else host
    return host


def normalise(url: str) -> str:
    """One spelling for every spelling of the same page, so that it is paid for once. Not for dialling.

    Host lower case and ASCII; no default port or tracking parameters; the query sorted; no fragment, but for a route
    of a page's scripts (#!/story/2), which names a page of its own. Applying it twice changes nothing.
    Raises Rejected("bad_input") and nothing else.
    """
    from w3lib.url import canonicalize_url  # noqa: PLC0415 - not every bundle has w3lib

    parsed = _parsed(url)
    port = None if parsed.port == DEFAULT_PORTS[parsed.scheme] else parsed.port
    query = b"&".join(pair for pair in parsed.query.split(b"&") if pair and not _tracks(pair))
    bare = parsed.copy_with(host=host_of(parsed), port=port, query=query or None)
    canonical: str = canonicalize_url(f"{bare}{script_route(url)}", keep_fragments=True)
    # Percent-encoding makes a URL longer: what was short enough to come in stays acceptable in its one spelling.
    if len(url) > MAX_CHARACTERS and canonical != url:
        raise _too_long(url)
    return canonical


def script_route(url: str) -> str:
    """The fragment of a page that its scripts fill by it, such as "#!/story/2"; "" for any other. It is never sent."""
    fragment = url.partition("#")[2]
    return f"#{fragment}" if fragment.startswith("!") and len(fragment) > 1 else ""


def _check(parsed: httpx.URL) -> None:
    if parsed.scheme not in DEFAULT_PORTS:
        raise _bad(f"Only http and https URLs can be read, not {parsed.scheme or 'one without a scheme'}.")
    if parsed.userinfo:
        raise _bad("The URL carries a user name or password; send it without the part before the @.")
    if not parsed.raw_host:
        raise _bad("The URL names no host; send one like https://example.com/story.")
    if not _is_host(host := host_of(parsed)):
        raise _bad(f"{host} is not a host name; check its spelling.")
    if parsed.port is not None and not 1 <= parsed.port <= 65535:
        raise _bad(f"Port {parsed.port} does not exist; leave it out or send one from 1 to 65535.")


def _is_host(host: str) -> bool:
    if ":" in host:
        return _IPV6.fullmatch(host) is not None
    return len(host) <= 253 and _NAME.fullmatch(host) is not None


def _tracks(pair: bytes) -> bool:
    # Decoded, as the server reads it: %75tm_source is utm_source.
    name = unquote_to_bytes(pair.partition(b"=")[0]).decode("ascii", "replace").lower()
    return _TRACKING.fullmatch(name) is not None


def _too_long(url: str) -> Rejected:
    return _bad(f"The URL has {len(url)} characters; send one of at most {MAX_CHARACTERS}.")


def _bad(detail: str) -> Rejected:
    return Rejected("bad_input", detail)
