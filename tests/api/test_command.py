"""The command against the API itself: every deed and every look, for people and for programs."""

import json
import re

import pytest

from cli import app


@pytest.fixture
def piecework(api, monkeypatch, capsys):
    """Run the command as the caller `api`; (exit code, standard output, standard error)."""

    def run(*arguments, caller=api):
        monkeypatch.setenv("PIECEWORK_URL", caller.function.url)
        monkeypatch.setenv("PIECEWORK_KEY", caller.key)
        code = app.main(arguments)
        return code, *capsys.readouterr()

    return run


@pytest.fixture
def told(piecework):
    """What a command tells with --json."""
    return lambda *arguments, **more: json.loads(piecework(*arguments, "--json", **more)[1])


@pytest.fixture
def file(tmp_path):
    def write(*items):
        file = tmp_path / "items.jsonl"
        file.write_text("".join(json.dumps(item) + "\n" for item in items))
        return str(file)

    return write


@pytest.fixture
def dead(api, work_off):
    """A batch with three dead items, two for one reason."""
    batch = api.submit(*({"do": "reject", "n": n, "custom_id": f"dead-{n}"} for n in range(3)), {"do": "done"})
    work_off()
    return batch


def test_a_file_is_submitted_once_however_often(told, file):
    lines = file(*({"do": "done", "n": n, "custom_id": f"c{n}"} for n in range(1200)))

    first, second = (told("submit", "probe", lines, "--priority", "low") for _ in range(2))

    assert first["id"] == second["id"]
    assert (second["total"], second["priority"], second["counts"]["waiting"]) == (1200, "low", 1200)


def test_the_same_key_with_another_file_is_refused(piecework, file):
    piecework("submit", "probe", file({"do": "done"}), "--idempotency-key", "k1")

    code, _, err = piecework("submit", "probe", file({"do": "skip"}), "--idempotency-key", "k1")

    assert code == 2
    assert "use a new key for a new batch" in err


def test_batches_are_listed_by_filters(told, api, dead):
    api.submit({"do": "done"})

    assert [one["id"] for one in told("batches", "--state", "completed_with_errors", "--since", "1h")] == [dead]
    assert [one["id"] for one in told("batches", "--function", "article")] == []
    assert len(told("batches", "--limit", "1")) == 1


def test_cancel_says_what_became_of_it(piecework, api):
    batch = api.submit({"do": "done", "n": 1}, {"do": "done", "n": 2})

    code, out, err = piecework("cancel", batch)

    assert code == 0
    assert "cancelled" in out
    assert "2 cancelled, 0 done before" in err


def test_retry_failed_lets_the_dead_wait_again(piecework, told, dead):
    assert "3 dead items wait again" in piecework("retry-failed", dead)[2]
    assert told("batch", dead)["counts"]["waiting"] == 3


def test_dead_letters_are_listed_and_one_is_shown(piecework, told, dead):
    letters = told("dead-letters", "list", "--batch", dead, "--younger-than", "1h")

    code, out, _ = piecework("dead-letters", "show", letters[0]["item_id"])

    assert [one["custom_id"] for one in letters] == ["dead-2", "dead-1", "dead-0"]
    assert code == 0
    assert "dead-2" in out
    assert "outcome" in out
    assert told("dead-letters", "list", "--older-than", "1h") == []


@pytest.mark.parametrize(("deed", "done"), [("replay", "replayed"), ("discard", "discarded")])
def test_one_dead_letter_or_all_that_fit(piecework, told, dead, deed, done):
    first = told("dead-letters", "list")[0]["item_id"]

    assert told("dead-letters", deed, first) == {done: 1}
    code, _, err = piecework("dead-letters", deed, "--batch", dead)
    assert (code, f"2 dead letters fit; add --yes to {deed} them" in err) == (2, True)
    assert f"2 {done}" in piecework("dead-letters", deed, "--batch", dead, "--yes")[2]
    assert told("dead-letters", "list") == []


@pytest.mark.parametrize("given", [[], ["--all", "--reason", "x"], ["--yes"]])
def test_which_dead_letters_has_to_be_said(piecework, given):
    code, _, err = piecework("dead-letters", "discard", *given)

    assert code == 2
    assert "ids, or a filter such as --reason, or --all" in err


def test_items_are_found_and_shown_with_their_attempts(piecework, told, dead):
    (found,) = told("items", "find", "dead-1")

    code, out, _ = piecework("items", "show", found["item_id"])

    assert found["batch_id"] == dead
    assert code == 0
    assert "dead-1" in piecework("items", "find", "dead-1")[1]
    assert told("items", "show", found["item_id"])["history"][0]["outcome"] == "dead"
    assert "hopeless" in out


def test_the_audit_tells_who_did_what(piecework, told, dead):
    piecework("retry-failed", dead)

    (deed,) = told("audit")

    assert (deed["action"], deed["affected"], deed["target"]) == ("retry_failed", 3, {"batch_id": dead})
    assert deed["at"].endswith("Z")
    assert dead in piecework("audit")[1]


def test_limits_tell_the_tier_and_what_is_left(piecework, caller_of):
    caller = caller_of(tier="premium")

    code, out, _ = piecework("limits", caller=caller)

    assert code == 0
    assert out.startswith("tier premium\n")
    assert re.search(r"submit +20 +20", out)


def test_blocked_addresses_are_for_operators(piecework, told, caller_of, database):
    database.execute("insert into address_misses values ('203.0.113.7', 20, now() + '1 minute', now() + '10 minutes')")
    operator = caller_of(operator=True)

    code, _, err = piecework("blocked")

    assert code == 4
    assert "This is for operators" in err
    assert [one["address"] for one in told("blocked", caller=operator)] == ["203.0.113.7"]
    assert "203.0.113.7" in piecework("blocked", caller=operator)[1]


def test_the_dashboard_as_tables_and_as_json(piecework, told, dead):
    code, out, _ = piecework("dashboard")

    assert code == 0
    assert told("dashboard")["items"]["states"]["dead"] == 3
    assert dead in out
    assert "hopeless" in out


def test_the_cache_is_shown_to_operators(piecework, operator):
    assert piecework("cache", caller=operator)[0] == 0
    assert json.loads(piecework("cache", "--json", caller=operator)[1])["backend"] == "memory"

    code, _, said = piecework("cache")
    assert (code, "This is for operators" in said) == (4, True)
