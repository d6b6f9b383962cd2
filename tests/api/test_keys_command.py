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

    assert (code, said.strip()) == (0, f"revoked {row['id']} (acme): it had no unfinished batches")
    assert database.execute("select revoked_at from api_keys").fetchone()["revoked_at"] is not None


def test_a_key_that_is_not_there_cannot_be_revoked(piecework):
    code, _, said = piecework("revoke", "01a204c9-9f4d-7000-8000-000000000000")

    assert code == 2
    assert "There is no key" in said


def test_what_is_no_id_says_where_to_find_one(piecework):
    code, _, said = piecework("revoke", "acme")

    assert code == 2
    assert "acme is not the id of a key; piecework keys list shows them" in said


def key_of(caller, database):
    digest = hashlib.sha256(caller.key.encode()).hexdigest()
    return str(database.execute("select id from api_keys where key_hash = %s", [digest]).fetchone()["id"])


def items_of(batch, database):
    rows = database.execute(
        "select state, reason, count(*)::integer as n from items where batch_id = %s group by 1, 2", [batch]
    )
    return {(row["state"], row["reason"]): row["n"] for row in rows}


def state_of(batch, database):
    return database.execute("select state from batches where id = %s", [batch]).fetchone()["state"]


def test_revoking_a_key_cancels_its_batches_and_nobody_elses(piecework, caller_of, database):
    thief, neighbour = caller_of(), caller_of()
    batches = [thief.submit({"do": "done"}, {"do": "done", "n": 1}), thief.submit({"do": "done", "n": 2})]
    other = neighbour.submit({"do": "done", "n": 3})
    database.execute("update items set state = 'running' where batch_id = %s", [batches[1]])

    code, _, said = piecework("revoke", key_of(thief, database))

    assert (code, said.split(": ", 1)[1].strip()) == (
        0, "cancelled 2 batches with 2 waiting items; still at work, and left to end: 1",
    )  # fmt: skip
    assert items_of(batches[0], database) == {("cancelled", "key_revoked"): 2}
    assert [state_of(batch, database) for batch in (*batches, other)] == ["cancelled", "cancelling", "open"]
    assert thief.get("/v3/batches").status_code == 401
    assert neighbour.get("/v3/batches").status_code == 200


def test_batches_may_be_let_finish(piecework, caller_of, database):
    caller = caller_of()
    batch = caller.submit({"do": "done"}, {"do": "done", "n": 1})

    _, _, said = piecework("revoke", key_of(caller, database), "--let-finish")

    assert "its work goes on: 1 batch with 2 waiting items, 0 at work" in said
    assert state_of(batch, database) == "open"
    assert caller.get("/v3/batches").status_code == 401


def test_batches_that_were_let_finish_can_still_be_cancelled(piecework, caller_of, database):
    caller = caller_of()
    batch = caller.submit({"do": "done"})
    piecework("revoke", key_of(caller, database), "--let-finish")

    piecework("revoke", key_of(caller, database))

    assert state_of(batch, database) == "cancelled"


def test_many_items_are_cancelled_call_after_call(caller_of, database):
    caller = caller_of()
    batches = [caller.submit(*({"do": "done", "n": n} for n in range(5))) for _ in range(2)]
    revoke = "select * from revoke_key_v1(%s, most => 4)"
    key = key_of(caller, database)

    calls = [database.execute(revoke, [key]).fetchone() for _ in range(3)]

    assert [(call["items"], call["goes_on"]) for call in calls] == [(4, True), (4, True), (2, False)]
    assert {state_of(batch, database) for batch in batches} == {"cancelled"}


def test_operators_see_who_was_revoked(piecework, caller_of, database):
    caller, operator = caller_of(), caller_of(operator=True)
    caller.submit({"do": "done"})
    key = key_of(caller, database)

    piecework("revoke", key)

    (deed,) = operator.get("/v3/audit").json()["deeds"]
    assert (deed["action"], deed["key_id"], deed["affected"]) == ("revoke", None, 1)
    assert deed["target"] == {"key_id": key, "name": "test", "let_finish": False, "batches": 1}


@pytest.mark.parametrize(("options", "told"), [([], 0), (["--let-finish"], 1)])
def test_a_batch_that_ended_with_its_key_tells_nobody(piecework, caller_of, database, options, told):
    """Its webhook's address may be that of whoever stole the key."""
    caller = caller_of()
    batch = caller.submit({"do": "done"}, webhook_url="https://example.com/told")

    piecework("revoke", key_of(caller, database), *options)
    database.execute(
        "update batches set finished_at = now(), state = 'completed' where id = %s and state = 'open'", [batch]
    )

    assert database.execute("select count(*) as n from webhook_backlog").fetchone()["n"] == told


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
