"""Items as they travel: what a delivery claims, what the database decided, and what is kept of the attempt."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from shared.errors import OutcomeName

Decision = Literal["run", "rest", "cached", "known", "done", "cancelled", "dead", "unknown"]


@dataclass(frozen=True)
class ClaimRequest:
    """One delivery of one item. The holder is the delivery's own id: its fence and its receipt.

    `content`: the hash of what the work found its input to be, when it is ready to pay for it. `missed`: how many slots
    went by before its call could leave.
    """

    item_id: UUID
    holder: UUID
    content: str | None = None
    missed: int = 0

    def as_json(self) -> dict[str, str]:
        known = {"content": self.content} if self.content else {}
        return {"item_id": str(self.item_id), "holder": str(self.holder), **known}


@dataclass(frozen=True)
class Claim:
    """What claim_v1 decided. `wait`: seconds until the metered call may go out (run), or until coming back (rest)."""

    item_id: UUID
    holder: UUID
    decision: Decision
    reason: str | None = None
    wait: float = 0.0
    attempt: int = 0
    input: Mapping[str, Any] = field(default_factory=dict)
    memo: Mapping[str, Any] = field(default_factory=dict)
    validators: Mapping[str, Any] = field(default_factory=dict)
    batch_id: UUID | None = None
    domain: str | None = None
    input_key: str | None = None
    # On the database's clock: since when `wait` counts. How long the quota rests from then on.
    moment: float = 0.0
    quota_rests: float = 0.0
    # A row of the operator's backlog, which will not offer it again.
    from_backlog: bool = False

    @staticmethod
    def of(row: Mapping[str, Any]) -> "Claim":
        """From a row of claim_v1."""
        batch_id = row["batch_id"]
        return Claim(
            item_id=UUID(row["item_id"]),
            holder=UUID(row["holder"]),
            decision=row["decision"],
            reason=row["reason"],
            wait=row["wait"] or 0.0,
            attempt=row["attempt"] or 0,
            input=row["input"] or {},
            memo=row["memo"] or {},
            validators=row["validators"] or {},
            batch_id=UUID(batch_id) if batch_id else None,
            domain=row["domain"],
            input_key=row["input_key"],
            moment=row["moment"],
            quota_rests=row["quota_rests"] or 0.0,
            from_backlog=bool(row["from_backlog"]),
        )


@dataclass(frozen=True)
class Spent:
    """What an attempt cost. `estimated`: some of it is not known, and what was reserved for it stands there instead."""

    model_calls: int = 0
    tokens_in: int = 0
    tokens_out: int = 0
    cost_usd: float = 0.0
    estimated: bool = False

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(
            self.model_calls + other.model_calls,
            self.tokens_in + other.tokens_in,
            self.tokens_out + other.tokens_out,
            round(self.cost_usd + other.cost_usd, 8),
            self.estimated or other.estimated,
        )


@dataclass(frozen=True)
class Ended:
    """How an attempt ended, as keep_v1 takes it."""

    item_id: UUID
    holder: UUID
    outcome: OutcomeName
    reason: str | None = None
    error: str | None = None
    rest_seconds: float | None = None
    # False: a deferral of our own doing, which counts towards no limit.
    counted: bool = True
    memo: Mapping[str, Any] = field(default_factory=dict)
    validators: Mapping[str, Any] | None = None
    unchanged: UUID | None = None
    result: Mapping[str, Any] | None = None
    spent: Spent = Spent()
    reserved: int = 0
    seconds: float = 0.0
    upstreams: Mapping[str, bool] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """All keys in every row: PostgREST and jsonb_populate_record want rows alike."""
        return {
            "item_id": str(self.item_id),
            "holder": str(self.holder),
            "outcome": self.outcome,
            "reason": self.reason,
            "error": self.error,
            "rest_seconds": self.rest_seconds,
            "counted": self.counted,
            "memo": dict(self.memo),
            "validators": dict(self.validators) if self.validators is not None else None,
            "unchanged": str(self.unchanged) if self.unchanged else None,
            "result": dict(self.result) if self.result is not None else None,
            "model_calls": self.spent.model_calls,
            "tokens_in": self.spent.tokens_in,
            "tokens_out": self.spent.tokens_out,
            "cost_usd": self.spent.cost_usd,
            "estimated": self.spent.estimated,
            "reserved": self.reserved,
            "seconds": round(self.seconds, 4),
            "upstreams": dict(self.upstreams),
        }


@dataclass(frozen=True)
class Kept:
    """What keep_v1 made of it. Not accepted: another delivery's result came first, or the item is not ours any more."""

    item_id: UUID
    accepted: bool
    state: str
    attempts: int

    @staticmethod
    def of(row: Mapping[str, Any]) -> "Kept":
        return Kept(UUID(row["item_id"]), row["accepted"], row["state"], row["attempts"])
