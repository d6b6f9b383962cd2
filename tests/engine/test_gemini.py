"""The model's ways not to answer, through the real SDK against the offline server."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel

from shared import questions
from shared.errors import AnswerCut, Failed, ModelFailed, ModelSilent, Outcome, Overloaded, Rejected
from shared.gemini import Bounds, Gemini, overloaded, seconds_to_midnight_pacific
from shared.items import Spent
from shared.model_answers import parse
from shared.prices import cost_usd, prices
from shared.questions import SlotMissed
from tests.engine.here import settings_of
from tests.engine.running import free_port

TEXT = "A new bridge was opened in the harbour of Orsmouth. Hundreds of people came to see the first ferry pass."
MODEL = "gemini-3.5-flash-lite"
RESERVED = 1000


class Said(BaseModel):
    title: str
    summary: str


async def at_once():
    """The call leaves as soon as it is ready."""


@pytest.fixture
def ask(environment, gemini):
    """Ask once; `spent` is what the caller was told that it paid."""
    spent = []

    async def ask(model=MODEL, *, seconds=20.0, output_tokens=8192, leave=at_once, now=None, **differs):
        client = Gemini(settings_of(environment, **differs), *([now] if now else []))
        bounds = Bounds(seconds, output_tokens, RESERVED)
        return await client.ask(model, "Summarise this.", TEXT, Said, bounds=bounds, spend=spent.append, leave=leave)

    ask.spent = spent
    return ask


async def test_an_answer_comes_typed_and_priced(ask):
    answer = await ask()

    assert answer.value.summary
    assert answer.tokens_in > 0
    assert answer.cost_usd == cost_usd(MODEL, answer.tokens_in, answer.tokens_out, datetime.now(UTC).date())
    assert ask.spent == [Spent(1, answer.tokens_in, answer.tokens_out, answer.cost_usd)]


@pytest.mark.parametrize(("day", "price"), [(date(2026, 12, 31), 0.75), (date(2027, 1, 1), 1.50)])
async def test_a_call_costs_what_its_day_does(ask, day, price):
    answer = await ask("gemini-3.8-flash", now=lambda: datetime(day.year, day.month, day.day, 12, tzinfo=UTC))

    assert answer.cost_usd == pytest.approx((answer.tokens_in * price + answer.tokens_out * price * 5) / 1e6, abs=1e-8)


async def test_a_model_without_a_price_is_used_and_warned_about(ask, capsys):
    answer = await ask("gemini-2.5-pro")

    assert answer.cost_usd == 0
    assert '"message": "no_price"' in capsys.readouterr().out


def test_every_model_has_a_price_for_every_day():
    assert all(rows[-1].until is None for rows in prices().values())


FAULTS = {
    "429_minute": (Overloaded, "minute_quota"),
    "429_day": (Overloaded, "daily_quota"),
    "400_billing": (Overloaded, "model_setting"),
    "402": (Overloaded, "model_setting"),
    "499": (ModelFailed, "model_error"),
    "500": (ModelFailed, "model_error"),
    "503": (ModelFailed, "model_error"),
    "drop": (ModelSilent, "model_silent"),
    "hang": (ModelSilent, "model_silent"),
    "truncated": (AnswerCut, "answer_cut"),
    "unsafe": (Rejected, "unsafe"),
    "recitation": (Rejected, "unsafe"),
    "blocked_prompt": (Rejected, "unsafe"),
    "garbage": (Failed, "answer_no_json"),
    "empty": (Failed, "answer_no_json"),
}
PAID = {"drop", "hang", "truncated", "unsafe", "recitation", "blocked_prompt", "garbage", "empty"}


@pytest.mark.parametrize("fault", FAULTS)
async def test_each_way_not_to_answer_has_its_consequence(ask, gemini, fault, monkeypatch):
    kind, reason = FAULTS[fault]
    monkeypatch.setattr(gemini, "least_deadline", 0)
    gemini.faults.add({"fault": fault})

    with pytest.raises(Outcome) as raised:
        await ask(seconds=0.5 if fault == "hang" else 20.0)

    assert type(raised.value) is kind
    assert raised.value.reason == reason
    assert gemini.stats.report()["requests"] == 1, "the SDK must not try again by itself"
    assert [one.model_calls for one in ask.spent] == [1] * (fault in PAID)
    assert all(one.tokens_in > 0 for one in ask.spent)


@pytest.mark.parametrize("fault", ["drop", "hang"])
async def test_a_call_that_was_never_answered_is_taken_to_cost_what_was_reserved(ask, gemini, fault, monkeypatch):
    monkeypatch.setattr(gemini, "least_deadline", 0)
    gemini.faults.add({"fault": fault})

    with pytest.raises(ModelSilent):
        await ask(seconds=0.5)

    price = cost_usd(MODEL, RESERVED, 0, datetime.now(UTC).date())
    assert ask.spent == [Spent(1, RESERVED, 0, price, estimated=True)]


async def test_a_call_that_was_given_up_on_its_way_is_taken_to_cost_that_too(ask, gemini):
    gemini.faults.add({"fault": "hang"})

    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.5):
            await ask()

    assert [(one.tokens_in, one.estimated) for one in ask.spent] == [(RESERVED, True)]


async def test_where_nobody_was_reached_nothing_is_spent(ask):
    with pytest.raises(ModelFailed) as raised:
        await ask(gemini_base_url=f"http://127.0.0.1:{free_port()}")

    assert (type(raised.value), raised.value.reason) == (ModelFailed, "model_silent")
    assert ask.spent == []


async def test_a_call_that_may_not_leave_any_more_sends_nothing(ask, gemini):
    async def too_late():
        raise SlotMissed

    with pytest.raises(SlotMissed):
        await ask(leave=too_late)

    assert gemini.stats.report()["requests"] == 0
    assert ask.spent == []


async def test_its_bytes_wait_until_they_may_leave(ask, gemini):
    may_go, ready = asyncio.Event(), asyncio.Event()

    async def leave():
        ready.set()
        await may_go.wait()

    answer = asyncio.create_task(ask(leave=leave))
    await ready.wait()
    requests_before = gemini.stats.report()["requests"]
    may_go.set()

    assert (await answer).value.summary
    assert requests_before == 0
    assert gemini.stats.report()["requests"] == 1


async def test_a_deadline_that_is_too_short_for_the_model_is_no_final_word(ask):
    with pytest.raises(Failed) as raised:
        await ask(seconds=5)

    assert (type(raised.value), raised.value.reason) == (Failed, "deadline_too_short")
    assert "Manually set deadline 5s is too short. Minimum allowed deadline is 10s" in raised.value.detail
    assert ask.spent == []


async def test_an_answer_is_cut_at_its_longest_length(ask):
    with pytest.raises(AnswerCut) as raised:
        await ask(output_tokens=5)

    assert raised.value.memo == {"answer_cut": 5}
    assert [one.tokens_out for one in ask.spent] == [5]


def test_the_sdk_is_told_to_send_nothing_again(environment):
    """Left out, it does where aiohttp is installed."""
    client = Gemini(settings_of(environment)).warm_up()

    assert client._api_client._http_options.retry_options.attempts == 1


async def test_a_fenced_answer_is_an_answer(ask, gemini):
    gemini.faults.add({"fault": "fenced"})

    assert (await ask()).value.summary


@pytest.mark.parametrize(
    ("model", "key", "said"),
    [
        (MODEL, "invalid", "check GEMINI_API_KEY and the model"),
        (MODEL, "", "GEMINI_API_KEY is not set"),
        ("gemini-0-none", "some", "check GEMINI_API_KEY and the model"),
    ],
)
async def test_a_wrong_setting_rests_the_quota_and_says_which(ask, model, key, said):
    with pytest.raises(Overloaded) as raised:
        await ask(model, gemini_api_key=key)

    assert raised.value.reason == "model_setting"
    assert said in raised.value.detail


def test_a_rest_is_as_long_as_the_longest_delay_that_was_named():
    def said(*delays):
        return {"error": {"details": [{"retryDelay": delay} for delay in delays]}}

    assert overloaded(said("7s", "33.5s", "soon"), "", datetime.now(UTC)).seconds == 33.5
    assert overloaded(said(), "", datetime.now(UTC)).seconds == 30
    assert overloaded("<html>", "", datetime.now(UTC)).seconds == 30


@pytest.mark.parametrize(
    "said",
    [
        {"error": "Too many requests"},
        {"error": 0},
        {"error": {"details": 1}},
        {"error": {"details": [1, {"violations": 1}, {"violations": ["a"]}]}},
        ["a"],
        None,
    ],
)
def test_a_429_in_other_words_rests_the_quota_too(said):
    """A gateway before the model has its own."""
    assert overloaded(said, "", datetime.now(UTC)).reason == "minute_quota"


def test_what_no_database_holds_is_left_out_of_an_answer():
    said = parse(r'{"title": "Ferry\u0000 \ud83d sails \ud83d\ude00", "summary": "S"}', Said)

    assert said.title == "Ferry  sails 😀"


@pytest.mark.parametrize("text", ["9" * 5000, "[" * 100_000, '{"title": ' * 50_000, "NaN"])
def test_json_without_end_is_none(text):
    with pytest.raises(Failed) as raised:
        parse(text, Said)

    assert raised.value.reason in {"answer_no_json", "answer_misfit"}


@pytest.mark.parametrize(("delay", "seconds"), [("0s", 1), ("0.02s", 1), ("999999999s", 86_400)])
def test_a_rest_is_neither_none_nor_for_ever(delay, seconds):
    said = {"error": {"details": [{"retryDelay": delay}]}}

    assert overloaded(said, "", datetime.now(UTC)).seconds == seconds


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 7, 1, 6, 0, tzinfo=UTC), 1),  # 23:00 in Los Angeles
        (datetime(2026, 12, 1, 8, 0, tzinfo=UTC), 24),  # midnight there
        (datetime(2026, 3, 8, 8, 0, tzinfo=UTC), 23),  # the day that loses an hour
        (datetime(2026, 11, 1, 7, 0, tzinfo=UTC), 25),  # the day that has one more
    ],
)
def test_a_daily_quota_begins_anew_at_midnight_in_los_angeles(now, hours):
    assert seconds_to_midnight_pacific(now) == hours * 3600


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
    assert answer.status_code == 500
    assert breaker == {"name": "quota:probe", "state": "closed", "failures": 1}


async def test_a_model_that_never_answers_is_counted_too(
    here, enlist, item_of, attempts_of, gemini, database, monkeypatch
):
    monkeypatch.setattr(questions, "LEAST_SECONDS", 0.1)
    monkeypatch.setattr(gemini, "least_deadline", 0)
    gemini.faults.add({"fault": "hang"})
    item = enlist(do="ask")

    answer = await here(work_seconds=2).deliver(item)

    assert (answer.status_code, item_of(item).reason) == (500, "model_silent")
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

    assert (answer.status_code, item_of(item).reason) == (500, "out_of_time")
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
