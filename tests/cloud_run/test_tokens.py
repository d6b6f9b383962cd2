"""Whose token opens a service, and what the service sees of it."""

from local.oidc import Issuer
from standins.cloud_run.headers import Request
from standins.cloud_run.refusals import Refused
from standins.cloud_run.services import Service
from standins.cloud_run.tokens import Tokens, fetch_keys
from tests.cloud_run.conftest import AUDIENCE, INVOKER, Front

PRIVATE = {"invokers": frozenset({INVOKER}), "audiences": frozenset({AUDIENCE})}
REMOVED = "SIGNATURE_REMOVED_BY_GOOGLE"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_an_invokers_token_arrives_without_its_signature(front: Front, issuer: Issuer):
    token = issuer.token(INVOKER, AUDIENCE)
    async with front(issuer=issuer.url, **PRIVATE) as running:
        answer = await running.http.get("/echo", headers=bearer(token))

        arrived = dict(answer.json()["headers"])["authorization"]
        assert arrived == f"Bearer {token.rpartition('.')[0]}.{REMOVED}"


async def test_the_second_header_is_checked_instead_and_the_first_left_alone(front: Front, issuer: Issuer):
    token = issuer.token(INVOKER, AUDIENCE)
    async with front(issuer=issuer.url, **PRIVATE) as running:
        answer = await running.http.get(
            "/echo", headers={"X-Serverless-Authorization": f"Bearer {token}", "Authorization": "Bearer pw_key.of.mine"}
        )

        headers = dict(answer.json()["headers"])
        assert headers["authorization"] == "Bearer pw_key.of.mine"
        assert headers["x-serverless-authorization"].endswith(REMOVED)


async def test_a_public_service_sees_the_header_as_it_was_sent(front: Front):
    async with front() as running:
        answer = await running.http.get("/echo", headers=bearer("a.b.c"))

        assert dict(answer.json()["headers"])["authorization"] == "Bearer a.b.c"


async def test_without_a_token_the_answer_is_403_and_no_instance_starts(front: Front):
    async with front(**PRIVATE) as running:
        answer = await running.raw(b"GET /<b> HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")

        assert answer.startswith(b"HTTP/1.1 403")
        assert b"does not have permission to get URL <code>/&lt;b&gt;</code> from this server" in answer
        assert running.pool.starts == 0


async def test_a_token_that_is_broken_or_not_for_this_is_401(front: Front, issuer: Issuer, tmp_path):
    good = issuer.token(INVOKER, AUDIENCE)
    stranger = Issuer(tmp_path / "other.pem", issuer.url)
    async with front(issuer=issuer.url, **PRIVATE) as running:
        for token in (
            "nonsense",
            good[:-10] + "AAAAAAAAAA",
            f"{good.rpartition('.')[0]}.{REMOVED}",
            stranger.token(INVOKER, AUDIENCE),
            issuer.token(INVOKER, "https://another.run.app"),
            issuer.token(INVOKER, AUDIENCE, lifetime=-60),
        ):
            answer = await running.http.get("/echo", headers=bearer(token))

            assert answer.status_code == 401
            assert 'error="invalid_token"' in answer.headers["www-authenticate"]


async def test_a_good_token_of_another_account_is_403(front: Front, issuer: Issuer):
    async with front(issuer=issuer.url, **PRIVATE) as running:
        answer = await running.http.get("/echo", headers=bearer(issuer.token("other@project", AUDIENCE)))

        assert answer.status_code == 403
        assert "other@project is no invoker" in running.lines[-1]


async def test_a_token_is_verified_once_and_refused_when_it_has_expired(issuer: Issuer, monkeypatch):
    now = [0.0]
    monkeypatch.setattr("standins.cloud_run.tokens.fetch_keys", counting(fetches := []))
    tokens = Tokens(issuer.url, clock=lambda: now[0])
    service = Service("service", 0, ("x",), **PRIVATE)
    request = Request(b"GET", b"/", [(b"authorization", b"Bearer " + issuer.token(INVOKER, AUDIENCE).encode())])

    admitted = [await tokens.admit(service, request) for _ in range(2)]
    now[0] = 1e12
    try:
        await tokens.admit(service, request)
    except Refused as refused:
        status = refused.status

    assert admitted == [b"authorization"] * 2
    assert fetches == [issuer.url]
    assert status == 401


def counting(fetches):
    return lambda url: fetches.append(url) or fetch_keys(url)
