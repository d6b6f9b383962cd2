"""The model's ways not to answer, through the real SDK against the offline server."""

import asyncio
from datetime import UTC, date, datetime

import pytest
from pydantic import BaseModel

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
