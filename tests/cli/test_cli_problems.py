"""Every problem is one line that says what to do, with its exit code, and never the key."""

import re

import pytest

WRONG_KEY = "pw_secret_9876543210"


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--key", WRONG_KEY, "batches"], 4, "check PIECEWORK_KEY or --key"),
        (["--key", "pw_\u20ac", "batches"], 2, "The key holds characters no key has"),
        (["--url", "http://127.0.0.1:1", "batches"], 3, "is it up? Locally: piecework up."),
        (["--url", "nonsense", "batches"], 2, "is no API address"),
        (["--url", "http://x:99999", "batches"], 2, "is no API address"),
        (["--url", "http://user:word@x", "batches"], 2, "is no API address"),
        (["batch", "nope"], 2, "404 Not Found: no such batch"),
        (["batch", "../../health"], 2, "is no id"),
        (["run", "article"], 2, "Give either a file of URLs"),
        (["run", "article", "--backlog", "urls.txt"], 2, "Give either a file of URLs"),
        (["run", "article", "urls.txt", "--limit", "3"], 2, "--limit and --dry-run go with --backlog"),
        (["run", "article", "/nowhere/urls.txt"], 2, "cannot be read: No such file or directory"),
        (["run", "article", "--backlog", "--option", "x"], 2, "is not K=V"),
        (["run", "article", "--backlog", "--limit", "0"], 2, "See piecework --help."),
        (["run", "--nope"], 2, "See piecework --help."),
        (["nope"], 2, "See piecework --help."),
        (["results", "b1", "--json", "--csv"], 2, "Choose one of"),
        (["results", "b1", "--csv", "--out", "."], 2, ". is a folder; choose another --out."),
        (["poster", "report", "urls.html", "--limit", "9" * 20], 2, "See piecework --help."),
        (["run", "article", "--backlog", "--option", 'x="\\ud800"'], 2, "--option: half of a character pair"),
        (["run", "\udcff", "--backlog"], 2, r"'\udcff' cannot stand here"),
        (["items", "find", "\udcff"], 2, r"'\udcff' cannot stand here"),
        (["batches", "--since", "0001-01-01T00:00+23:00"], 2, "is no moment"),
    ],
)
def test_a_problem_is_one_line_with_its_code(piecework, arguments, code, told):
    ran = piecework(*arguments)

    assert ran.code == code
    assert told in ran.err
    assert ran.err.count("\n") == 1
    assert ran.out == ""
    assert WRONG_KEY not in ran.err


def test_a_503_is_tried_again_before_it_is_told(piecework, api):
    api.failures = [503, 502, 503]

    assert piecework("batches").code == 0


def test_an_api_that_stays_unready_is_told(piecework, api):
    api.failures = [503] * 10

    ran = piecework("batches")

    assert ran.code == 3
    assert len(api.failures) == 6
    assert "is not ready (503 Service Unavailable: told to fail)" in ran.err


def test_what_is_no_piecework_api_is_told(piecework, api):
    ran = piecework("--url", f"{api.url}/metrics", "batches")

    assert ran.code == 2
    assert "did not take this (404 Not Found)" in ran.err


def test_an_answer_that_is_no_json_is_told(piecework, api, monkeypatch):
    monkeypatch.setattr("cli.client._segment", lambda _: "../../metrics")

    ran = piecework("batch", "b1")

    assert ran.code == 3
    assert "did not answer as a Piecework API does" in ran.err


def test_health_shows_the_checks_and_quotas(piecework):
    ran = piecework("health")

    assert ran.code == 0
    assert ran.out.startswith("ok\n")
    assert re.search(r"database +ok +3 ms", ran.out)
    assert re.search(r"queue gemini-text +running", ran.out)
    assert re.search(r"breaker slow.test +open +for 1m30s", ran.out)
    assert re.search(r"gemini-text +300 +7 +2", ran.out)
    assert "fine.test" not in ran.out


def test_an_api_that_is_down_ends_health_with_three(piecework, api):
    api.status = "down"

    ran = piecework("health")

    assert ran.code == 3
    assert ran.out.startswith("down\n")


def test_metrics_are_passed_through(piecework):
    assert piecework("metrics").out == "piecework_items_total 5\n"
