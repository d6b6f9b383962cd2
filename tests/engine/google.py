"""Looking into Cloud Tasks and Pub/Sub with Google's own clients."""

import json
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import grpc
from google.cloud.tasks_v2 import CloudTasksClient, Task
from google.cloud.tasks_v2.services.cloud_tasks.transports import CloudTasksGrpcTransport
from google.pubsub_v1 import PublisherClient, SubscriberClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

PROJECT, LOCATION = "piecework-local", "local"
PARENT = f"projects/{PROJECT}/locations/{LOCATION}"


@dataclass(frozen=True)
class Waiting:
    """A task in its queue."""

    item_id: UUID
    url: str
    at: datetime
    headers: dict[str, str]
    audience: str
    deadline_seconds: float


class Tasks:
    def __init__(self, port: int) -> None:
        self.port = port
        self._client = CloudTasksClient(
            transport=CloudTasksGrpcTransport(channel=grpc.insecure_channel(f"127.0.0.1:{port}"))
        )

    def waiting(self, quota: str = "probe") -> list[Waiting]:
        """The tasks of a queue."""
        request = {"parent": self._path(quota), "response_view": Task.View.FULL}
        return [read(task) for task in self._client.list_tasks(request=request)]

    def clear(self) -> None:
        for queue in self._client.list_queues(parent=PARENT):
            if queue.state.name != "PAUSED":
                self._client.pause_queue(name=queue.name)
            for task in self._client.list_tasks(parent=queue.name):
                self._client.delete_task(name=task.name)

    def deliver(self, quota: str = "probe") -> None:
        """From now on its tasks are dispatched."""
        self._client.resume_queue(name=self._path(quota))

    def _path(self, quota: str) -> str:
        return f"{PARENT}/queues/{quota}"


def read(task: Task) -> Waiting:
    http = task.http_request
    return Waiting(
        UUID(json.loads(http.body)["item_id"]),
        http.url,
        task.schedule_time.astimezone(UTC),
        dict(http.headers),
        http.oidc_token.audience,
        task.dispatch_deadline.total_seconds(),
    )


class Topic:
    """The topic "fanout", seen through a subscription of our own."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._name, topic = f"projects/{PROJECT}/subscriptions/watch", f"projects/{PROJECT}/topics/fanout"
        channel = grpc.insecure_channel(f"127.0.0.1:{port}")
        self._subscriber = SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
        PublisherClient(transport=PublisherGrpcTransport(channel=channel)).create_topic(name=topic)
        self._subscriber.create_subscription(name=self._name, topic=topic)

    def messages(self) -> list[dict[str, Any]]:
        """What was published since the last look."""
        return [json.loads(message.data) for message in self.received()]

    def received(self) -> list[Any]:
        """The same with attributes."""
        found = []
        while received := self._pull():
            self._subscriber.acknowledge(subscription=self._name, ack_ids=[one.ack_id for one in received])
            found += [one.message for one in received]
        return found

    def _pull(self) -> Any:
        with warnings.catch_warnings():
            # Deprecated, and the only way not to wait where there is nothing.
            warnings.simplefilter("ignore", DeprecationWarning)
            answer = self._subscriber.pull(subscription=self._name, max_messages=100, return_immediately=True)
        return answer.received_messages
