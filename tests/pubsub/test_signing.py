"""The hop in front of a function: it signs, counts, and passes the answer back; nobody else may use it."""

import httpx
import pytest

from local.pubsub.plan import Delivery, Plan, Push
from local.pubsub.posting import Endpoint
from local.pubsub.signing import signing_hop

from .conftest import sign

BODY = {"message": {"messageId": "7", "data": ""}, "subscription": "s"}


def plan_for(url, **delivery):
    return Plan("p", [], [Push("fanout", Endpoint(url, "pubsub@p", "https://fanout.example"))], Delivery(**delivery))


async def test_each_attempt_is_signed_and_counted_until_one_is_acknowledged(function):
    function.statuses = [503, 204, 200]
    async with signing_hop(plan_for(function.url), sign) as plan, httpx.AsyncClient() as emulator:
        answers = [await emulator.post(plan.pushes[0].endpoint.url, json=BODY) for _ in range(3)]

    posts = [await function.next() for _ in range(3)]
    assert [answer.status_code for answer in answers] == [503, 204, 200]
    assert [body["deliveryAttempt"] for _, body in posts] == [1, 2, 1]
    assert {headers["authorization"] for headers, _ in posts} == {"Bearer pubsub@p|https://fanout.example"}


async def test_without_dead_letters_no_attempt_is_told(function):
    plan = plan_for(function.url, max_delivery_attempts=0)
    async with signing_hop(plan, sign) as through, httpx.AsyncClient() as emulator:
        await emulator.post(through.pushes[0].endpoint.url, json=BODY)

    assert (await function.next())[1] == BODY


async def test_a_function_that_does_not_answer_is_a_failed_push():
    async with signing_hop(plan_for("http://127.0.0.1:1/"), sign) as plan, httpx.AsyncClient() as emulator:
        answer = await emulator.post(plan.pushes[0].endpoint.url, json=BODY)

    assert answer.status_code == 502


@pytest.mark.parametrize("path", ["/", "/0", "/guess/0"])
async def test_who_does_not_know_the_secret_gets_nothing_signed(function, path):
    async with signing_hop(plan_for(function.url), sign) as plan, httpx.AsyncClient() as other:
        url = httpx.URL(plan.pushes[0].endpoint.url).copy_with(path=path)
        answer = await other.post(url, json=BODY)

    assert answer.status_code == 404
    assert function.posts.empty()


@pytest.mark.parametrize("content", [b"", b"{broken", b"[]", b'{"message": 5}', b"\xff"])
async def test_garbage_is_refused_and_the_hop_lives_on(function, content):
    async with signing_hop(plan_for(function.url), sign) as plan, httpx.AsyncClient() as emulator:
        refused = await emulator.post(plan.pushes[0].endpoint.url, content=content)
        answer = await emulator.post(plan.pushes[0].endpoint.url, json=BODY)

    assert (refused.status_code, answer.status_code) == (400, 200)
