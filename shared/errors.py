"""The ways an attempt can end other than done, as one family: raise the one that says what follows.

    Outcome
    ├── Unchanged(result_id)    the input is what it was last time: done, with the result of then
    ├── Skipped(reason)         nothing to do here: final, not an error, answered 200
    ├── Rejected(reason)        this item can never work: dead, answered 200
    ├── Deferred(until)         its own upstream rests: a new task at that time, no attempt spent
    │   └── HeldBack            ... or we are busy ourselves, which may last: not counted either
    ├── Overloaded(seconds)     what every item of this quota needs is down: the quota rests for all
    └── Failed(message)         try again: the attempt is kept with its error, a new task a little later
        ├── DomainFailed        ... and the web domain's breaker counts it
        ├── ModelFailed         ... and the quota's breaker counts it
        │   └── ModelSilent     ... though it was asked: it may have to be paid for
        ├── AnswerCut           the model's answer was cut off: the same question is asked once more at most
        └── StoreDown           the database did not answer: nothing can be kept, the queue tries again
            └── Unheard         ... though it was asked: it may have done what it was asked for

Anything else that is raised counts as Failed.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

OutcomeName = Literal["done", "skipped", "dead", "deferred", "overloaded", "failed"]


class Outcome(Exception):
    """How an attempt ended, raised from wherever it is known."""

    name: OutcomeName = "failed"

    def __init__(self, reason: str, detail: str = "") -> None:
        """`reason` is a short snake_case word people filter by; `detail` is a sentence for people."""
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason = reason
        self.detail = detail


class Unchanged(Outcome):
    """The input has not changed since an earlier item was done: that item's result stands."""

    name = "done"

    def __init__(self, result_id: UUID) -> None:
        super().__init__("unchanged")
        self.result_id = result_id


class Skipped(Outcome):
    """Nothing to do here: no content, paywall, gone, not an image."""

    name = "skipped"


class Rejected(Outcome):
    """This item can never work: bad input, blocked address, too large, refused by a safety filter."""

    name = "dead"


class Deferred(Outcome):
    """Come back at `until` without spending an attempt. `memo` is what the next dispatch should know."""

    name = "deferred"

    def __init__(
        self, until: datetime, reason: str, detail: str = "", *, memo: Mapping[str, Any] | None = None
    ) -> None:
        super().__init__(reason, detail)
        self.until = until
        self.memo = dict(memo or {})


class HeldBack(Deferred):
    """Come back at `until` because this instance, not the item's upstream, has no room. Counts towards no limit."""


class Overloaded(Outcome):
    """The whole quota rests for `seconds`: it said 429, its budget is spent, or its key is refused."""

    name = "overloaded"

    def __init__(self, seconds: float, reason: str, detail: str = "") -> None:
        super().__init__(reason, detail)
        self.seconds = seconds


class Failed(Outcome):
    """Try again, a little later each time, until the item's attempts run out."""


class DomainFailed(Failed):
    """The item's web domain did not answer as a healthy one does."""


class ModelFailed(Failed):
    """The model did not answer as a healthy one does."""


class ModelSilent(ModelFailed):
    """The model was asked, and its answer did not come: it may have worked, and have to be paid for."""


class AnswerCut(Failed):
    """The model's answer was cut off at its longest length."""

    def __init__(self, most_tokens: int) -> None:
        super().__init__("answer_cut", f"The model's answer was cut off at max_output_tokens, {most_tokens}")
        # What the next attempt should know.
        self.memo = {"answer_cut": most_tokens}


class StoreDown(Failed):
    """The database did not answer; nothing useful can be done without it."""

    def __init__(self, detail: str) -> None:
        super().__init__("store_down", detail)


class Unheard(StoreDown):
    """The database was asked, and its answer did not come: it may have done what it was asked for, or do it yet."""
