"""Submissions: what may be asked for in a batch, as JSON or as JSON lines.

application/json       {"function", "items" | "source": "backlog", ...} -> Submission -> its items, chunk by chunk
application/x-ndjson   ?function=...&priority=...  one item a line, read as it comes -> its items, chunk by chunk
"""

import hashlib
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeVar

from fastapi import Query
from fastapi.exceptions import RequestValidationError
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    StrictBool,
    StrictInt,
    ValidationError,
    model_validator,
)

from functions.api.limits import storable
from functions.api.moments import Moment
from functions.api.problems import Problem
from shared.addresses import special_kind
from shared.dialling import check_port
from shared.errors import Rejected
from shared.store import ROWS_PER_CALL
from shared.urls import host_of, parse

MOST_ITEMS = 10_000
MOST_LINES = 50_000
MOST_LINE_BYTES = 1_000_000
# An index holds it, and an entry of one has at most 2,704 bytes.
MOST_CUSTOM_ID = 200
Row = dict[str, Any]
Priority = Literal["normal", "low"]
Model = TypeVar("Model", bound=BaseModel)


def told_to(address: str) -> str:
    """An address that may be called when a batch ends. Where its name leads is checked when it is called."""
    try:
        url = parse(address)
        check_port(host_of(url), url.port or 443)
    except Rejected as refused:
        raise ValueError(refused.detail) from refused
    if url.scheme != "https":
        raise ValueError("a webhook is called over https alone")
    try:
        kind = special_kind(host_of(url))
    except ValueError:
        kind = None
    if kind:
        raise ValueError(f"{host_of(url)} is not a public address but {kind}")
    return address


def told_options(text: str) -> Row:
    """The options of an upload. Raises ValueError."""
    try:
        options = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError("options must be a JSON object") from error
    if not isinstance(options, dict):
        raise TypeError("options must be a JSON object")
    return options


def enlistable(given: Row) -> Row:
    """An input that can be enlisted, or options that go into each. Raises ValueError."""
    if len(str(storable(given).get("custom_id"))) > MOST_CUSTOM_ID:
        raise ValueError(f"custom_id has at most {MOST_CUSTOM_ID} characters")
    return given


WebhookUrl = Annotated[
    str,
    Field(max_length=2083, description="https address that is told when the batch has ended; see docs/webhooks.md"),
    AfterValidator(told_to),
]
Deadline = Annotated[Moment, Field(description="What still waits then is cancelled, and the batch ends as expired")]
Options = Annotated[Row, AfterValidator(enlistable)]
Item = Annotated[
    Row,
    AfterValidator(enlistable),
    Field(
        json_schema_extra={
            "properties": {
                "custom_id": {
                    "description": "Your own name for the item, kept as text",
                    "maxLength": MOST_CUSTOM_ID,
                }
            }
        }
    ),
]


class Order(BaseModel):
    """What holds for a whole batch, however its items come."""

    model_config = ConfigDict(extra="forbid")

    function: str = Field(description="Which function works on the items", examples=["article"], max_length=100)
    options: Options = Field(
        default_factory=dict,
        description='"fresh": true works anew where a result is still young; all else goes into every item',
        examples=[{"fresh": True}],
    )
    priority: Priority = Field(
        "normal", description="low: only what the quota has left over from batches of normal priority"
    )
    deadline: Deadline | None = None
    webhook_url: WebhookUrl | None = None
    webhook_secret: str | None = Field(
        None, min_length=16, max_length=200, pattern=r"^[\x21-\x7e]+$",
        description="Signs what the webhook is sent; left out: one is made, and told in the answer",
    )  # fmt: skip

    @model_validator(mode="after")
    def _secret_of_a_webhook(self) -> "Order":
        if self.webhook_secret and not self.webhook_url:
            raise ValueError("webhook_secret goes with webhook_url")
        return self


class Submission(Order):
    """Items, or a function's backlog."""

    items: Annotated[list[Item], Field(min_length=1, max_length=MOST_ITEMS)] | None = Field(
        None,
        description='The inputs, each with a "custom_id" of your own if you like',
        examples=[[{"url": "https://example.com/story", "custom_id": "story-1"}]],
    )
    source: Literal["backlog"] | None = Field(None, description="Take the items from the function's backlog")
    limit: StrictInt = Field(500, ge=1, le=1_000_000, description="So many of the backlog at most")
    dry_run: StrictBool = Field(default=False, description="Only tell what a run over the backlog would do")

    @model_validator(mode="after")
    def _one_source(self) -> "Submission":
        if (self.items is None) == (self.source is None):
            raise ValueError('send either "items" or "source": "backlog"')
        if self.dry_run and self.items is not None:
            raise ValueError("dry_run is for a backlog")
        return self


class Upload(BaseModel):
    """The query of an upload of JSON lines."""

    function: Annotated[str | None, Query(description="For JSON lines: which function", max_length=100)] = None
    options: Annotated[str | None, Query(description="For JSON lines: options, as JSON", max_length=10_000)] = None
    priority: Annotated[Priority | None, Query(description="For JSON lines")] = None
    deadline: Annotated[Moment | None, Query(description="For JSON lines")] = None
    webhook_url: Annotated[str | None, Query(description="For JSON lines", max_length=2083)] = None


@dataclass(frozen=True)
class Wanted:
    """An order, a digest over all of it, and the Idempotency-Key it came with."""

    order: Order
    digest: str
    key: str | None


@dataclass(frozen=True)
class Chunk:
    """So many items at once; `place` from 1 on, `digest` over all items up to here."""

    place: int
    digest: str
    items: Sequence[Row]


def read_submission(body: bytes) -> Submission:
    """Raises RequestValidationError, Problem 422."""
    try:
        return validated(Submission, json.loads(body))
    except RecursionError as error:
        raise Problem(422, "body: the JSON is nested too deeply") from error
    except ValueError as error:
        raise Problem(422, f"body: this is not JSON ({error})") from error


def read_upload(query: Upload) -> Order:
    """The order of an upload. Raises RequestValidationError."""
    given = query.model_dump(exclude_none=True)
    if query.options is not None:
        try:
            given["options"] = told_options(query.options)
        except (TypeError, ValueError) as error:
            raise Problem(422, f"options: {error}") from error
    return validated(Order, given)


def validated(model: type[Model], given: Any) -> Model:
    try:
        return model.model_validate(given)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise RequestValidationError([{**one, "loc": ("body", *one["loc"])} for one in found]) from error


async def lines_of(stream: AsyncIterator[bytes]) -> AsyncIterator[Row]:
    """The items of an upload, as they come. Raises Problem 422 that names the line."""
    rest, number = b"", 0
    async for piece in stream:
        *lines, rest = (rest + piece).split(b"\n")
        for line in lines:
            number += 1
            if line.strip():
                yield item_of(line, number)
        if len(rest) > MOST_LINE_BYTES:
            raise Problem(422, f"line {number + 1}: an item has at most {MOST_LINE_BYTES:,} bytes")
    if rest.strip():
        yield item_of(rest, number + 1)


def item_of(line: bytes, number: int) -> Row:
    try:
        given = json.loads(line)
        if isinstance(given, dict):
            return enlistable(given)
    except ValueError as error:
        raise Problem(422, f"line {number}: {error}") from error
    except RecursionError as error:
        raise Problem(422, f"line {number}: the JSON is nested too deeply") from error
    raise Problem(422, f'line {number}: each line is a JSON object, such as {{"url": "https://example.com/story"}}')


async def listed(items: Sequence[Row]) -> AsyncIterator[Row]:
    for item in items:
        yield item


async def chunked(items: AsyncIterator[Row], *, most: int) -> AsyncIterator[Chunk]:
    """Raises Problem 422 for more than `most` items, or none."""
    place, count, digest, waiting = 0, 0, "", list[Row]()
    async for item in items:
        count += 1
        if count > most:
            raise Problem(422, f"Send at most {most:,} items in one batch.")
        waiting.append(item)
        if len(waiting) == ROWS_PER_CALL:
            place, digest = place + 1, digest_of([digest, waiting])
            yield Chunk(place, digest, waiting)
            waiting = []
    if waiting:
        yield Chunk(place + 1, digest_of([digest, waiting]), waiting)
    if not count:
        raise Problem(422, "There is no item in it: send one JSON object a line.")


def wanted(order: Order, key: str | None) -> Wanted:
    """Items are left out of the digest: those are compared chunk by chunk as they come."""
    return Wanted(order, digest_of(order.model_dump(mode="json", exclude={"items"})), key)


def digest_of(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()
