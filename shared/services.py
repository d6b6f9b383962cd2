"""Services: what the work on one item may use, and what it has cost so far.

An Engine is one process's clients for one function, made at the first request and never at import: the framework
imports, then forks. Services is one attempt's view of it: it waits for the attempt's slot before the metered call,
checks the deadline, and notes which upstreams answered.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, NoReturn
from uuid import UUID

from shared.batching import GroupCommit, commit_apart
from shared.clock import DatabaseClock
from shared.errors import Deferred, Unchanged
from shared.fetching import Fetcher
from shared.gemini import Gemini
from shared.identity import Callers
from shared.items import Claim, ClaimRequest, Ended, Kept, Spent
from shared.manifest import Manifest
from shared.pages import Page, Posted
from shared.questions import Questions
from shared.queue import Queue
from shared.settings import Settings
from shared.slots import lead
from shared.stopping import Stopping
from shared.store import RowRefused, Store
from shared.tracing import span


class Engine:
    """The clients of one function in one process, and its two shared round trips: claim and keep."""

    def __init__(self, settings: Settings, manifest: Manifest, version: str) -> None:
        self.settings = settings
        self.manifest = manifest
        self.model = settings.gemini_model or manifest.model or ""
        self.variant = f"{version}/{self.model}"
        self.url = settings.url_of(manifest.name)
        self.store = Store.of(settings)
        self.queue = Queue(settings)
        self.callers = Callers.of(settings, manifest)
        self.fetcher = Fetcher(
            settings.user_agent,
            obey_robots=manifest.robots,
            max_per_host=manifest.max_per_host,
            sample_site=settings.sample_site,
        )
        self.gemini = Gemini(settings)
        self.clock = DatabaseClock()
        self.stopping = Stopping()
        self.rests_until = 0.0
        # Since when the database knows of a rest that was met here; infinite while it does not yet.
        self._told_at = 0.0
        self.claims: GroupCommit[ClaimRequest, Claim] = GroupCommit(self._claim)
        self.slots: GroupCommit[ClaimRequest, Claim] = GroupCommit(self._book)
        self.keeps: GroupCommit[Ended, tuple[Ended, Kept]] = GroupCommit(self._keep)

    async def _claim(self, requests: Sequence[ClaimRequest]) -> Sequence[Claim]:
        seconds = lead(self.clock.lateness())
        return self._heard(await self.store.claim(requests, self.manifest, self.variant, lead_seconds=seconds))

    async def _book(self, requests: Sequence[ClaimRequest]) -> Sequence[Claim]:
        return await self.book_within(requests, self.manifest.patience(ready=True))

    async def book_within(self, requests: Sequence[ClaimRequest], patience_seconds: float) -> Sequence[Claim]:
        """Slots for work that is ready, none further off than this."""
        seconds = lead(self.clock.lateness(), max(request.missed for request in requests))
        claims = await self.store.claim(
            requests, self.manifest, self.variant,
            ready=True, lead_seconds=seconds, patience_seconds=patience_seconds,
        )  # fmt: skip
        return self._heard(claims)

    def _heard(self, claims: Sequence[Claim]) -> Sequence[Claim]:
        said = claims[0]
        self.clock.heard(said.moment)
        # What the database says is the newer word once it knows of our own, or ours is over: it may have been ended.
        if self.clock.ours(said.moment) > min(self._told_at, self.rests_until):
            self.rests_until = self.clock.ours(said.moment + said.quota_rests) if said.quota_rests else 0.0
        return claims

    def rests(self, until: float) -> None:
        """The quota rests until then, on our monotonic clock: slots that were handed out before are void."""
        self.rests_until = max(self.rests_until, until)
        self._told_at = math.inf

    async def _keep(self, ended: Sequence[Ended]) -> Sequence[tuple[Ended, Kept]]:
        # One bad row must not sink its group: halve until it stands alone.
        return await commit_apart(self._keep_all, ended, RowRefused, self._keep_without_row)

    async def _keep_all(self, ended: Sequence[Ended]) -> list[tuple[Ended, Kept]]:
        kept = await self.store.keep(ended, self.manifest)
        if any(one.outcome == "overloaded" for one in ended):
            self._told_at = time.monotonic()
        return list(zip(ended, kept, strict=True))

    async def _keep_without_row(self, one: Ended, error: Exception) -> tuple[Ended, Kept]:
        # All of it may be what was refused but for what was spent, and what the upstreams did.
        dead = replace(
            one, outcome="dead", reason="row_refused", error=str(error),
            result=None, validators=None, memo={}, unchanged=None, rest_seconds=None,
        )  # fmt: skip
        (kept,) = await self._keep_all([dead])
        return kept


class Services:
    """What the work on one item may use."""

    def __init__(self, engine: Engine, claim: Claim) -> None:
        self.claim = claim
        self.attempt = claim.attempt
        self.memo = claim.memo
        self.spent = Spent()
        self.reserved = 0
        self.fetched = False
        self.asked = False
        self.validators: dict[str, str | None] = {}
        self.gemini = Questions(self, engine)
        self._engine = engine
        self._deadline = time.monotonic() + engine.manifest.work_seconds

    async def fetch(self, url: str, *, accept: str, max_bytes: int, seconds: float = 20.0) -> Page:
        """The page, guarded and bounded. Asks only for what changed where an earlier result is known.

        Raises Unchanged, and what Fetcher.fetch raises.
        """
        before = self.claim.validators
        with span("fetch", "client", server__address=self.claim.domain) as fetching:
            page = await self._engine.fetcher.fetch(
                url,
                accept=accept,
                max_bytes=max_bytes,
                seconds=seconds,
                etag=before.get("etag"),
                last_modified=before.get("last_modified"),
            )
            fetching.set(http__response__status_code=page.status, http__response__body__size=len(page.body))
        self.fetched = True
        if page.not_modified and "result_id" in before:
            raise Unchanged(UUID(before["result_id"]))
        self.validators |= {"etag": page.etag, "last_modified": page.last_modified}
        return page

    async def check_address(self, url: str) -> None:
        """Return if `fetch` would dial this address. For one that somebody else is to open for us.

        Raises what Fetcher.check raises.
        """
        await self._engine.fetcher.check(url)

    async def check_robots(self, url: str) -> None:
        """For a page that the model reads by itself: robots.txt is obeyed as by `fetch`, and the same is raised."""
        with span("robots", "client", server__address=self.claim.domain):
            await self._engine.fetcher.check_robots(url)

    async def post(self, url: str, body: bytes, headers: Mapping[str, str]) -> Posted:
        """Send something, guarded as a fetch is. Raises what Fetcher.post raises."""
        with span("post", "client", server__address=self.claim.domain) as posting:
            posted = await self._engine.fetcher.post(url, body, headers)
            posting.set(http__response__status_code=posted.status)
        self.fetched = True
        return posted

    async def read(self, function: str, **arguments: Any) -> Any:
        """What a SQL function tells, for work that needs to know more than its item says. Raises StoreDown."""
        return await self._engine.store.call(function, **arguments)

    def unless_unchanged(self, content_hash: str) -> None:
        """Raises Unchanged when an earlier result was made from the same content: nothing is paid twice."""
        before = self.claim.validators
        if before.get("content_hash") == content_hash and "result_id" in before:
            raise Unchanged(UUID(before["result_id"]))
        self.validators["content_hash"] = content_hash

    async def known(self, content: str, *, version: str) -> Mapping[str, Any] | None:
        """An earlier row of this function whose model was asked the same; None: there is none.

        Many inputs may turn out to hold one content (a hash of it), and `version` names what is asked about it: that
        is paid for once by each owner, or by all together where the manifest says `cache: all`. Whoever gets None has
        booked the slot of the metered call with it. Raises Deferred while another item is at work on the same content.
        """
        await self.gemini.get_ready()
        claim = await self.gemini.book(f"{version}/{self._engine.model}/{content}")
        if claim.decision != "known":
            return None
        manifest = self._engine.manifest
        rows = await self._engine.store.select(manifest.table or "", item_id=claim.validators["result_id"])
        # Another owner may have made it: what was typed for it is nobody else's.
        return {name: value for name, value in rows[0].items() if name not in manifest.typed} if rows else None

    def again(self, **memo: Any) -> NoReturn:
        """End this dispatch and have another one at once, which finds `memo`. No attempt is spent."""
        raise Deferred(datetime.now(UTC), "next_step", memo=memo)

    def seconds_left(self, at: float | None = None) -> float:
        """Before the work has to end: now, or at a time of our monotonic clock."""
        return self._deadline - (time.monotonic() if at is None else at)

    def spend(self, spent: Spent) -> None:
        self.spent += spent
        # Who did not answer has shown nothing of being well.
        self.asked = self.asked or not spent.estimated
