"""Shapes: what the API answers with, as its OpenAPI document tells it."""

from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, Field

BatchState = Literal["accepted", "running", "completed", "completed_with_errors", "cancelling", "cancelled", "expired"]
ItemState = Literal["waiting", "running", "done", "skipped", "dead", "cancelled"]
ITEM_ID = "0199a7c2-4f00-7000-8000-000000000001"


class Counts(BaseModel):
    """How many of a batch's items are in each state."""

    waiting: int
    running: int
    done: int
    skipped: int
    dead: int
    cancelled: int


class Links(BaseModel):
    """Where to go from here."""

    self: str
    results: str
    items: str
    cancel: str
    retry_failed: str = Field(alias="retry-failed")


class Webhook(BaseModel):
    """Who is told of the end, and how that went."""

    url: str
    state: ItemState
    attempts: int
    error: str | None = None
    secret: str | None = Field(None, description="Only in the answer to the submission")


class Batch(BaseModel):
    """A batch and how far it is."""

    id: UUID
    function: str
    source: Literal["items", "backlog"]
    state: BatchState = Field(
        description="accepted: items still come in; running; cancelling: what runs is still ending; the rest are ends"
    )
    priority: Literal["normal", "low"]
    total: int
    counts: Counts
    cached: int = Field(description="Done with an earlier result, which cost nothing")
    duplicates: int = Field(description="Items that were in the batch already")
    tokens_in: int
    tokens_out: int
    cost_usd: float
    created_at: datetime
    deadline: datetime | None
    finished_at: datetime | None
    rate_per_minute: float = Field(description="Items that ended in the last minute")
    eta_seconds: int | None
    webhook: Webhook | None
    links: Links


class Retried(Batch):
    """The batch, and how many of its items wait again."""

    retried: int


class BatchPage(BaseModel):
    batches: list[Batch]
    next_cursor: UUID | None


class Estimate(BaseModel):
    """What a run over a backlog would do."""

    dry_run: Literal[True]
    function: str
    would_enlist: int
    queue: str
    requests_per_minute: float
    estimated_seconds: int


class Item(BaseModel):
    """One item, without its result."""

    item_id: UUID
    batch_id: UUID
    function: str
    custom_id: str | None
    input: dict[str, Any]
    input_cut: bool = Field(False, description="The input is long: these are its shortest members; see the item alone")
    domain: str | None
    state: ItemState
    reason: str | None
    error: str | None
    attempts: int
    created_at: datetime
    finished_at: datetime | None


class ItemPage(BaseModel):
    items: list[Item]
    next_cursor: UUID | None


class Attempt(BaseModel):
    """How one attempt ended."""

    attempt: int
    outcome: Literal["done", "skipped", "dead", "deferred", "overloaded", "failed"]
    reason: str | None
    error: str | None
    seconds: float | None
    model_calls: int
    tokens_in: int
    tokens_out: int
    cost_usd: float
    estimated: bool = Field(description="The model was asked and did not answer: what was reserved counts as spent")
    ended_at: datetime


class ItemDetails(Item):
    """One item with its attempts and its result."""

    deferrals: int
    cached: bool
    tokens_in: int
    tokens_out: int
    cost_usd: float
    estimated_usd: float = Field(description="Of cost_usd: what was reserved for calls that were never answered")
    not_before: datetime | None
    discarded_at: datetime | None
    history: list[Attempt]
    result: dict[str, Any] | None


class Result(BaseModel):
    """An item of a batch and its row."""

    item_id: UUID
    custom_id: str | None
    input: dict[str, Any]
    input_cut: bool = Field(False, description="The input is long: these are its shortest members; see the item alone")
    state: ItemState
    reason: str | None
    error: str | None
    attempts: int
    cached: bool
    tokens_in: int
    tokens_out: int
    cost_usd: float
    not_before: datetime | None
    finished_at: datetime | None
    result: dict[str, Any] | None


class ResultPage(BaseModel):
    results: list[Result]
    next_cursor: UUID | None


class DeadLetterPage(BaseModel):
    dead_letters: list[Item]
    next_cursor: UUID | None


class Replayed(BaseModel):
    replayed: int
    goes_on: bool = Field(description="There may be more: send the same once more")


class Discarded(BaseModel):
    discarded: int
    goes_on: bool = Field(description="There may be more: send the same once more")


class Bucket(BaseModel):
    """One limit, and where it stands."""

    bucket: Literal["all", "submit", "status", "results"]
    per_minute: int
    remaining: int
    reset_seconds: float = Field(description="Until it is full again")
    refused: int = Field(description="Requests that were turned away so far")


class RateLimits(BaseModel):
    tier: str
    limits: list[Bucket]


class Blocked(BaseModel):
    address: str
    misses: int
    retry_seconds: float


class BlockedAddresses(BaseModel):
    blocked: list[Blocked]


class Deed(BaseModel):
    """Something somebody did to items, or to a key and its batches."""

    id: UUID
    at: datetime
    key_id: UUID | None
    action: Literal["cancel", "retry_failed", "replay", "discard", "revoke"]
    target: dict[str, Any]
    affected: int


class Audit(BaseModel):
    deeds: list[Deed]
    next_cursor: UUID | None
