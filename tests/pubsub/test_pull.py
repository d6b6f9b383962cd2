"""Subscriptions that are pulled: leases, acknowledgements, order, streams."""

import asyncio

import pytest
from google.api_core.exceptions import FailedPrecondition
from google.cloud import pubsub_v1

from local.pubsub.broker import Bell

from .conftest import SECONDS, SUBSCRIPTION, TOPIC


@pytest.fixture
async def pulled(pubsub):
    await pubsub.subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC, ack_deadline_seconds=30)
    return pubsub


async def test_an_acknowledged_message_is_gone(pulled):
    await pulled.publish()
    (received,) = await pulled.pull()

    await pulled.subscriber.acknowledge(subscription=SUBSCRIPTION, ack_ids=[received.ack_id])

    pulled.pass_time(86400)
    assert await pulled.pull() == []


async def test_a_leased_message_comes_again_when_its_deadline_has_passed(pulled):
    message_id = await pulled.publish()
    await pulled.pull()

    pulled.pass_time(29)
    before = await pulled.pull()
    pulled.pass_time(1)
    after = await pulled.pull()

    assert before == []
    assert [received.message.message_id for received in after] == [message_id]


async def test_a_longer_deadline_keeps_the_message_away(pulled):
    await pulled.publish()
    (received,) = await pulled.pull()

    await pulled.subscriber.modify_ack_deadline(
        subscription=SUBSCRIPTION, ack_ids=[received.ack_id], ack_deadline_seconds=600
    )

    pulled.pass_time(599)
    assert await pulled.pull() == []
    pulled.pass_time(1)
    assert len(await pulled.pull()) == 1


async def test_a_deadline_of_zero_gives_the_message_back_at_once(pulled):
    await pulled.publish()
    (received,) = await pulled.pull()

    await pulled.subscriber.modify_ack_deadline(
        subscription=SUBSCRIPTION, ack_ids=[received.ack_id], ack_deadline_seconds=0
    )

    assert len(await pulled.pull()) == 1


async def test_an_acknowledgement_that_comes_too_late_does_not_lose_the_message(pulled):
    await pulled.publish()
    (late,) = await pulled.pull()
    pulled.pass_time(30)
    await pulled.pull()

    await pulled.subscriber.acknowledge(subscription=SUBSCRIPTION, ack_ids=[late.ack_id])

    pulled.pass_time(30)
    assert len(await pulled.pull()) == 1


async def test_a_message_older_than_the_retention_is_dropped(pulled):
    await pulled.publish()

    pulled.pass_time(7 * 86400 + 1)

    assert await pulled.pull() == []


async def test_with_ordering_a_message_waits_for_the_one_before_it(pubsub):
    await pubsub.subscriber.create_subscription(
        request={"name": SUBSCRIPTION, "topic": TOPIC, "enable_message_ordering": True}
    )
    messages = [{"data": b"1", "ordering_key": "k"}, {"data": b"2", "ordering_key": "k"}]
    await pubsub.publisher.publish(topic=TOPIC, messages=messages)

    (first,) = await pubsub.pull()
    await pubsub.subscriber.acknowledge(subscription=SUBSCRIPTION, ack_ids=[first.ack_id])
    (second,) = await pubsub.pull()

    assert (first.message.data, second.message.data) == (b"1", b"2")


async def test_a_pull_waits_for_a_message_to_come(pulled):
    waiting = asyncio.create_task(pulled.subscriber.pull(subscription=SUBSCRIPTION, max_messages=1))

    await pulled.publish(b"late")

    answer = await asyncio.wait_for(waiting, SECONDS)
    assert answer.received_messages[0].message.data == b"late"


async def test_a_push_subscription_cannot_be_pulled(pubsub):
    push = {"push_endpoint": "http://127.0.0.1:1/"}
    await pubsub.subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC, push_config=push)

    with pytest.raises(FailedPrecondition):
        await pubsub.pull()


async def test_the_blocking_clients_publish_and_stream(pulled, monkeypatch):
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pulled.target)
    loop, received = asyncio.get_running_loop(), asyncio.Queue()

    def keep(message):
        message.ack()
        loop.call_soon_threadsafe(received.put_nowait, message.data)

    def publish():
        pubsub_v1.PublisherClient().publish(TOPIC, b"streamed").result(SECONDS)

    subscriber = await asyncio.to_thread(pubsub_v1.SubscriberClient)
    streaming = subscriber.subscribe(SUBSCRIPTION, keep)
    await asyncio.to_thread(publish)
    data = await asyncio.wait_for(received.get(), SECONDS)
    await pulled.acknowledged()
    streaming.cancel()
    await asyncio.to_thread(subscriber.close)

    assert data == b"streamed"


@pytest.mark.parametrize("turns", range(4))
async def test_a_wait_that_is_cancelled_as_it_is_rung_does_not_go_on(turns):
    bell = Bell()

    async def work():
        while True:
            await bell.wait(SECONDS)

    working = asyncio.create_task(work())
    await asyncio.sleep(0)
    bell.ring()
    for _ in range(turns):
        await asyncio.sleep(0)
    working.cancel()
    await asyncio.wait({working}, timeout=1)

    assert working.cancelled()
