"""What the engine relies on of Cloud Tasks."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from shared.manifest import Manifest
from shared.queue import Delivery, Queue, QueueDown
from shared.settings import Settings


def function(queue: str) -> Manifest:
    return Manifest(
        name="article", kind="item", quota=queue, table="t", backlog=None, url_field="url", model=None,
        reserve_tokens=0, max_output_tokens=8192, max_attempts=3,
    prepares=False, patience_seconds=3, ready_patience_seconds=15,
    cache_days=1, work_seconds=30, timeout_seconds=60,
        lease_seconds=90, dispatch_deadline_seconds=75,
    )  # fmt: skip


async def test_many_tasks_are_put_at_once_and_the_queue_is_not_empty(tasks_settings: tuple[Settings, str]):
    settings, name = tasks_settings
    queue = Queue(settings)
    deliveries = [Delivery(uuid4(), function(name)) for _ in range(20)]

    taken = await queue.put_all(deliveries)

    assert sorted(taken) == sorted(one.item_id for one in deliveries)
    assert not await queue.is_empty(name)


async def test_a_task_may_be_for_later_up_to_thirty_days(tasks_settings: tuple[Settings, str]):
    settings, name = tasks_settings

    await Queue(settings).put(Delivery(uuid4(), function(name), datetime.now(UTC) + timedelta(days=29)))

    with pytest.raises(QueueDown, match="did not take"):
        await Queue(settings).put(Delivery(uuid4(), function(name), datetime.now(UTC) + timedelta(days=31)))


async def test_a_queue_that_is_not_there_is_told_by_its_path(tasks_settings: tuple[Settings, str]):
    settings, _ = tasks_settings

    with pytest.raises(QueueDown, match="queues/no-such-queue"):
        await Queue(settings).put(Delivery(uuid4(), function("no-such-queue")))


async def test_the_state_of_a_queue_is_one_word(tasks_settings: tuple[Settings, str]):
    settings, name = tasks_settings

    assert await Queue(settings).state(name) in {"running", "paused"}
