"""The metered call of an item: what follows from each way it can end, for the item, its quota and the books."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from shared import questions

TEXT = "A new bridge was opened in the harbour of Orsmouth. Hundreds of people came to see the first ferry pass."


def rest(database):
    (row,) = database.execute("select rests_until, rest_reason from quotas where name = 'probe'").fetchall()
    return row["rests_until"], row["rest_reason"]


def test_a_full_minute_rests_the_quota_for_every_function_on_it(deployed, enlist, item_of, gemini, database):
    gemini.faults.add({"fault": "429_minute", "retry_after": "120s"})
    first, second = enlist(do="ask"), enlist("twin", do="ask")

    answers = [deployed("probe").deliver(first).text, deployed("twin").deliver(second).text]

    assert answers == ["overloaded", "rest"]
    until, reason = rest(database)
    assert reason == "minute_quota"
    assert timedelta(seconds=90) < until - datetime.now(UTC) <= timedelta(seconds=120)
    assert item_of(first).attempts == item_of(second).attempts == 0
    assert gemini.stats.report()["requests"] == 1


def test_a_rest_that_somebody_ends_is_over_at_once(deployed, enlist, gemini, database):
    gemini.faults.add({"fault": "429_day", "count": 1})
    probe = deployed("probe")
    probe.deliver(enlist(do="ask"))

    database.execute("update quotas set rests_until = now()")

    assert probe.deliver(enlist(do="ask", n=1)).text == "done"


def test_a_spent_day_rests_the_quota_until_midnight_in_los_angeles(deployed, enlist, gemini, database):
    gemini.faults.add({"fault": "429_day"})

    answer = deployed("probe").deliver(enlist(do="ask"))

    until, reason = rest(database)
    there = (until + timedelta(seconds=30)).astimezone(ZoneInfo("America/Los_Angeles"))
    assert (answer.text, reason) == ("overloaded", "daily_quota")
    assert (there.hour, there.minute) == (0, 0)


@pytest.mark.parametrize("fault", ["500", "503", "drop"])
def test_a_model_that_fails_is_counted_against_its_quota(deployed, enlist, item_of, gemini, database, fault):
    gemini.faults.add({"fault": fault})
    item = enlist(do="ask")

    answer = deployed("probe").deliver(item)

    (breaker,) = database.execute("select name, state, failures from breakers").fetchall()
    assert (answer.status_code, answer.text) == (200, "failed")
    assert breaker == {"name": "quota:probe", "state": "closed", "failures": 1}


async def test_a_model_that_never_answers_is_counted_too(
    here, enlist, item_of, attempts_of, gemini, database, monkeypatch
):
    monkeypatch.setattr(questions, "LEAST_SECONDS", 0.1)
    monkeypatch.setattr(gemini, "least_deadline", 0)
    gemini.faults.add({"fault": "hang"})
    item = enlist(do="ask")

    answer = await here(work_seconds=2).deliver(item)

    assert (answer.status_code, item_of(item).reason) == (200, "model_silent")
    assert database.execute("select failures from breakers").fetchone()["failures"] == 1
    (attempt,) = attempts_of(item)
    assert (attempt.model_calls, attempt.tokens_in, attempt.estimated) == (1, 100, True)
    assert item_of(item).cost_usd == attempt.cost_usd > 0


def test_what_came_of_no_use_is_paid_for_all_the_same(deployed, enlist, item_of, attempts_of, gemini):
    gemini.faults.add({"fault": "truncated", "count": 1})
    item = enlist(do="ask", text=TEXT)
    deployed("probe").deliver(item)

    deployed("probe").deliver(item, retry=1)

    costs = [one.cost_usd for one in attempts_of(item)]
    assert item_of(item).state == "done"
    assert all(cost > 0 for cost in costs)
    assert item_of(item).cost_usd == sum(costs)


async def test_no_question_is_asked_when_its_answer_would_come_too_late(here, enlist, item_of, gemini):
    item = enlist(do="ask")

    answer = await here(work_seconds=10.4).deliver(item)

    assert (answer.status_code, item_of(item).reason) == (200, "out_of_time")
    assert gemini.stats.report()["requests"] == 0


async def test_work_that_has_too_little_time_left_books_no_slot(here, enlist, item_of, door, database):
    item = enlist(do="ask")

    await here(work_seconds=10.4, prepares=True).deliver(item)

    assert item_of(item).reason == "out_of_time"
    assert door.calls["claim_v1"] == 1, "the one that lets it in"
    assert database.execute("select request_slot = '-infinity' as idle from quotas where name = 'probe'").fetchone()[
        "idle"
    ]


async def test_work_in_a_hurry_takes_no_slot_that_comes_too_late_for_it(here, enlist, item_of, database, gemini):
    database.execute("update quotas set request_slot = now() + interval '8 seconds' where name = 'probe'")
    item = enlist(do="ask")

    answer = await here(work_seconds=14, prepares=True, ready_patience_seconds=18).deliver(item)

    assert (answer.text, item_of(item).reason) == ("deferred", "quota_full")
    assert gemini.stats.report()["requests"] == 0


async def test_an_answer_that_was_cut_twice_is_paid_for_no_third_time(here, enlist, item_of, attempts_of, gemini):
    item, narrow = enlist(do="ask", text=TEXT), here(max_output_tokens=5)

    answers = [(await narrow.deliver(item)).text for _ in range(2)]

    assert answers == ["failed", "dead"]
    assert (item_of(item).state, item_of(item).reason) == ("dead", "answer_cut")
    assert "max_output_tokens, 5, again: raise it in functions/probe/function.yaml" in item_of(item).error
    assert [one.tokens_out for one in attempts_of(item)] == [5, 5]


async def test_an_answer_that_was_cut_is_whole_where_more_is_allowed_since(here, enlist, item_of):
    item = enlist(do="ask", text=TEXT)
    await here(max_output_tokens=5).deliver(item)

    answer = await here(max_output_tokens=500).deliver(item)

    assert (answer.text, item_of(item).state) == ("done", "done")


ARTICLE = {"function": "article", "quota": "gemini-text"}


def test_the_model_may_read_an_article_by_itself(deployed, enlist, item_of, database):
    item = enlist(**ARTICLE, url="http://daily.test/economy/harbour-bridge", url_context=True)

    answer = deployed("article").deliver(item)

    (row,) = database.execute("select * from article_summaries").fetchall()
    assert answer.text == "done"
    assert (row["item_id"], row["read_by"]) == (item, "url_context")
    assert "bridge" in row["summary"].lower()


@pytest.mark.parametrize(
    "url",
    ["http://10.0.0.5/economy/harbour-bridge", "http://localhost/", "http://93.184.215.14:22/economy/harbour-bridge"],
)
def test_the_model_is_given_no_address_that_a_fetch_would_not_dial(deployed, enlist, item_of, gemini, url):
    item = enlist(**ARTICLE, url=url, url_context=True)

    answer = deployed("article").deliver(item)

    assert (answer.text, item_of(item).reason) == ("dead", "blocked_address")
    assert gemini.stats.report()["requests"] == 0


def test_where_the_model_could_not_read_it_the_next_dispatch_fetches_it(
    deployed, enlist, item_of, attempts_of, database, queue, gemini, sample_visits
):
    """The page fails its first two visitors: the model, then our first fetch."""
    article = deployed("article")
    item = enlist(**ARTICLE, url="http://flaky.test/transport/night-ferry", url_context=True)

    first = article.deliver(item)
    tasks = queue.waiting("gemini-text")
    second, third = article.deliver(item), article.deliver(item, retry=1)

    assert [answer.text for answer in (first, second, third)] == ["deferred", "failed", "done"]
    assert [task.item_id for task in tasks] == [item]
    assert [one.model_calls for one in attempts_of(item)] == [1, 0, 1]
    assert item_of(item).attempts == 2
    (row,) = database.execute("select * from article_summaries").fetchall()
    assert row["read_by"] == "fetch"
    assert [visit["path"] for visit in sample_visits].count("/transport/night-ferry") == 3


@pytest.mark.parametrize("url_context", [False, True])
def test_what_robots_txt_forbids_neither_we_nor_the_model_read(
    deployed, enlist, item_of, gemini, sample_visits, url_context
):
    item = enlist(**ARTICLE, url="http://keepout.test/private/ledger", url_context=url_context)

    answer = deployed("article").deliver(item)

    assert (answer.text, item_of(item).reason) == ("skipped", "robots")
    assert "http://keepout.test/robots.txt asks Piecework not to read" in item_of(item).error
    assert gemini.stats.report()["requests"] == 0
    assert "/private/ledger" not in {visit["path"] for visit in sample_visits}


@pytest.mark.parametrize(("robots", "answer"), [(True, "skipped"), (False, "done")])
async def test_the_manifest_switches_robots_txt_off(here, enlist, gemini, robots, answer):
    item = enlist(do="fetch", url="http://keepout.test/private/ledger")

    assert (await here(robots=robots).deliver(item)).text == answer
