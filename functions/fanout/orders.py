"""Orders: what a Pub/Sub message asks of the fan-out.

{"batch_id": "..."}                                     give every item of a batch its task (from the API)
{"function": "article", "limit": 500}                   enlist a backlog, then the same (from the scheduler)
{"function": "article", "limit": 500, "dry_run": true}  tell what that would do
{"sweep": true}                                         put back what was lost
"""

import base64
import binascii
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Any, Literal
from uuid import UUID, uuid5

from pydantic import BaseModel, ConfigDict, Field, ValidationError

BACKLOG_RUNS = UUID("7f0c5a53-93c1-4f0e-9f5d-2f4b1f2f6a10")


class _Order(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class FanBatch(_Order):
    """Give the items of a batch their tasks. `after`: go on behind this item."""

    batch_id: UUID
    after: UUID | None = None


class FanBacklog(_Order):
    """Enlist up to `limit` rows of a function's backlog into a batch and give them their tasks."""

    function: str
    limit: Annotated[int, Field(ge=1, le=1_000_000)] = 500
    dry_run: bool = False
    options: dict[str, Any] = {}
    batch_id: UUID | None = None


class Sweep(_Order):
    """Find items whose task was lost and give them a new one."""

    sweep: Literal[True]


Order = FanBatch | FanBacklog | Sweep


def kind_of(content: Any) -> type[Order]:
    """By the word it has, so that what is wrong is told of the order that was meant."""
    return Sweep if "sweep" in content else FanBacklog if "function" in content else FanBatch


class BadOrder(ValueError):
    """The message is none of the above."""


@dataclass(frozen=True)
class Push:
    """One Pub/Sub push: which message, what it asks, and the trace it belongs to."""

    message_id: str
    order: Order
    traceparent: str | None = None
    published_at: str = ""


def run_id(push: Push) -> UUID:
    """The id of the batch that a run over a backlog makes: the same one for a message that comes twice.

    A UUID of version 7, from when the message was published, so that batches by their ids are batches by their age.
    """
    drawn = uuid5(BACKLOG_RUNS, push.message_id)
    try:
        milliseconds = int(datetime.fromisoformat(push.published_at).timestamp() * 1000)
    except (ValueError, OverflowError):
        return drawn
    if not 0 <= milliseconds < 1 << 48:
        return drawn
    return UUID(
        int=milliseconds << 80 | 7 << 76 | (drawn.int >> 64 & 0xFFF) << 64 | 2 << 62 | drawn.int & (1 << 62) - 1
    )


def read_push(body: bytes) -> Push:
    """From the wrapped push body. Raises BadOrder with what is wrong."""
    try:
        message: Any = json.loads(body)["message"]
        content = json.loads(base64.b64decode(message["data"], validate=True))
        traceparent = (message.get("attributes") or {}).get("traceparent")
        order = kind_of(content).model_validate(content)
        message_id = str(message["messageId"])
        message_id.encode()
        trace = traceparent if isinstance(traceparent, str) else None
        return Push(message_id, order, trace, str(message.get("publishTime") or ""))
    except ValidationError as error:
        problem = error.errors(include_url=False, include_input=False)[0]
        raise BadOrder(f"{'.'.join(map(str, problem['loc'])) or 'order'}: {problem['msg']}") from error
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError, binascii.Error) as error:
        raise BadOrder(
            'the body must be a Pub/Sub push: {"message": {"messageId": ..., "data": <base64 of JSON>}}'
        ) from error
