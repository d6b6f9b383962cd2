"""`piecework keys`: made in Supabase, good at the API, gone when revoked."""

import hashlib

import httpx
import pytest

from cli import app
from cli.keys import Keys
from cli.problems import Unreachable


@pytest.fixture
def piecework(monkeypatch, capsys, supabase, supabase_keys, database):
    """Run the command with the settings of a deployment; (exit code, what it printed, what it said)."""
    monkeypatch.setenv("SUPABASE_URL", supabase)
    monkeypatch.setenv("SUPABASE_SECRET_KEY", supabase_keys[2]["SUPABASE_SECRET_KEY"])

    def run(*words: str) -> tuple[int, str, str]:
        code = app.main(["keys", *words])
        return (code, *capsys.readouterr())

    return run


def test_a_key_that_was_made_opens_the_api(piecework, deployed):
    _, key, _ = piecework("make", "acme")

    answer = httpx.get(f"{deployed('api').url}/v3/batches", headers={"Authorization": f"Bearer {key.strip()}"})

    assert answer.status_code == 200
    assert answer.json()["batches"] == []


def test_only_the_hash_of_a_key_is_kept(piecework, database):
    _, key, _ = piecework("make", "acme")

    (row,) = database.execute("select * from api_keys").fetchall()

    assert row["key_hash"] == hashlib.sha256(key.strip().encode()).hexdigest()
    assert key.strip() not in str(row)


def test_the_list_names_keys_and_shows_none(piecework):
    _, key, _ = piecework("make", "acme")

    code, listed, _ = piecework("list")

    assert code == 0
    assert "acme" in listed
    assert key.strip() not in listed


def test_a_revoked_key_is_told_apart(piecework, database):
    piecework("make", "acme")
    (row,) = database.execute("select id from api_keys").fetchall()

    code, _, said = piecework("revoke", str(row["id"]))

    assert (code, said.strip()) == (0, f"revoked {row['id']}")
    assert database.execute("select revoked_at from api_keys").fetchone()["revoked_at"] is not None


def test_a_key_that_is_not_there_cannot_be_revoked(piecework):
    code, _, said = piecework("revoke", "01a204c9-9f4d-7000-8000-000000000000")

    assert code == 2
    assert "There is no key" in said


def test_a_refused_secret_says_which_setting(piecework, monkeypatch):
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "sb_secret_wrong")

    code, _, said = piecework("make", "acme")

    assert code == 4
    assert "SUPABASE_SECRET_KEY" in said


def test_a_website_in_the_place_of_supabase_is_told_of():
    keys = Keys("http://127.0.0.1:1", "sb_secret")
    website = httpx.MockTransport(lambda _: httpx.Response(200, text="<!doctype html>"))
    keys._http = httpx.Client(base_url="http://127.0.0.1:1", transport=website)

    with pytest.raises(Unreachable, match="check SUPABASE_URL"):
        keys.all()


def test_a_missing_setting_is_named(piecework, monkeypatch):
    monkeypatch.setenv("SUPABASE_SECRET_KEY", "")

    code, _, said = piecework("make", "acme")

    assert code == 2
    assert "SUPABASE_SECRET_KEY not set" in said


def test_a_key_is_made_for_a_tier_and_for_an_operator(piecework, deployed):
    _, key, _ = piecework("make", "acme", "--tier", "premium", "--operator")

    told = httpx.get(f"{deployed('api').url}/v3/rate-limit/blocked", headers={"Authorization": f"Bearer {key.strip()}"})
    _, listed, _ = piecework("list")

    assert told.status_code == 200
    assert told.headers["ratelimit-policy"] == '"all";q=120;w=60'
    assert "premium" in listed


def test_a_tier_that_is_not_there_is_refused_with_those_that_are(piecework, database):
    code, _, said = piecework("make", "acme", "--tier", "gold")

    assert code == 2
    assert "default, enterprise, internal, premium" in said
    assert database.execute("select count(*) as n from api_keys").fetchone()["n"] == 0
