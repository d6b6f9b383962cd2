"""piecework run and batch: what is sent, what is shown, how it ends."""

import io
import re
import sys

URLS = ("http://daily.test/a", "http://daily.test/paywall", "http://daily.test/b")


def test_run_sends_one_batch_and_says_how_to_follow_it(piecework, api, urls):
    given = ("language=sv", "sentences=3", "name=NaN")
    ran = piecework("run", "article", urls(*URLS), *(word for one in given for word in ("--option", one)))

    ((_, body),) = api.posts
    assert body == {
        "function": "article",
        "items": [{"url": url} for url in URLS],
        "options": {"language": "sv", "sentences": 3, "name": "NaN"},
    }
    assert ran.code == 0
    assert "piecework batch b1 --wait" in ran.err
    assert "b1" in ran.out


def test_wait_ends_with_outcomes_reasons_and_cost(piecework, api, urls):
    api.pace = 1

    ran = piecework("run", "article", urls(*URLS), "--wait")

    assert ran.code == 0
    assert re.search(r"done +2", ran.out)
    assert re.search(r"skipped +paywall +1", ran.out)
    assert "3 items, 3,000 tokens  $0.0030" in ran.out


def test_without_a_terminal_progress_is_plain_lines_on_standard_error(piecework, api, urls):
    api.pace = 1

    ran = piecework("run", "article", urls(*URLS), "--wait")

    assert "1/3 33%  done 1  60/min  eta 2s  1,000 tokens  $0.0010" in ran.err
    assert "3/3 100%  done 2  skipped 1  3,000 tokens  $0.0030" in ran.err
    assert "\x1b" not in ran.err + ran.out
    assert "\r" not in ran.err + ran.out


def test_details_shows_a_row_per_item(piecework, urls):
    ran = piecework("run", "article", urls(*URLS), "--wait", "--details")

    assert re.search(r"http://daily.test/a +done +Title 0", ran.out)
    assert re.search(r"http://daily.test/paywall +skipped +paywall", ran.out)


def test_a_title_from_the_web_cannot_steer_the_terminal(piecework, api, urls):
    api.titles["http://daily.test/a"] = "\x1b]0;owned\x07[red]Title[/red]"

    ran = piecework("run", "article", urls("http://daily.test/a"), "--wait", "--details")

    assert "]0;owned [red]Title[/red]" in ran.out
    assert "\x1b" not in ran.out


def test_dead_items_end_with_exit_code_one_unless_told_otherwise(piecework, urls):
    file = urls("http://daily.test/huge")

    strict = piecework("run", "article", file, "--wait")
    lenient = piecework("run", "article", file, "--wait", "--fail-on", "none")

    assert (strict.code, lenient.code) == (1, 0)
    assert re.search(r"dead +too_large +1", strict.out)


def test_bad_lines_are_listed_and_the_good_ones_sent(piecework, api, urls):
    ran = piecework("run", "article", urls("http://daily.test/a", "nonsense", "http://daily.test/b"))

    assert ran.code == 0
    assert "line 2: 'nonsense' is no http or https URL" in ran.err
    assert len(api.posts[0][1]["items"]) == 2


def test_strict_sends_nothing_when_a_line_is_bad(piecework, api, urls):
    ran = piecework("run", "article", urls("http://daily.test/a", "nonsense"), "--strict")

    assert ran.code == 2
    assert api.posts == []


def test_a_file_with_nothing_to_send_is_bad_input(piecework, api, urls):
    assert piecework("run", "article", urls("# nothing")).code == 2
    assert api.posts == []


def test_standard_input_is_read_for_a_dash(piecework, api, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b"http://daily.test/a\n")))

    ran = piecework("run", "article", "-")

    assert ran.code == 0
    assert api.posts[0][1]["items"] == [{"url": "http://daily.test/a"}]


def test_more_items_than_a_batch_holds_become_several_watched_as_one(piecework, api, urls, monkeypatch):
    monkeypatch.setattr("cli.submit.MAX_ITEMS", 2)

    ran = piecework("run", "article", urls(*URLS), "--wait", "--details")

    assert [len(body["items"]) for _, body in api.posts] == [2, 1]
    assert "3/3 100%" in ran.err
    assert ran.out.count("http://daily.test/") == 3


def test_more_bytes_than_a_request_carries_become_several_batches(piecework, api, urls, monkeypatch):
    monkeypatch.setattr("cli.submit.MAX_BYTES", 100)

    piecework("run", "article", urls(*URLS))

    assert [len(body["items"]) for _, body in api.posts] == [2, 1]


def test_waiting_for_a_cancelled_batch_ends(piecework, api, urls):
    piecework("run", "article", urls(*URLS))
    api.pace, api.state = 0, "cancelled"

    assert piecework("batch", "b1", "--wait").code == 0


def test_a_repeat_after_a_lost_answer_is_the_same_batch(piecework, api, urls):
    api.lost_answers = 1

    ran = piecework("run", "article", urls(*URLS), "--wait")

    (first, _), (second, _) = api.posts
    assert first == second
    assert len(api.batches) == 1
    assert ran.code == 0


def test_the_same_file_given_again_is_a_batch_of_its_own(piecework, api, urls):
    file = urls(*URLS)

    piecework("run", "article", file)
    piecework("run", "article", file)

    assert len({key for key, _ in api.posts}) == 2
    assert len(api.batches) == 2


def test_fresh_asks_for_the_work_to_be_done_anew(piecework, api, urls):
    piecework("run", "article", urls(*URLS), "--fresh")

    assert api.posts[0][1]["options"] == {"fresh": True}


def test_a_backlog_is_taken_anew_each_time(piecework, api):
    piecework("run", "article", "--backlog", "--limit", "5")
    ran = piecework("run", "article", "--backlog", "--limit", "5", "--wait")

    assert api.posts[0][1] == {"function": "article", "source": "backlog", "dry_run": False, "limit": 5}
    assert len(api.batches) == 2
    assert re.search(r"done +5", ran.out)


def test_a_dry_run_only_says_what_would_happen(piecework, api):
    ran = piecework("run", "article", "--backlog", "--limit", "50", "--dry-run")

    assert api.batches == {}
    assert ran.out == (
        "Would enlist 50 items, 2 under way already: about 10s at 300 a minute through queue gemini-text.\n"
    )


def test_waiting_outlasts_an_api_that_restarts(piecework, api, urls, monkeypatch):
    monkeypatch.setattr("cli.watch.LAST_POLL_SECONDS", 0.001)
    piecework("run", "article", urls(*URLS))
    api.pace = 2
    api.failures = [0, *[503] * 8]

    ran = piecework("batch", "b1", "--wait")

    assert ran.code == 0
    assert ran.err.count("Still waiting.") == 1
    assert "3/3 100%" in ran.err


def test_an_api_that_stays_away_ends_the_wait(piecework, api, urls, monkeypatch):
    monkeypatch.setattr("cli.watch.LAST_POLL_SECONDS", 0.001)
    monkeypatch.setattr("cli.watch.PATIENCE_SECONDS", 0.0)
    piecework("run", "article", urls(*URLS))
    api.failures = [0, *[503] * 100]

    assert piecework("batch", "b1", "--wait").code == 3


def test_a_timeout_ends_with_five_and_says_how_to_come_back(piecework, api, urls):
    api.pace = 0

    ran = piecework("run", "article", urls(*URLS), "--wait", "--timeout", "0.1")

    assert ran.code == 5
    assert ran.err.splitlines()[-1] == (
        "piecework: Not ended in time (0 of 3); come back with: piecework batch b1 --wait"
    )


def test_batches_lists_them_and_batch_shows_one(piecework, urls):
    piecework("run", "article", urls("http://daily.test/a"))
    piecework("run", "article", urls("http://daily.test/b"))

    listed = piecework("batches")
    shown = piecework("batch", "b2", "--json")

    assert re.findall(r"^b\d", listed.out, re.MULTILINE) == ["b1", "b2"]
    assert '"id": "b2"' in shown.out
