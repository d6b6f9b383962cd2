"""What a function sees of Pub/Sub, and what its answer does."""

import base64

import pytest

from local.pubsub.plan import Delivery, Plan, Push, carry_out
from local.pubsub.posting import Endpoint

from .conftest import SUBSCRIPTION, TOPIC

DEAD = "projects/p/subscriptions/fanout-dead"
ACCOUNT = "pubsub@p.iam.gserviceaccount.com"


def plan_for(url, **delivery):
    return Plan("p", ["fanout"], [Push("fanout", Endpoint(url, ACCOUNT))], Delivery(**delivery))


async def test_a_push_carries_the_message_wrapped_with_both_spellings(pubsub, function):
    await carry_out(plan_for(function.url), pubsub.target)

    message_id = await pubsub.publish(b'{"limit": 5}', reason="nightly")

    _, body = await function.next()
    message = body["message"]
    assert base64.b64decode(message["data"]) == b'{"limit": 5}'
    assert message["messageId"] == message["message_id"] == message_id
    assert message["publishTime"] == message["publish_time"] == "2027-01-15T08:00:00Z"
    assert message["attributes"] == {"reason": "nightly"}
    assert body["subscription"] == SUBSCRIPTION
    assert body["deliveryAttempt"] == 1


async def test_a_push_without_dead_letters_does_not_tell_its_attempt(pubsub, function):
    await carry_out(plan_for(function.url, max_delivery_attempts=0), pubsub.target)

    await pubsub.publish()

    _, body = await function.next()
    assert set(body) == {"message", "subscription"}
    assert "attributes" not in body["message"]


async def test_a_push_is_signed_as_the_service_account_for_the_audience(pubsub, function):
    push = Push("fanout", Endpoint(function.url, ACCOUNT, "https://fanout.example"))
    await carry_out(Plan("p", [], [push]), pubsub.target)

    await pubsub.publish()

    headers, _ = await function.next()
    assert headers["authorization"] == f"Bearer {ACCOUNT}|https://fanout.example"


async def test_the_audience_is_the_endpoint_where_none_is_given(pubsub, function):
    await carry_out(plan_for(function.url), pubsub.target)

    await pubsub.publish()

    headers, _ = await function.next()
    assert headers["authorization"] == f"Bearer {ACCOUNT}|{function.url}"


@pytest.mark.parametrize("status", [200, 201, 202, 204])
async def test_these_answers_acknowledge(pubsub, function, status):
    function.statuses = [status]
    await carry_out(plan_for(function.url), pubsub.target)

    await pubsub.publish()
    await function.next()
    await pubsub.acknowledged()

    assert pubsub.broker.backlog(SUBSCRIPTION) == 0


@pytest.mark.parametrize("status", [203, 302, 400, 404, 429, 500, 503])
async def test_any_other_answer_brings_the_message_again_after_the_backoff(pubsub, function, status):
    function.statuses = [status, 200]
    await carry_out(plan_for(function.url, min_backoff_seconds=10), pubsub.target)

    await pubsub.publish()
    await function.next()
    await put_back(pubsub)
    pubsub.pass_time(10)

    _, body = await function.next()
    assert body["deliveryAttempt"] == 2


async def put_back(pubsub):
    """Return once no delivery is leased: the next one is due by a backoff shorter than the lease."""
    while (pubsub.broker._store.next_due(SUBSCRIPTION, pubsub.now[0]) or 0) > pubsub.now[0] + 600:
        await pubsub.broker._bells[SUBSCRIPTION].wait(20)


async def test_a_message_rests_for_its_backoff_while_others_pass(pubsub, function):
    function.statuses = [500, 200]
    await carry_out(plan_for(function.url, min_backoff_seconds=10), pubsub.target)
    first = await pubsub.publish()
    await function.next()
    await put_back(pubsub)

    pubsub.pass_time(9.9)
    second = await pubsub.publish()
    _, passed = await function.next()
    pubsub.pass_time(0.1)
    _, repeated = await function.next()

    assert passed["message"]["messageId"] == second
    assert repeated["message"]["messageId"] == first


async def test_a_message_that_fails_too_often_becomes_a_dead_letter(pubsub, function):
    function.statuses = [500]
    await carry_out(plan_for(function.url, max_delivery_attempts=5), pubsub.target)
    await pubsub.publish(b"poison", colour="red")

    for attempt in range(1, 6):
        _, body = await function.next()
        assert body["deliveryAttempt"] == attempt
        if attempt < 5:
            await put_back(pubsub)
            pubsub.pass_time(600)
    await pubsub.acknowledged()

    (dead,) = await pubsub.pull(DEAD)
    assert dead.message.data == b"poison"
    assert dead.message.attributes["colour"] == "red"
    assert dead.message.attributes["CloudPubSubDeadLetterSourceDeliveryCount"] == "5"
    assert dead.message.attributes["CloudPubSubDeadLetterSourceSubscription"] == "fanout"


async def test_without_its_dead_letter_topic_a_message_is_pushed_on_and_on(pubsub, function):
    function.statuses = [500]
    await carry_out(plan_for(function.url), pubsub.target)
    await pubsub.publisher.delete_topic(topic=f"{TOPIC}-dead")
    await pubsub.publish()

    for _ in range(7):
        _, body = await function.next()
        await put_back(pubsub)
        pubsub.pass_time(600)

    assert body["deliveryAttempt"] == 7


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/", "http://[broken/", "http://127.0.0.1:99999999/"])
async def test_an_endpoint_nobody_can_reach_keeps_the_message(pubsub, function, url):
    await carry_out(plan_for(url), pubsub.target)
    await pubsub.publish()
    await put_back(pubsub)

    await carry_out(plan_for(function.url), pubsub.target)
    pubsub.pass_time(10)

    _, body = await function.next()
    assert body["deliveryAttempt"] == 2


async def test_every_subscription_of_a_topic_gets_its_own_copy(pubsub, function):
    await carry_out(plan_for(function.url), pubsub.target)
    other = "projects/p/subscriptions/other"
    await pubsub.subscriber.create_subscription(name=other, topic=TOPIC)

    await pubsub.publish()
    await function.next()
    await pubsub.acknowledged()

    assert [kept.message.data for kept in await pubsub.pull(other)] == [b"work"]


async def test_a_deleted_push_subscription_is_pushed_no_more(pubsub, function):
    await carry_out(plan_for(function.url), pubsub.target)
    await pubsub.subscriber.delete_subscription(subscription=SUBSCRIPTION)
    await pubsub.publish(b"nobody listens")

    await carry_out(plan_for(function.url), pubsub.target)
    await pubsub.publish(b"again")

    _, body = await function.next()
    assert base64.b64decode(body["message"]["data"]) == b"again"
