"""robots.txt: which pages of a host a program may read (RFC 9309).

url -> its origin's rules (asked for once a day, kept in this process) -> None | Skipped("robots")

    2xx                        the rules that stand in its first 500 KiB
    4xx, too many redirects    there are none: everything may be read
    5xx, too slow              nothing may be read for now: DomainFailed("robots_unreachable"), tried again like a page;
                               where older rules are still known, those hold meanwhile
    429, or a Retry-After      Deferred("domain_rests"), as for a page
"""

import asyncio
import re
from collections import OrderedDict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import httpx

from shared.answers import refusal
from shared.errors import Deferred, DomainFailed, Outcome, Skipped
from shared.loading import load
from shared.turns import Turns
from shared.urls import host_of

if TYPE_CHECKING:
    from protego import Protego

# Of its own: a robots.txt that drips takes nothing of its page's time.
SECONDS = 5.0
# RFC 9309, 2.5: at least 500 KiB are read.
MOST_BYTES = 500 * 1024
# RFC 9309, 2.4: a day, and longer while it cannot be read anew.
KEPT, KEPT_UNREACHABLE = timedelta(days=1), timedelta(hours=1)
# For all who waited for the same answer. No longer: an item that is tried again asks anew.
FAILURE_KEPT = timedelta(seconds=2)
MOST_ORIGINS = 1000
# Of all files together. A parsed file takes up to 60 times its text of memory.
MOST_CHARACTERS = 1_000_000
# Looking through longer rules takes milliseconds: not on the loop.
SHORT_CHARACTERS = 20_000

_AGENT_LINE = re.compile(r"\s*user(?:-|\s*)agent\b[\s:]*([^#]*)", re.IGNORECASE)
_PRODUCT = re.compile(r"[A-Za-z_-]+")
_COMPATIBLE = re.compile(r"compatible;\s*([A-Za-z_-]+)")
# No product token has a digit, so this name is nobody's.
_SOMEBODY_ELSE = "0"


@dataclass(frozen=True)
class Rules:
    """What one robots.txt says to us."""

    parsed: "Protego"
    size: int
    until: datetime

    async def allow(self, url: str, product: str) -> bool:
        if self.size <= SHORT_CHARACTERS:
            return self.parsed.can_fetch(url, product)
        return await asyncio.to_thread(self.parsed.can_fetch, url, product)


@dataclass(frozen=True)
class Unread:
    """A robots.txt that could not be read just now. `come_back`: when its host wants to be asked again."""

    reason: str
    detail: str
    until: datetime
    come_back: datetime | None = None
    size: int = 0

    def outcome(self) -> Outcome:
        if self.come_back:
            return Deferred(self.come_back, self.reason, self.detail)
        return DomainFailed(self.reason, self.detail)


class Robots:
    """The rules of the origins that were read lately, and whether a page may be read by their word.

    `read` gets a robots.txt by its URL, b"" where there is none; it raises Deferred, DomainFailed, Rejected.
    """

    def __init__(
        self, user_agent: str, read: Callable[[httpx.URL], Awaitable[bytes]], now: Callable[[], datetime]
    ) -> None:
        self._product = product_of(user_agent)
        self._read = read
        self._now = now
        # By the address of their robots.txt; the one that was asked for last stands last.
        self._known: OrderedDict[str, Rules | Unread] = OrderedDict()
        self._characters = 0
        self._look_ups = Turns(1)

    async def check(self, url: httpx.URL) -> None:
        """Return if the page may be read. Raises Skipped("robots"), and what `read` raises."""
        file = url.copy_with(raw_path=b"/robots.txt")
        found = self._recall(file)
        if found is None:
            async with self._look_ups.take(str(file)):
                found = self._recall(file) or await self._look_up(file)
        if isinstance(found, Unread):
            raise found.outcome()
        if not await found.allow(str(url), self._product):
            raise Skipped(
                "robots",
                f"{file} asks {self._product} not to read {url}. "
                "Whoever runs Piecework can switch this check off: robots: false in the function's function.yaml.",
            )

    def _recall(self, file: httpx.URL) -> Rules | Unread | None:
        found = self._known.get(str(file))
        if found is None or found.until <= self._now():
            return None
        self._known.move_to_end(str(file))
        return found

    async def _look_up(self, file: httpx.URL) -> Rules | Unread:
        found: Rules | Unread
        try:
            found = await self._parsed(await self._read(file))
        except Deferred as error:
            found = Unread(error.reason, error.detail, self._now() + FAILURE_KEPT, come_back=error.until)
        except DomainFailed as error:
            found = self._meanwhile(file) or Unread(error.reason, error.detail, self._now() + FAILURE_KEPT)
        self._remember(str(file), found)
        return found

    def _meanwhile(self, file: httpx.URL) -> Rules | None:
        old = self._known.get(str(file))
        return replace(old, until=self._now() + KEPT_UNREACHABLE) if isinstance(old, Rules) else None

    async def _parsed(self, body: bytes) -> Rules:
        await load("protego")
        from protego import Protego  # noqa: PLC0415 - loaded by now, and not in every bundle

        text = folded(body.decode("utf-8-sig", "replace"), self._product)
        # A long one takes a third of a second.
        return Rules(await asyncio.to_thread(Protego.parse, text), len(text), self._now() + KEPT)

    def _remember(self, file: str, found: Rules | Unread) -> None:
        self._forget(file)
        self._known[file] = found
        self._characters += found.size
        while len(self._known) > MOST_ORIGINS or (self._characters > MOST_CHARACTERS and len(self._known) > 1):
            self._forget(next(iter(self._known)))

    def _forget(self, file: str) -> None:
        if known := self._known.pop(file, None):
            self._characters -= known.size


def product_of(user_agent: str) -> str:
    """The name that robots.txt knows us by: "Piecework" of "Piecework/1.0 (+https://...)", and of "Mozilla/5.0
    (compatible; Piecework/1.0)". "*" where there is none: then the rules for everybody hold.
    """
    if compatible := _COMPATIBLE.search(user_agent):
        return compatible[1]
    first = _PRODUCT.match(user_agent)
    return first[0] if first else "*"


def folded(text: str, product: str) -> str:
    """The same rules for us, with every other program under one name.

    Protego keeps a copy of each rule for each name before it: a hostile file of ten thousand of both would fill the
    memory. It also takes a name for ours that is the beginning of ours, where the RFC compares whole names.
    """
    return "\n".join(_folded(line, product) for line in text.splitlines())


def _folded(line: str, product: str) -> str:
    agent = _AGENT_LINE.match(line)
    if not agent:
        return line
    name = agent[1].strip()
    if name == "*":
        return "User-agent: *"
    token = _PRODUCT.match(name)
    ours = token is not None and token[0].lower() == product.lower()
    return f"User-agent: {product if ours else _SOMEBODY_ELSE}"


def unavailable(status: int, headers: httpx.Headers, file: httpx.URL, now: datetime) -> Outcome | None:
    """How an item ends whose robots.txt answered so; None where the answer tells what may be read, or that all may."""
    refused = refusal(status, headers, host_of(file), now)
    if isinstance(refused, Deferred):
        return refused
    return unreachable(file, f"answered {status}") if isinstance(refused, DomainFailed) or status >= 500 else None


def unreachable(file: httpx.URL, what: str) -> DomainFailed:
    return DomainFailed("robots_unreachable", f"{file} {what}. Until it can be read, no page of its host is.")
