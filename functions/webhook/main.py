"""webhook: tell whoever sent a batch that it has ended.

queue "webhooks" -> WebhookItem -> webhook_v1 (where to, the secret) -> sign -> POST, guarded -> "webhook_deliveries"
"""

import time
from datetime import UTC, datetime
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from functions.webhook.webhook import WebhookRow, body_of, headers_of, later_or_never, verdict
from shared.errors import DomainFailed, Skipped
from shared.handler import item_handler
from shared.services import Services


class WebhookItem(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    batch_id: UUID
    round: int
    url: str


@item_handler(WebhookItem, version="webhook-1")
async def handle(item: WebhookItem, services: Services) -> WebhookRow:
    found = await services.read("webhook_v1", batch_id=str(item.batch_id))
    # Opened again before it was told: its next end is told instead.
    if not found or found[0]["round"] != item.round or found[0]["finished_at"] is None:
        raise Skipped("overtaken", f"Batch {item.batch_id} does not stand at its end number {item.round} any more.")
    (told,) = found
    body = body_of(told, item.round)
    headers = headers_of(told["secret"], body, delivery=str(services.claim.item_id), moment=int(time.time()))
    try:
        answer = await services.post(told["url"], body, headers)
    except DomainFailed as error:
        raise later_or_never(services.memo, error.detail, None, datetime.now(UTC)) from error
    return verdict(answer, told["url"], item.batch_id, item.round, services.memo, datetime.now(UTC))
