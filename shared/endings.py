"""endings: how an attempt ended, as keep_v1 takes it: the outcome that was raised, its cost, the upstreams' health."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from shared.breakers import health
from shared.errors import AnswerCut, Deferred, Failed, HeldBack, Outcome, Overloaded, Unchanged
from shared.items import Claim, Ended
from shared.services import Engine, Services

# Between a failed attempt and the next: 2, 4, 8 ... 60 s, as the queues wait that Terraform makes.
FIRST_BACKOFF_SECONDS, LONGEST_BACKOFF_SECONDS = 2.0, 60.0
# Of an error's text: enough to understand it.
MOST_CHARACTERS = 2000


def ending(  # noqa: PLR0913
    claim: Claim,
    services: Services,
    engine: Engine,
    error: BaseException | None,
    row: dict[str, Any] | None,
    seconds: float,
) -> Ended:
    """The attempt as keep_v1 takes it."""
    ended = Ended(
        claim.item_id,
        claim.holder,
        "done",
        result=row,
        validators=services.validators or None,
        spent=services.spent,
        reserved=services.reserved,
        seconds=seconds,
        upstreams=health(
            error,
            domain=claim.domain,
            quota=engine.manifest.quota,
            fetched=services.fetched,
            asked=services.asked,
        ),
    )
    match error:
        case None:
            return ended
        case Unchanged():
            return replace(ended, unchanged=error.result_id, reason=error.reason, validators=dict(claim.validators))
        case Outcome():
            told = storable(error.detail) or None
            ended = replace(ended, outcome=error.name, reason=error.reason, error=told, validators=None)
    match error:
        case Deferred():
            rest = max(0.0, (error.until - datetime.now(UTC)).total_seconds())
            return replace(ended, rest_seconds=rest, counted=not isinstance(error, HeldBack), memo=error.memo)
        case Overloaded():
            return replace(ended, rest_seconds=error.seconds)
        case Failed():
            memo = error.memo if isinstance(error, AnswerCut) else {}
            return replace(ended, rest_seconds=backoff_seconds(claim.attempt), memo=memo)
    return ended


def backoff_seconds(attempt: int) -> float:
    """How long to wait after this attempt, from 1 on, has failed."""
    return min(FIRST_BACKOFF_SECONDS * 2.0 ** (attempt - 1), LONGEST_BACKOFF_SECONDS)


def storable(detail: str) -> str:
    """The text as Postgres takes it: no NUL, no half characters, not without end."""
    return detail[:MOST_CHARACTERS].replace("\0", "\ufffd").encode("utf-8", "replace").decode()
