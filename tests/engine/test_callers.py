"""Who may call a function: Cloud Tasks' own account, with a token for this very function, and nobody else."""

import base64
import hmac
import json
import time
from hashlib import sha256

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from shared.identity import Callers, Unauthorized
from tests.engine.deployed import ACCOUNT
from tests.engine.running import free_port, served

TASKS = ACCOUNT.format("tasks")
DISCOVERY = "/.well-known/openid-configuration"


@pytest.fixture
def probe(deployed):
    return deployed("probe")


def signed(issuer, key=None, algorithm="RS256", **claims):
    """A token of the issuer's form; a claim that is None is left out."""
    now = int(time.time())
    usual = {
        "iss": issuer.url, "aud": "http://somewhere", "email": TASKS, "email_verified": True, "sub": "1",
        "iat": now, "exp": now + 600,
    }  # fmt: skip
    body = {name: value for name, value in {**usual, **claims}.items() if value is not None}
    return jwt.encode(body, key or issuer._key, algorithm=algorithm, headers={"kid": issuer.key_id})


def hand_made(header, claims, signature=b""):
    """A token no library would make."""
    parts = (json.dumps(header).encode(), json.dumps(claims).encode())
    head = b".".join(base64.urlsafe_b64encode(part).rstrip(b"=") for part in parts)
    mac = hmac.new(signature, head, sha256).digest() if signature else b""
    return (head + b"." + base64.urlsafe_b64encode(mac).rstrip(b"=")).decode()


def forged(issuer, audience, algorithm):
    """Unsigned, or signed with the public key as if it were a shared secret."""
    now = int(time.time())
    claims = {
        "iss": issuer.url, "aud": audience, "email": TASKS, "email_verified": True, "iat": now, "exp": now + 600,
    }  # fmt: skip
    public = issuer._key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    header = {"alg": algorithm, "typ": "JWT", "kid": issuer.key_id}
    return hand_made(header, claims, public if algorithm == "HS256" else b"")


BAD = {
    "garbage": (401, lambda issuer, me: "garbage"),
    "two dots": (401, lambda issuer, me: "a.b.c"),
    "expired": (401, lambda issuer, me: issuer.token(TASKS, me, lifetime=-60)),
    "another function's": (401, lambda issuer, me: issuer.token(TASKS, "http://127.0.0.1:1")),
    "no audience": (401, lambda issuer, me: signed(issuer, aud=None)),
    "another issuer's": (401, lambda issuer, me: signed(issuer, iss="https://accounts.example.com", aud=me)),
    "another key": (401, lambda issuer, me: signed(issuer, generate_private_key(65537, 2048), aud=me)),
    "no expiry": (401, lambda issuer, me: signed(issuer, exp=None, aud=me)),
    "from tomorrow": (401, lambda issuer, me: signed(issuer, iat=int(time.time()) + 86400, aud=me)),
    "unsigned": (401, lambda issuer, me: forged(issuer, me, "none")),
    "signed with the public key": (401, lambda issuer, me: forged(issuer, me, "HS256")),
    "an unknown key": (401, lambda issuer, me: jwt.encode({"aud": me}, "x" * 32, "HS256", headers={"kid": "nobody"})),
    "another account": (403, lambda issuer, me: issuer.token(ACCOUNT.format("pubsub"), me)),
    "no account": (403, lambda issuer, me: signed(issuer, email=None, aud=me)),
    "an unverified account": (403, lambda issuer, me: signed(issuer, email_verified=False, aud=me)),
    "an account verified in words": (403, lambda issuer, me: signed(issuer, email_verified="true", aud=me)),
}


@pytest.mark.parametrize("name", BAD)
def test_a_token_that_is_not_right_changes_nothing(probe, enlist, item_of, issuer, queue, name):
    status, make = BAD[name]
    item = enlist(do="done")
    before = item_of(item)

    answer = probe.deliver(item, token=make(issuer, probe.audience))

    assert answer.status_code == status
    assert "Traceback" not in answer.text
    assert item_of(item) == before
    assert queue.waiting() == []


@pytest.mark.parametrize("header", ["", "Bearer", "Basic dXNlcjpwYXNz", "Bearer \xff\xfe"])
def test_without_a_bearer_token_nobody_gets_in(probe, enlist, item_of, header):
    item = enlist(do="done")

    answer = probe.deliver(item, headers={"Authorization": header.encode("latin-1")})

    assert answer.status_code == 401
    assert item_of(item).state == "waiting"


def test_the_right_token_gets_in_also_when_its_scheme_is_written_small(probe, enlist):
    answer = probe.deliver(enlist(do="done"), headers={"Authorization": f"bearer {probe.token()}"})

    assert (answer.status_code, answer.text) == (200, "done")


async def refused(callers, token):
    with pytest.raises(Unauthorized) as raised:
        await callers.check(f"Bearer {token}", audience="http://f", email=TASKS)
    return raised.value.status


async def test_an_issuer_out_of_reach_is_not_the_callers_fault(issuer):
    callers = Callers(f"http://127.0.0.1:{free_port()}")

    assert await refused(callers, issuer.token(TASKS, "http://f")) == 500


ODD_DOCUMENTS = {
    "a list": ([], {}),
    "no address": ({}, {}),
    "an address that is none": ({"jwks_uri": "not an address"}, {}),
    "an address of another type": ({"jwks_uri": 5}, {}),
    "keys in a list": (None, []),
    "no keys": (None, {"keys": []}),
    "keys nobody can use": (None, {"keys": [{"kty": "what"}]}),
    "nothing": (None, None),
}


@pytest.mark.parametrize("name", ODD_DOCUMENTS)
async def test_an_issuer_that_publishes_something_else_is_as_good_as_away(issuer, name):
    document, keys = ODD_DOCUMENTS[name]
    base = []

    async def discovery(_request):
        return JSONResponse(document if document is not None else {"jwks_uri": f"{base[0]}/certs"})

    async def certs(_request):
        return JSONResponse(keys)

    with served(Starlette(routes=[Route(DISCOVERY, discovery), Route("/certs", certs)])) as url:
        base.append(url)

        assert await refused(Callers(url), issuer.token(TASKS, "http://f")) == 500


async def test_the_issuers_keys_are_fetched_once_and_anew_when_it_has_a_new_one(issuer, tmp_path):
    published = [issuer.jwks()]
    asked = []

    async def discovery(request):
        return JSONResponse({"jwks_uri": f"{request.base_url}certs"})

    async def certs(_request):
        asked.append("certs")
        return JSONResponse(published[-1])

    with served(Starlette(routes=[Route(DISCOVERY, discovery), Route("/certs", certs)])) as url:
        callers = Callers(url)
        for _ in range(3):
            await callers.check(f"Bearer {signed(issuer, iss=url, aud='http://f')}", audience="http://f", email=TASKS)
        new = type(issuer)(tmp_path / "new.pem", url)
        published.append(new.jwks())
        await callers.check(f"Bearer {new.token(TASKS, 'http://f')}", audience="http://f", email=TASKS)

    assert len(asked) == 2
