"""Messages to the fan-out over Pub/Sub."""

import json
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from shared.channels import Reopening, channel
from shared.errors import Failed
from shared.settings import Settings
from shared.tracing import current, span

if TYPE_CHECKING:
    from google.pubsub_v1 import PublisherAsyncClient

SECONDS = 20.0
# By default the client would try for a minute: longer than a caller of the API waits.
RETRY_SECONDS = 3.0


class TopicDown(Failed):
    """Pub/Sub did not take the message."""


class Messages:
    """A Pub/Sub publisher, made at the first message."""

    def __init__(self, settings: Settings, now: Callable[[], float] = time.monotonic) -> None:
        self._settings = settings
        self._client: Reopening[PublisherAsyncClient] = Reopening(self._open, now)

    async def publish(self, message: Mapping[str, Any]) -> None:
        """Return once the topic has it. Raises TopicDown."""
        from google.api_core.exceptions import GoogleAPIError  # noqa: PLC0415 - heavy, not for the first answer
        from google.api_core.retry_async import AsyncRetry  # noqa: PLC0415

        topic = self._topic()
        from google.pubsub_v1 import PubsubMessage  # noqa: PLC0415

        try:
            with span("publish", "producer", messaging__destination__name=self._settings.fanout_topic):
                body = PubsubMessage(data=json.dumps(message).encode(), attributes={"traceparent": current() or ""})
                client = await self._client.get()
                await client.publish(
                    topic=topic, messages=[body], retry=AsyncRetry(timeout=RETRY_SECONDS), timeout=SECONDS
                )
        except GoogleAPIError as error:
            raise TopicDown("topic_down", f"Pub/Sub did not take a message for {topic}: {error}") from error

    async def check(self) -> str:
        """ok, once Pub/Sub has answered for the topic. Raises TopicDown."""
        from google.api_core.exceptions import GoogleAPIError, PermissionDenied  # noqa: PLC0415

        try:
            client = await self._client.get()
            await client.get_topic(topic=self._topic(), retry=None, timeout=SECONDS)
        except PermissionDenied:
            # It answered. Who may publish need not be allowed to look.
            return "ok"
        except GoogleAPIError as error:
            raise TopicDown("topic_down", f"Pub/Sub does not tell of {self._topic()}: {error}") from error
        return "ok"

    def _topic(self) -> str:
        return f"projects/{self._settings.project_id}/topics/{self._settings.fanout_topic}"

    def _open(self) -> "PublisherAsyncClient":
        # The generated async client: the hand-written one brings threads and batching that nothing here needs.
        from google.pubsub_v1 import PublisherAsyncClient  # noqa: PLC0415
        from google.pubsub_v1.services.publisher.transports import PublisherGrpcAsyncIOTransport  # noqa: PLC0415

        return PublisherAsyncClient(transport=channel(self._settings.pubsub_endpoint, PublisherGrpcAsyncIOTransport))
