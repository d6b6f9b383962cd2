"""The issuer: tokens that an ordinary verifier accepts, and one key for all who name the same file."""

import asyncio
import signal
import socket
import stat
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import httpx
import jwt
import pytest
from starlette.testclient import TestClient

from local.oidc import Issuer, main, without_signature

URL = "http://127.0.0.1:8602"


@pytest.fixture
def key_file(tmp_path):
    return tmp_path / "keys" / "oidc.pem"


@pytest.fixture
def issuer(key_file):
    return Issuer(key_file, URL)


def test_a_token_verifies_with_the_published_key(issuer):
    token = issuer.token("tasks@p.iam.gserviceaccount.com", "https://function.test")

    key = jwt.PyJWKSet.from_dict(issuer.jwks())[jwt.get_unverified_header(token)["kid"]]
    claims = jwt.decode(token, key, algorithms=["RS256"], audience="https://function.test", issuer=URL)
    assert claims["email"] == "tasks@p.iam.gserviceaccount.com"
    assert claims["email_verified"] is True
    assert claims["exp"] - claims["iat"] == 3600
    assert claims["sub"].isdigit()


def test_an_expired_token_is_no_good(issuer):
    token = issuer.token("a@b.test", "x", lifetime=-10)

    key = jwt.PyJWKSet.from_dict(issuer.jwks())[issuer.key_id]
    with pytest.raises(jwt.ExpiredSignatureError):
        jwt.decode(token, key, algorithms=["RS256"], audience="x")


def test_without_its_signature_a_token_says_the_same_and_verifies_no_more(issuer):
    token = issuer.token("a@b.test", "x")
    key = jwt.PyJWKSet.from_dict(issuer.jwks())[issuer.key_id]

    stripped = without_signature(token)

    assert stripped.split(".") == [*token.split(".")[:2], "SIGNATURE_REMOVED_BY_GOOGLE"]
    with pytest.raises(jwt.InvalidSignatureError):
        jwt.decode(stripped, key, algorithms=["RS256"], audience="x")


def test_an_account_has_one_subject_and_two_accounts_have_two(issuer):
    def subject(email):
        return jwt.decode(issuer.token(email, "x"), options={"verify_signature": False})["sub"]

    assert subject("a@b.test") == subject("a@b.test") != subject("c@d.test")


def test_the_published_key_has_no_private_part(issuer):
    (key,) = issuer.jwks()["keys"]

    assert set(key) == {"kty", "n", "e", "use", "alg", "kid"}


def test_the_discovery_document_leads_to_the_keys(issuer):
    with TestClient(issuer.app(), base_url=URL) as client:
        discovery = client.get("/.well-known/openid-configuration").json()
        keys = client.get(discovery["jwks_uri"]).json()

    assert discovery["issuer"] == URL
    assert keys == issuer.jwks()


def test_the_key_is_made_once_and_for_its_owner_alone(issuer, key_file):
    again = Issuer(key_file, URL)

    assert again.key_id == issuer.key_id
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert [file.name for file in key_file.parent.iterdir()] == ["oidc.pem"]


def _key_id(key_file):
    return Issuer(key_file, URL).key_id


def test_processes_that_start_at_once_share_one_key(key_file):
    with ProcessPoolExecutor(4, mp_context=get_context("spawn")) as pool:
        key_ids = set(pool.map(_key_id, [key_file] * 4))

    assert len(key_ids) == 1


@pytest.mark.parametrize("content", ["", "not a key", "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"])
def test_a_file_that_is_no_key_is_named(key_file, content):
    key_file.parent.mkdir()
    key_file.write_text(content)

    with pytest.raises(ValueError, match=r"oidc\.pem"):
        Issuer(key_file, URL)


def test_a_taken_port_is_said_in_one_line(key_file, capsys):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        code = main(["--port", str(listener.getsockname()[1]), "--key", str(key_file)])

    error = capsys.readouterr().err
    assert (code, error.count("\n")) == (2, 1)


async def test_the_command_serves_and_stops_cleanly(key_file):
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "local.oidc", "--port", "0", "--key", str(key_file)), stdout=subprocess.PIPE
    )
    url = (await asyncio.wait_for(process.stdout.readline(), 20)).decode().removeprefix("oidc: ").strip()

    async with httpx.AsyncClient() as client:
        answer = await client.get(f"{url}/certs")
    process.send_signal(signal.SIGTERM)

    assert answer.json()["keys"][0]["kid"] == Issuer(key_file, url).key_id
    assert await asyncio.wait_for(process.wait(), 10) == 0
