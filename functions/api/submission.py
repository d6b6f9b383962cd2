"""Submissions: what may be asked for in a batch, as JSON or as JSON lines.

application/json       {"function", "items" | "source": "backlog", ...} -> Submission
application/x-ndjson   ?function=...&priority=...  one item a line -> Order
"""

import json
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

from functions.api.bodies import Body, Places
from functions.api.limits import MOST_CUSTOM_ID, enlistable
from functions.api.moments import Moment
from functions.api.problems import Problem
from shared.dialling import check_host
from shared.errors import Rejected
from shared.urls import DEFAULT_PORTS, host_of, parse

MOST_ITEMS = 10_000
MOST_LINES = 50_000
Row = dict[str, Any]
Priority = Literal["normal", "low"]
Model = TypeVar("Model", bound=BaseModel)


def told_to(address: str) -> str:
    """An address that may be called when a batch ends. Where its name leads is checked when it is called."""
    try:
        url = parse(address)
        check_host(host_of(url), url.port or DEFAULT_PORTS[url.scheme])
    except Rejected as refused:
        raise ValueError(refused.detail) from refused
    if url.scheme != "https":
        raise ValueError("a webhook is called over https alone")
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
    """An order, the body that it came in or with, and its Idempotency-Key."""

    order: Order
    body: Body
    key: str | None


def read_submission(members: Any, places: Places) -> Submission:
    """The order in a JSON body. Its items stand at `places` and are left out. Raises RequestValidationError."""
    return validated(Submission, {**members, "items": [{}]} if places else members)


def read_upload(query: Upload) -> Order:
    """The order of an upload. Raises RequestValidationError, Problem 422."""
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
