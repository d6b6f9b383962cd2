"""What the service refuses, with which status, and that nothing a caller sends stops it."""

import random

import grpc
import pytest
from google.api_core import exceptions
from google.pubsub_v1 import types
from hypothesis import given
from hypothesis import strategies as st

from local.pubsub.policy import backoff_seconds

from .conftest import SUBSCRIPTION, TOPIC

METHODS = {
    "Publisher": ["CreateTopic", "UpdateTopic", "GetTopic", "ListTopics", "ListTopicSubscriptions",
                  "DeleteTopic", "Publish", "DetachSubscription"],
    "Subscriber": ["CreateSubscription", "UpdateSubscription", "GetSubscription", "ListSubscriptions",
                   "DeleteSubscription", "ModifyPushConfig", "ModifyAckDeadline", "Acknowledge", "Pull",
                   "Seek"],
}  # fmt: skip


@pytest.mark.parametrize(
    ("messages", "error"),
    [
        ([], exceptions.InvalidArgument),
        ([{}], exceptions.InvalidArgument),
        ([{"data": b"x"}] * 1001, exceptions.InvalidArgument),
        ([{"data": b"x" * 12_000_000}], exceptions.ResourceExhausted),
    ],
)
async def test_a_publish_outside_the_limits_is_refused(pubsub, messages, error):
    with pytest.raises(error):
        await pubsub.publisher.publish(topic=TOPIC, messages=messages, retry=None)


async def test_a_missing_topic_is_not_found(pubsub):
    with pytest.raises(exceptions.NotFound):
        await pubsub.publish(topic="projects/p/topics/nope")


async def test_a_topic_is_made_once(pubsub):
    with pytest.raises(exceptions.AlreadyExists):
        await pubsub.publisher.create_topic(name=TOPIC)


@pytest.mark.parametrize("name", ["", "fanout", "projects/p/topics/ab", "projects/p/topics/goog-x",
                                  "projects/p/topics/1abc", "projects/p/topics/a b c"])  # fmt: skip
async def test_an_unlawful_topic_name_is_refused(pubsub, name):
    with pytest.raises(exceptions.InvalidArgument):
        await pubsub.publisher.create_topic(name=name)


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"ack_deadline_seconds": 9}, exceptions.InvalidArgument),
        ({"ack_deadline_seconds": 601}, exceptions.InvalidArgument),
        ({"push_config": {"push_endpoint": "ftp://x"}}, exceptions.InvalidArgument),
        ({"dead_letter_policy": {"dead_letter_topic": "x"}}, exceptions.InvalidArgument),
        ({"dead_letter_policy": {"dead_letter_topic": TOPIC, "max_delivery_attempts": 4}},
         exceptions.InvalidArgument),
        ({"filter": 'attributes.a = "b"'}, exceptions.MethodNotImplemented),
        ({"topic": "projects/p/topics/nope"}, exceptions.NotFound),
    ],
)  # fmt: skip
async def test_a_subscription_outside_the_rules_is_refused(pubsub, fields, error):
    with pytest.raises(error):
        await pubsub.subscriber.create_subscription(request={"name": SUBSCRIPTION, "topic": TOPIC, **fields})


@pytest.mark.parametrize("paths", [[], ["name"], ["nonsense"], ["push_config.nonsense"]])
async def test_an_update_needs_a_mask_of_changeable_fields(pubsub, paths):
    await pubsub.subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)

    with pytest.raises(exceptions.InvalidArgument):
        await pubsub.subscriber.update_subscription(
            request={"subscription": {"name": SUBSCRIPTION}, "update_mask": {"paths": paths}}
        )


async def test_lists_come_in_pages(pubsub):
    for number in range(5):
        await pubsub.publisher.create_topic(name=f"projects/p/topics/extra-{number}")

    pages = await pubsub.publisher.list_topics(request={"project": "projects/p", "page_size": 2})

    assert [len(page.topics) async for page in pages.pages] == [2, 2, 2]


async def test_subscriptions_outlive_their_topic(pubsub):
    await pubsub.subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)
    await pubsub.publish()

    await pubsub.publisher.delete_topic(topic=TOPIC)

    kept = await pubsub.subscriber.get_subscription(subscription=SUBSCRIPTION)
    assert kept.topic == "_deleted-topic_"
    assert len(await pubsub.pull()) == 1


@pytest.mark.parametrize("ack_id", ["", "nonsense", "1", "1-", "-1", "9" * 40 + "-1", "1-1-1", "²-1"])
async def test_an_ack_id_of_somebody_else_is_refused(pubsub, ack_id):
    await pubsub.subscriber.create_subscription(name=SUBSCRIPTION, topic=TOPIC)

    with pytest.raises(exceptions.InvalidArgument):
        await pubsub.subscriber.acknowledge(subscription=SUBSCRIPTION, ack_ids=[ack_id])


async def test_it_still_serves_after_garbage_to_every_method(pubsub):
    noise = random.Random(7)
    for service, methods in METHODS.items():
        for method in methods:
            for size in (0, 1, 9, 200):
                call = pubsub.channel.unary_unary(f"/google.pubsub.v1.{service}/{method}")
                with pytest.raises(grpc.aio.AioRpcError):
                    await call(noise.randbytes(size), timeout=20)
    stream = pubsub.channel.stream_stream("/google.pubsub.v1.Subscriber/StreamingPull")(iter([b"\xff\xff"]))
    with pytest.raises(grpc.aio.AioRpcError):
        await stream.read()

    assert await pubsub.publish() == "1"


@given(st.integers(1, 200), st.integers(0, 600), st.integers(0, 600))
def test_a_backoff_grows_from_the_minimum_to_the_maximum_and_no_further(attempts, low, more):
    policy = {"minimum_backoff": {"seconds": low}, "maximum_backoff": {"seconds": low + more}}
    subscription = types.Subscription.pb(types.Subscription(retry_policy=policy))

    waits = [backoff_seconds(subscription, attempt) for attempt in range(1, attempts + 1)]

    assert waits[0] == low
    assert waits == sorted(waits)
    assert waits[-1] <= low + more
