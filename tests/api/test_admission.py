"""At the door: who may come in, how often, and from where. Nothing of a body is read before."""

import asyncio
import socket
from urllib.parse import urlsplit
from uuid import uuid4

import httpx
import pytest
from starlette.requests import Request

from functions.api.admission import client_address, endpoint_of
from functions.api.keys import Keys
from shared.store import Store
from tests.api.test_submitting import BATCH, is_problem


def test_every_answer_tells_what_is_left(caller_of):
    answer = caller_of(tier="premium").get("/v3/batches")

    assert answer.headers["ratelimit-policy"] == '"all";q=120;w=60'
    assert answer.headers["ratelimit"] == '"all";r=119;t=1'


def test_who_asks_too_often_is_told_when_to_come_back(caller_of, database):
    caller = caller_of(tier="default")
    answers = [caller.post(BATCH) for _ in range(11)]

    refused = answers[-1]

    assert [answer.status_code for answer in answers[:10]] == [202] * 10
    assert "(default) allows 10 requests a minute here (submit)" in is_problem(refused, 429)
    assert 1 <= int(refused.headers["retry-after"]) <= 6
    assert refused.headers["ratelimit"].startswith('"submit";r=0;t=')
    assert refused.json()["type"].endswith("#quota-exceeded")
    assert refused.json()["violated-policies"] == ["submit"]
    assert database.execute("select count(*) as n from batches").fetchone()["n"] == 10
    assert caller.get("/v3/batches").status_code == 200


def test_a_key_that_is_revoked_opens_nothing_from_then_on(api, database):
    before = api.get("/v3/batches").status_code
    database.execute("update api_keys set revoked_at = now()")

    assert (before, api.get("/v3/batches").status_code) == (200, 401)


def test_the_key_is_asked_for_before_the_body_is_read(api):
    """The body is announced, and never sent: who had to read it first would wait for it."""
    url = urlsplit(api.function.url)
    told = f"Host: {url.netloc}\r\nAuthorization: Bearer pw_wrong\r\nContent-Length: 9000"
    head = f"POST /v3/batches HTTP/1.1\r\n{told}\r\n\r\n"
    with socket.create_connection((url.hostname, url.port), timeout=20) as connection:
        connection.sendall(head.encode())

        answer = connection.recv(100)

    assert answer.startswith(b"HTTP/1.1 401")


def test_an_address_that_guesses_keys_is_turned_away_and_operators_see_it(caller_of, database):
    guesser, operator = caller_of(), caller_of(operator=True)
    there = {"X-Forwarded-For": "198.51.100.7"}
    url = f"{guesser.function.url}/v3/batches"
    for _ in range(20):
        guesser.function.client.get(url, headers={"Authorization": "Bearer pw_guess", **there})

    answer = guesser.function.client.get(url, headers={"Authorization": "Bearer pw_another_guess", **there})

    assert "Check your key" in is_problem(answer, 429)
    assert 1 <= int(answer.headers["retry-after"]) <= 600
    assert guesser.get("/v3/batches").status_code == 200
    (blocked,) = operator.get("/v3/rate-limit/blocked").json()["blocked"]
    assert (blocked["address"], blocked["misses"]) == ("198.51.100.7", 20)
    assert "operators" in is_problem(guesser.get("/v3/rate-limit/blocked"), 403)


async def test_a_thousand_wrong_keys_from_one_address_lock_out_no_good_key(
    environment, database, door, caller_of, deployer
):
    caller, address = caller_of(tier="default"), "198.51.100.8"
    store = Store(environment["SUPABASE_URL"], environment["SUPABASE_SECRET_KEY"])
    keys = Keys(store)
    door.clear()

    guesses = (keys.admit(f"pw_guess_{n}", "status", address) for n in range(1000))
    refused = await asyncio.gather(*guesses, return_exceptions=True)
    calls = door.calls["admit_v1"]
    admitted = await keys.admit(caller.key, "status", address)
    await store.aclose()

    assert {problem.status for problem in refused} == {401, 429}
    assert calls <= 20
    assert database.execute("select misses from address_misses").fetchone()["misses"] < 300
    assert admitted.owner.tier == "default"
    there = {"X-Forwarded-For": address, "Authorization": f"Bearer {caller.key}"}
    for function in (deployer.deployed("api"), deployer.another("api", "api-beside")):
        assert function.client.get(f"{function.url}/v3/batches", headers=there).status_code == 200


async def test_a_wrong_key_that_is_sent_again_and_again_costs_no_more_calls(environment, database, door):
    store = Store(environment["SUPABASE_URL"], environment["SUPABASE_SECRET_KEY"])
    keys = Keys(store)
    for _ in range(21):
        await asyncio.gather(keys.admit("pw_old", "status", "198.51.100.9"), return_exceptions=True)
    door.clear()

    again = (keys.admit("pw_old", "status", "198.51.100.9") for _ in range(1000))
    problems = await asyncio.gather(*again, return_exceptions=True)
    (elsewhere,) = await asyncio.gather(keys.admit("pw_old", "status", "203.0.113.4"), return_exceptions=True)
    await store.aclose()

    assert {problem.status for problem in problems} == {429}
    assert elsewhere.status == 401
    assert door.calls["admit_v1"] == 1


def test_the_status_tells_every_limit_of_the_tier(caller_of):
    caller = caller_of(tier="enterprise")
    caller.submit({"do": "done"})

    told = caller.get("/v3/rate-limit/status").json()

    assert told["tier"] == "enterprise"
    assert {one["bucket"]: (one["per_minute"], one["remaining"]) for one in told["limits"]} == {
        "all": (300, 299), "submit": (50, 49), "status": (900, 900), "results": (300, 300),
    }  # fmt: skip


async def test_requests_that_come_together_share_one_call(environment, door, caller_of):
    caller, store = caller_of(), Store(environment["SUPABASE_URL"], environment["SUPABASE_SECRET_KEY"])
    keys = Keys(store)
    door.clear()

    admitted = await asyncio.gather(*(keys.admit(caller.key, "status", "198.51.100.7") for _ in range(100)))
    await store.aclose()

    assert len({one.owner.id for one in admitted}) == 1
    assert door.calls["admit_v1"] <= 3


@pytest.mark.parametrize(
    ("forwarded", "hops", "address"),
    [
        (None, 1, "192.0.2.1"),
        ("", 1, "192.0.2.1"),
        ("203.0.113.9", 1, "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9", 1, "203.0.113.9"),
        ("1.1.1.1, 203.0.113.9, 10.0.0.1", 2, "203.0.113.9"),
        ("203.0.113.9", 2, "192.0.2.1"),
        ("203.0.113.9", 0, "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", 1, "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.9", 1, "203.0.113.9"),
        ("not an address", 1, None),
    ],
)
def test_the_address_is_what_our_outermost_proxy_has_seen(forwarded, hops, address):
    headers = [] if forwarded is None else [(b"x-forwarded-for", forwarded.encode())]
    request = Request({"type": "http", "headers": headers, "client": ("192.0.2.1", 1)})

    assert client_address(request, hops) == address


@pytest.mark.parametrize(
    ("method", "path", "endpoint"),
    [
        ("POST", "/v3/batches", "submit"),
        ("GET", "/v3/batches", "other"),
        ("GET", f"/v3/batches/{uuid4()}", "status"),
        ("GET", f"/v3/batches/{uuid4()}/results", "results"),
        ("GET", f"/v3/batches/{uuid4()}/items", "other"),
        ("POST", f"/v3/batches/{uuid4()}/cancel", "other"),
    ],
)
def test_each_endpoint_takes_from_its_bucket(method, path, endpoint):
    assert endpoint_of(method, path) == endpoint


def test_browsers_of_other_origins_are_let_in_only_where_it_is_set(deployer, api, database):
    friendly = deployer.another("api", "api-cors", CORS_ORIGINS="https://app.example https://other.example")
    asked = {"Origin": "https://app.example", "Access-Control-Request-Method": "POST"}

    closed = api.function.client.options(f"{api.function.url}/v3/batches", headers=asked)
    opened = friendly.client.options(f"{friendly.url}/v3/batches", headers=asked)
    strange = httpx.options(f"{friendly.url}/v3/batches", headers={**asked, "Origin": "https://evil.example"})

    assert "access-control-allow-origin" not in closed.headers
    assert opened.headers["access-control-allow-origin"] == "https://app.example"
    assert "access-control-allow-origin" not in strange.headers
