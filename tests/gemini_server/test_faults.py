import asyncio
import json
import random

import httpx
import pytest
from google.genai import errors

from local.gemini.faults import Faults
from local.gemini.problems import Problem
from tests.gemini_server.conftest import MODEL, sdk
from tests.gemini_server.news import HARBOUR, Summary

CONFIG = {"response_mime_type": "application/json", "response_schema": Summary}


@pytest.fixture
def break_with(server):
    return lambda *rules: httpx.post(f"{server}/control/faults", json=list(rules)).raise_for_status()


def ask(client):
    return client.models.generate_content(model=MODEL, contents=HARBOUR, config=CONFIG)


@pytest.mark.parametrize(
    ("fault", "quota"),
    [
        ("429_minute", "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"),
        ("429_day", "GenerateRequestsPerDayPerProjectPerModel-FreeTier"),
    ],
)
def test_a_spent_quota_says_which_and_when_to_come_back(client, break_with, fault, quota):
    break_with({"fault": fault, "count": 1, "retry_after": "33s"})

    with pytest.raises(errors.ClientError) as refusal:
        ask(client)

    failure, help_, retry = refusal.value.details["error"]["details"]
    assert (refusal.value.code, refusal.value.status) == (429, "RESOURCE_EXHAUSTED")
    assert failure["violations"][0]["quotaId"] == quota
    assert help_["links"][0]["url"].startswith("https://ai.google.dev/")
    assert retry == {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "33s"}
    assert ask(client).parsed


@pytest.mark.parametrize(("fault", "status"), [("500", "INTERNAL"), ("503", "UNAVAILABLE")])
def test_a_server_error_has_googles_words(client, break_with, fault, status):
    break_with({"fault": fault, "count": 1})

    with pytest.raises(errors.ServerError) as refusal:
        ask(client)

    assert (refusal.value.code, refusal.value.status) == (int(fault), status)


@pytest.mark.parametrize(("fault", "reason"), [("unsafe", "SAFETY"), ("recitation", "RECITATION")])
def test_a_stopped_candidate_has_no_content(client, break_with, fault, reason):
    break_with({"fault": fault, "count": 1})

    candidate = ask(client).candidates[0]

    assert candidate.finish_reason == reason
    assert candidate.content is None


def test_a_blocked_prompt_has_no_candidate(client, break_with):
    break_with({"fault": "blocked_prompt", "count": 1})

    answer = ask(client)

    assert answer.candidates is None
    assert answer.prompt_feedback.block_reason == "PROHIBITED_CONTENT"


def test_a_truncated_answer_says_so_and_does_not_parse(client, break_with):
    break_with({"fault": "truncated", "count": 1})

    answer = ask(client)

    assert answer.candidates[0].finish_reason == "MAX_TOKENS"
    assert answer.parsed is None


def test_a_fenced_answer_holds_the_json_after_a_sentence(client, break_with):
    break_with({"fault": "fenced", "count": 1})

    answer = ask(client)

    sentence, _, rest = answer.text.partition("```json\n")
    assert sentence.strip().endswith(".")
    assert Summary.model_validate_json(rest.removesuffix("\n```"))


@pytest.mark.parametrize("fault", ["garbage", "empty"])
def test_spoilt_text_ends_as_if_all_were_well(client, break_with, fault):
    break_with({"fault": fault, "count": 1})

    answer = ask(client)

    assert answer.candidates[0].finish_reason == "STOP"
    with pytest.raises(ValueError, match=r"Expecting|Extra data|Unterminated|Invalid"):
        json.loads(answer.text or "")


def test_a_dropped_connection_brings_no_answer(server, break_with):
    break_with({"fault": "drop", "count": 1})

    with pytest.raises(httpx.RemoteProtocolError):
        httpx.post(
            f"{server}/v1/models/{MODEL}:generateContent",
            json={"contents": [{"parts": [{"text": "x"}]}]},
            headers={"x-goog-api-key": "k"},
        )

    assert httpx.get(f"{server}/control/stats").json()["answers"][MODEL] == {"drop": 1}


async def test_a_hanging_request_ends_with_its_client_and_stops_nobody_else(server, break_with):
    break_with({"fault": "hang", "match": "stuck"})
    client = sdk(server)

    stuck = asyncio.create_task(client.aio.models.generate_content(model=MODEL, contents="stuck"))
    answer = await client.aio.models.generate_content(model=MODEL, contents=HARBOUR)

    assert answer.text
    assert not stuck.done()
    stuck.cancel()
    await asyncio.wait([stuck])


def test_a_rule_for_some_prompts_leaves_the_others_alone(client, break_with):
    break_with({"fault": "503", "match": "daily.test/poison"})

    with pytest.raises(errors.ServerError):
        client.models.generate_content(model=MODEL, contents="see daily.test/poison")

    assert ask(client).parsed


def test_deleting_the_rules_heals_the_server(client, server, break_with):
    break_with({"fault": "503"})

    httpx.delete(f"{server}/control/faults")

    assert ask(client).parsed


@pytest.mark.parametrize(
    "rule",
    [
        {"fault": "509"},
        {"fault": "503", "often": 1},
        {"fault": "503", "count": "2"},
        {"fault": "503", "retry_after": "1m"},
        5,
    ],
)
def test_a_rule_that_is_none_is_refused_with_the_words_it_may_have(server, rule):
    answer = httpx.post(f"{server}/control/faults", json=[{"fault": "500"}, rule])

    assert answer.status_code == 400
    assert httpx.get(f"{server}/control/faults").json() == {"rules": []}


def test_a_rule_ends_when_its_seconds_are_over():
    now = [100.0]
    faults = Faults(lambda: now[0])
    faults.add({"fault": "503", "seconds": 10})

    during = faults.strike(MODEL, "x")
    now[0] += 10

    assert during is not None
    assert faults.strike(MODEL, "x") is None


def test_a_probability_is_kept_and_a_seed_repeats_it():
    def struck(seed):
        faults = Faults(lambda: 0.0)
        faults.add({"fault": "503", "probability": 0.3, "seed": seed})
        return [faults.strike(MODEL, "x") is not None for _ in range(2_000)]

    seed = random.randrange(1_000)

    assert struck(7) == struck(7)
    assert 450 < sum(struck(7)) < 750
    assert struck(seed) != struck(seed + 1)


def test_the_first_rule_that_fires_wins():
    faults = Faults(lambda: 0.0)
    faults.add([{"fault": "503", "count": 1}, {"fault": "500"}])

    struck = [faults.strike(MODEL, "x").fault for _ in range(3)]

    assert struck == ["503", "500", "500"]


def test_a_refusal_of_one_rule_takes_none_of_them():
    faults = Faults(lambda: 0.0)

    with pytest.raises(Problem):
        faults.add([{"fault": "500"}, {"fault": "nonsense"}])

    assert faults.strike(MODEL, "x") is None
