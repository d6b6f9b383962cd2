"""What a webhook says, how it is signed, and what follows from its receiver's answer.

2xx -> WebhookRow | 410, 3xx -> Rejected | all else -> Deferred, later and later, for a day; then Rejected
"""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from shared.errors import Deferred, Outcome, Rejected
from shared.pages import Posted

# Seconds until the next try: after the first, the second ... About 28 hours in all.
WAITS = (10, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 43200)
COUNTS = ("total", "waiting", "running", "done", "skipped", "dead", "cancelled", "cached")


class WebhookRow(BaseModel):
    batch_id: UUID
    round: int
    url: str
    status: int


def body_of(told: Mapping[str, Any], end: int) -> bytes:
    """The message, from a row of webhook_v1. Its `id` is the same for each try: receivers know it again by that."""
    batch = told["batch"]
    message = {
        "id": f"{batch['id']}:{end}",
        "type": "batch.ended",
        "batch": {
            "id": batch["id"],
            "function": batch["function"],
            "state": batch["state"],
            "counts": {name: batch[name] for name in COUNTS},
            "cost_usd": float(batch["cost_usd"]),
            "created_at": batch["created_at"],
            "finished_at": batch["finished_at"],
            "links": {"self": f"/v3/batches/{batch['id']}", "results": f"/v3/batches/{batch['id']}/results"},
        },
    }
    return json.dumps(message, separators=(",", ":")).encode()


def headers_of(secret: str, body: bytes, *, delivery: str, moment: int) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "X-Piecework-Delivery": delivery,
        "X-Piecework-Signature": f"t={moment},v1={signature(secret, body, moment)}",
    }


def signature(secret: str, body: bytes, moment: int) -> str:
    """HMAC-SHA256 over the moment too, so that an old message cannot be sent again as a new one."""
    return hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()


def verdict(  # noqa: PLR0913
    answer: Posted, url: str, batch_id: UUID, end: int, memo: Mapping[str, Any], now: datetime
) -> WebhookRow:
    """Raises Rejected, Deferred."""
    if 200 <= answer.status < 300:
        return WebhookRow(batch_id=batch_id, round=end, url=url, status=answer.status)
    if answer.status == 410:
        raise Rejected("gone", f"{url} answered 410: it wants to hear no more.")
    if 300 <= answer.status < 400:
        raise Rejected("redirected", f"{url} answered {answer.status}: name the address it should be.")
    raise later_or_never(memo, f"{url} answered {answer.status}.", answer.retry_after, now)


def later_or_never(memo: Mapping[str, Any], why: str, asked: timedelta | None, now: datetime) -> Outcome:
    """The next try: when its turn is, or later where the receiver asked for that; none after the last."""
    tries = int(memo.get("tries", 0))
    if tries >= len(WAITS):
        return Rejected("undelivered", f"{why} That was try {tries + 1}, the last.")
    wait = max(timedelta(seconds=WAITS[tries]), min(asked or timedelta(), timedelta(hours=12)))
    return Deferred(now + wait, "not_taken", why, memo={"tries": tries + 1})
