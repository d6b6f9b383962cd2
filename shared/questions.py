"""questions: the metered call of one attempt, at most one, in its slot.

book -> a little before the slot: make the request -> in the slot: a last look, its bytes leave -> answer
"""

import asyncio
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, TypeVar

from pydantic import BaseModel

from shared.errors import AnswerCut, Failed, HeldBack, Overloaded, Rejected
from shared.gemini import Answer, Bounds, Image
from shared.items import Claim, ClaimRequest
from shared.loading import load
from shared.slots import GRACE_SECONDS
from shared.tracing import span

if TYPE_CHECKING:
    from shared.services import Engine, Services

Value = TypeVar("Value", bound=BaseModel)

# So often a slot is taken before the item is sent back.
MOST_SLOTS = 5
# A request is made ready so long before its slot, and its bytes wait for it: the SDK's work, and a TLS handshake.
READY_SECONDS = 0.25
# A model that stays silent is to be known as such, a little before the work's own time is up.
SILENCE_SECONDS = 0.5
# No metered call leaves with less than this left: Gemini refuses a deadline of less than 10 s.
LEAST_SECONDS = 10.0 + SILENCE_SECONDS


class SlotMissed(Exception):
    """The call's slot went by, or became void, before its bytes left. Nothing was sent."""


class Questions:
    """The metered call of one attempt: at most one, in its slot."""

    def __init__(self, services: "Services", engine: "Engine") -> None:
        self._services = services
        self._engine = engine
        # Work that prepares something first books its slot when it is ready.
        self._slot = None if engine.manifest.prepares else self._booked(services.claim)
        self._missed = 0
        self._used = False

    async def ask(
        self,
        instruction: str,
        content: str,
        *,
        into: type[Value],
        read_url: bool = False,
        image: Image | None = None,
    ) -> Answer[Value]:
        """Ask the function's model once; the answer as `into`. Raises what Gemini.ask raises, and HeldBack."""
        if self._used:
            raise Failed("second_call", "One dispatch makes at most one metered call: chain a second task instead")
        await self.get_ready()
        while self._missed < MOST_SLOTS:
            if self._slot is None:
                await self.book()
            try:
                return await self._ask_in_slot(instruction, content, into, read_url=read_url, image=image)
            except SlotMissed:
                self._slot = None
                self._missed += 1
            except AnswerCut as cut:
                self._check_first(cut)
                raise
        raise HeldBack(datetime.now(UTC), "slot_missed", f"{MOST_SLOTS} slots went by before the call could leave")

    async def _ask_in_slot(
        self, instruction: str, content: str, into: type[Value], *, read_url: bool, image: Image | None
    ) -> Answer[Value]:
        bounds = self._bounds()
        await sleep_until(self._slot_time() - READY_SECONDS)
        with span(
            "ask", "client", gen_ai__operation__name="generate_content", gen_ai__request__model=self._engine.model
        ) as asking:
            try:
                answer = await self._engine.gemini.ask(
                    self._engine.model, instruction, content, into,
                    bounds=bounds, spend=self._services.spend, leave=self._leave, read_url=read_url, image=image,
                )  # fmt: skip
            except Overloaded as error:
                self._engine.rests(time.monotonic() + error.seconds)
                raise
            asking.set(
                gen_ai__response__model=answer.model,
                gen_ai__usage__input_tokens=answer.tokens_in,
                gen_ai__usage__output_tokens=answer.tokens_out,
                cost_usd=answer.cost_usd,
            )
            return answer

    def _bounds(self) -> Bounds:
        """What the call may take that leaves in its slot. Raises Failed("out_of_time")."""
        manifest = self._engine.manifest
        seconds = self._services.seconds_left(self._slot_time())
        self._check_time(seconds)
        return Bounds(seconds - SILENCE_SECONDS, manifest.max_output_tokens, manifest.reserve_tokens)

    def _check_time(self, seconds: float) -> None:
        if seconds < LEAST_SECONDS:
            raise Failed(
                "out_of_time",
                f"{max(0.0, seconds):.1f} s are left before the deadline, and a metered call needs {LEAST_SECONDS:g} s",
            )

    async def _leave(self) -> None:
        """Return when the request, which is ready to be written, may leave. Raises SlotMissed.

        Looked at after the sleep: a process that was busy wakes all its sleepers late, and at once.
        """
        slot = self._slot_time()
        await sleep_until(slot)
        now = time.monotonic()
        if now > slot + GRACE_SECONDS or now < self._engine.rests_until - GRACE_SECONDS:
            raise SlotMissed
        self._used = True

    def _slot_time(self) -> float:
        if self._slot is None:
            raise SlotMissed
        return self._slot

    def _check_first(self, cut: AnswerCut) -> None:
        """One more attempt follows from a cut answer, for a model may ramble once. A second one is final."""
        manifest = self._engine.manifest
        if self._services.memo.get("answer_cut") == manifest.max_output_tokens:
            raise Rejected(
                "answer_cut",
                f"{cut.detail}, again: raise it in functions/{manifest.name}/function.yaml, deploy, replay the item",
            ) from cut

    async def get_ready(self) -> None:
        """Return once the client is made. In a new process that takes longer than a slot lasts: book after it."""
        await load("google.genai")
        self._engine.gemini.warm_up()

    async def book(self, content: str | None = None) -> Claim:
        """Claim again, under the same holder, for a slot: the work is ready, or the last slot went by.

        With `content`, the answer may be "known" instead: an earlier result was made from the same. Raises HeldBack.
        """
        claim, engine = self._services.claim, self._engine
        # What is left when the call leaves, if its slot is there at once: a slot that cannot be used is not booked.
        left = self._services.seconds_left()
        self._check_time(left)
        request = ClaimRequest(claim.item_id, claim.holder, content, self._missed)
        if left - LEAST_SECONDS >= engine.manifest.patience(ready=True):
            booked = await engine.slots.submit(request)
        else:
            (booked,) = await engine.book_within([request], left - LEAST_SECONDS)
        if booked.decision not in {"run", "known"}:
            until = datetime.now(UTC) + timedelta(seconds=booked.wait)
            raise HeldBack(until, booked.reason or booked.decision)
        if booked.decision == "run":
            self._slot = self._booked(booked)
        return booked

    def _booked(self, claim: Claim) -> float:
        self._services.reserved += self._engine.manifest.reserve_tokens
        return self._engine.clock.ours(claim.moment + claim.wait)


async def sleep_until(moment: float) -> None:
    """Until that time of the monotonic clock; not even a turn of the loop where it has come already."""
    seconds = moment - time.monotonic()
    if seconds > 0:
        await asyncio.sleep(seconds)
