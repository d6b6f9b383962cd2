import httpx
import pytest
from google.genai import errors
from hypothesis import given, settings
from hypothesis import strategies as st

from local.gemini.limiter import Limiter
from local.gemini.problems import Problem
from tests.gemini_server.conftest import MODEL, sdk
from tests.gemini_server.news import HARBOUR


def test_one_request_too_many_in_a_minute_is_refused_over_http(serving):
    with serving(requests_per_minute=2) as url:
        client = sdk(url)
        for _ in range(2):
            client.models.generate_content(model=MODEL, contents=HARBOUR)

        with pytest.raises(errors.ClientError) as refusal:
            client.models.generate_content(model=MODEL, contents=HARBOUR)

    assert refusal.value.details["error"]["details"][0]["violations"][0]["quotaValue"] == "2"


def test_tokens_are_a_quota_of_their_own():
    limiter = Limiter(lambda: 0.0, tokens=1_000)
    limiter.take(MODEL, 900)

    with pytest.raises(Problem) as refusal:
        limiter.take(MODEL, 101)

    quota = refusal.value.details[0]["violations"][0]
    assert quota["quotaId"] == "GenerateContentPaidTierInputTokensPerModelPerMinute"
    limiter.take(MODEL, 100)


def test_the_delay_of_a_refusal_is_long_enough():
    now = [1_000.0]
    limiter = Limiter(lambda: now[0], requests=2)
    limiter.take(MODEL, 1)
    now[0] += 20
    limiter.take(MODEL, 1)

    with pytest.raises(Problem) as refusal:
        limiter.take(MODEL, 1)

    assert refusal.value.details[2]["retryDelay"] == "40s"
    now[0] += 40
    limiter.take(MODEL, 1)


def test_models_have_a_quota_each():
    limiter = Limiter(lambda: 0.0, requests=1)

    limiter.take(MODEL, 1)
    limiter.take("gemini-3.5-flash-lite", 1)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 400)), max_size=60))
def test_no_minute_ever_holds_more_than_the_quota(arrivals):
    now = [0.0]
    limiter = Limiter(lambda: now[0], requests=5, tokens=1_000)
    taken = []

    for wait, tokens in arrivals:
        now[0] += wait
        try:
            limiter.take(MODEL, tokens)
        except Problem:
            continue
        taken.append((now[0], tokens))

    for end, _ in taken:
        minute = [tokens for at, tokens in taken if end - 60 < at <= end]
        assert len(minute) <= 5
        assert sum(minute) <= 1_000


def test_every_request_is_in_the_log_with_its_two_clocks(server):
    client = sdk(server)
    client.models.generate_content(model=MODEL, contents=HARBOUR)
    client.models.count_tokens(model=MODEL, contents=HARBOUR)

    report = httpx.get(f"{server}/control/stats?log=1").json()

    assert report["answers"] == {MODEL: {"200": 2}}
    assert [entry[2:] for entry in report["log"]] == [[MODEL, "generateContent"], [MODEL, "countTokens"]]
    assert report["log"][0][0] <= report["log"][1][0]
    assert report["tokens_by_minute"][0]["in"] > 100
    assert (report["running"], report["most_running"]) == (0, 1)


def test_a_lean_server_repeats_the_first_answer_to_a_schema(serving):
    config = {"response_mime_type": "application/json"}

    with serving(lean=True) as url:
        client = sdk(url)
        first = client.models.generate_content(model=MODEL, contents=HARBOUR, config=config)
        second = client.models.generate_content(model=MODEL, contents="Another page entirely.", config=config)

    assert first.text == second.text
    assert "Harbour bridge closes" in first.text


def test_a_lean_server_cuts_an_answer_too(serving):
    config = {"response_mime_type": "application/json", "max_output_tokens": 7}

    with serving(lean=True) as url:
        client = sdk(url)
        cut = client.models.generate_content(model=MODEL, contents=HARBOUR, config=config)

    assert cut.candidates[0].finish_reason == "MAX_TOKENS"
    assert cut.usage_metadata.candidates_token_count == 7


def test_answers_and_slow_faults_take_the_time_they_are_told(serving):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    with serving(lean=True, latency=0.3, jitter=0.1, sleep=sleep) as url:
        httpx.post(f"{url}/control/faults", json={"fault": "slow", "delay": 7, "count": 1})
        client = sdk(url)
        answers = [client.models.generate_content(model=MODEL, contents=HARBOUR).text for _ in range(20)]

    assert all(answers)
    assert slept[0] == 7
    assert all(0.2 <= seconds <= 0.4 for seconds in slept[1:])
    assert len(set(slept[1:])) > 10
