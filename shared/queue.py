"""The queue: puts items into Cloud Tasks, many at once, bounded.

The queue's name is the quota's. A task carries {"item_id"} and, where one is known, the trace it belongs to.
"""

import asyncio
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

from shared.channels import Reopening, channel
from shared.errors import Failed
from shared.loading import load
from shared.manifest import Manifest
from shared.settings import Settings

if TYPE_CHECKING:
    from google.cloud.tasks_v2 import CloudTasksAsyncClient

AT_ONCE = 64
SECONDS = 20.0


class QueueDown(Failed):
    """Cloud Tasks did not take the task."""


@dataclass(frozen=True)
class Delivery:
    """One task to be: which item, for which function, not before when."""

    item_id: UUID
    function: Manifest
    at: datetime | None = None
    traceparent: str | None = None


class Queue:
    """A Cloud Tasks client, made at the first task."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._client: Reopening[CloudTasksAsyncClient] = Reopening(self._open, now)
        self._room = asyncio.Semaphore(AT_ONCE)

    async def put(self, delivery: Delivery) -> None:
        """Return once the queue has the task. Raises QueueDown."""
        await load("google.cloud.tasks_v2")
        from google.api_core.exceptions import GoogleAPICallError  # noqa: PLC0415 - heavy, and rarely needed

        async with self._room:
            try:
                client = await self._client.get()
                await client.create_task(request=self._request(delivery), timeout=SECONDS)
            except GoogleAPICallError as error:
                raise QueueDown("queue_down", self._what_to_do(delivery, error)) from error

    async def put_all(self, deliveries: Sequence[Delivery]) -> list[UUID]:
        """Put many; the items whose task is in. Raises QueueDown when none is."""
        answers = await asyncio.gather(*(self.put(one) for one in deliveries), return_exceptions=True)
        taken = [one.item_id for one, answer in zip(deliveries, answers, strict=True) if answer is None]
        failures = [answer for answer in answers if isinstance(answer, BaseException)]
        if failures and not taken:
            raise failures[0]
        return taken

    async def is_empty(self, quota: str) -> bool:
        """Does the queue hold no task at all? Then every item that waits for it has lost its task."""
        request = {"parent": self.path(quota), "page_size": 1}
        return not (await self._asked("list_tasks", request=request)).tasks

    async def state(self, quota: str) -> str:
        """running, paused or disabled, as Cloud Tasks says."""
        queue = await self._asked("get_queue", name=self.path(quota))
        return str(queue.state.name).lower()

    def path(self, quota: str) -> str:
        at = self._settings
        return f"projects/{at.project_id}/locations/{at.location}/queues/{at.queue_prefix}{quota}"

    async def _asked(self, method: str, **request: Any) -> Any:
        from google.api_core.exceptions import GoogleAPICallError  # noqa: PLC0415

        try:
            return await getattr(await self._client.get(), method)(retry=None, timeout=SECONDS, **request)
        except GoogleAPICallError as error:
            raise QueueDown("queue_down", f"Cloud Tasks does not tell of its queue: {error}") from error

    def _open(self) -> "CloudTasksAsyncClient":
        from google.cloud.tasks_v2 import CloudTasksAsyncClient  # noqa: PLC0415 - heavy, and rarely needed
        from google.cloud.tasks_v2.services.cloud_tasks.transports import (  # noqa: PLC0415
            CloudTasksGrpcAsyncIOTransport,
        )

        return CloudTasksAsyncClient(transport=channel(self._settings.tasks_endpoint, CloudTasksGrpcAsyncIOTransport))

    def _request(self, delivery: Delivery) -> dict[str, Any]:
        url = self._settings.url_of(delivery.function.name)
        headers = {"Content-Type": "application/json"}
        if delivery.traceparent:
            headers["traceparent"] = delivery.traceparent
        task: dict[str, Any] = {
            "http_request": {
                "url": url,
                "http_method": "POST",
                "headers": headers,
                "body": json.dumps({"item_id": str(delivery.item_id)}).encode(),
                "oidc_token": {
                    "service_account_email": self._settings.tasks_service_account,
                    "audience": url,
                },
            },
            "dispatch_deadline": {"seconds": int(delivery.function.dispatch_deadline_seconds)},
        }
        if delivery.at is not None:
            task["schedule_time"] = delivery.at
        return {"parent": self.path(delivery.function.quota or ""), "task": task}

    def _what_to_do(self, delivery: Delivery, error: Exception) -> str:
        return f"Cloud Tasks did not take a task for {self.path(delivery.function.quota or '')}: {error}"
