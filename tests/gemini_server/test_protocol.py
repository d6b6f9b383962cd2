import httpx
import pytest
from google.genai import errors

from tests.gemini_server.conftest import MODEL, sdk
from tests.gemini_server.news import HARBOUR

BODY = {"contents": [{"parts": [{"text": HARBOUR}]}]}


def post(server, method="generateContent", *, json=BODY, key="k", model=MODEL, version="v1beta"):
    headers = {} if key is None else {"x-goog-api-key": key}
    return httpx.post(f"{server}/{version}/models/{model}:{method}", json=json, headers=headers, timeout=30)


def test_a_missing_key_is_refused_as_google_does(server):
    answer = post(server, key=None)

    assert answer.status_code == 403
    assert answer.json()["error"]["status"] == "PERMISSION_DENIED"


@pytest.mark.parametrize("key", ["", "invalid"])
def test_a_bad_key_is_refused_as_google_does(server, key):
    answer = post(server, key=key)

    assert answer.status_code == 400
    assert answer.json()["error"]["details"][0]["reason"] == "API_KEY_INVALID"


def test_an_unknown_model_is_not_found(client):
    with pytest.raises(errors.ClientError) as refusal:
        client.models.generate_content(model="gemini-0", contents="x")

    assert (refusal.value.code, refusal.value.status) == (404, "NOT_FOUND")
    assert "models/gemini-0 is not found" in refusal.value.message


def test_a_model_that_embeds_does_not_generate(client):
    with pytest.raises(errors.ClientError) as refusal:
        client.models.generate_content(model="gemini-embedding-001", contents="x")

    assert refusal.value.code == 404


def test_models_are_listed_and_described(client):
    names = [model.name for model in client.models.list()]

    assert f"models/{MODEL}" in names
    assert "generateContent" in client.models.get(model=MODEL).supported_actions


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        {"contents": []},
        {"contents": ["x"], "generationConfig": 5},
        {**BODY, "generationConfig": {"responseSchema": {"type": "STRING"}}},
        {**BODY, "generationConfig": {"responseMimeType": "image/png"}},
        {**BODY, "generationConfig": {"maxOutputTokens": 0}},
        {"contents": [{"parts": [{"inlineData": {"data": "%%", "mimeType": "image/png"}}]}]},
    ],
)
def test_a_request_the_protocol_does_not_know_is_an_invalid_argument(server, body):
    answer = post(server, json=body)

    assert answer.status_code == 400
    assert answer.json()["error"]["status"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize("milliseconds", [5000, 9000])
def test_a_deadline_below_ten_seconds_is_refused_in_the_words_of_the_api(client, milliseconds):
    with pytest.raises(errors.ClientError) as refusal:
        client.models.generate_content(
            model=MODEL, contents="x", config={"http_options": {"timeout": milliseconds}}
        )  # fmt: skip

    seconds = milliseconds // 1000
    words = f"Manually set deadline {seconds}s is too short. Minimum allowed deadline is 10s."
    assert (refusal.value.code, refusal.value.status) == (400, "INVALID_ARGUMENT")
    assert refusal.value.message == words


def test_a_deadline_of_ten_seconds_is_taken(client):
    assert client.models.generate_content(model=MODEL, contents="x", config={"http_options": {"timeout": 10_000}}).text


def test_what_is_no_json_is_an_invalid_argument(server):
    url = f"{server}/v1/models/{MODEL}:generateContent"

    answer = httpx.post(url, content=b"{", headers={"x-goog-api-key": "k"})

    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("Invalid JSON payload received.")


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_both_versions_answer_in_googles_shape(server, version):
    answer = post(server, version=version).json()

    assert answer["candidates"][0]["finishReason"] == "STOP"
    assert answer["candidates"][0]["content"]["role"] == "model"
    assert answer["modelVersion"] == f"{MODEL}-offline-extractive"
    assert answer["responseId"]


def test_counted_tokens_are_the_tokens_that_are_charged(client):
    counted = client.models.count_tokens(model=MODEL, contents=HARBOUR).total_tokens

    usage = client.models.generate_content(model=MODEL, contents=HARBOUR).usage_metadata

    assert usage.prompt_token_count == counted
    assert usage.total_token_count == usage.prompt_token_count + usage.candidates_token_count
    assert 150 < counted < 400


def test_an_answer_ends_at_max_output_tokens(client):
    whole = client.models.generate_content(model=MODEL, contents=HARBOUR).text

    cut = client.models.generate_content(model=MODEL, contents=HARBOUR, config={"max_output_tokens": 7})

    assert cut.candidates[0].finish_reason == "MAX_TOKENS"
    assert cut.usage_metadata.candidates_token_count == 7
    assert whole.startswith(cut.text)
    assert cut.text != whole


def test_a_stream_brings_the_same_text_in_pieces(client):
    whole = client.models.generate_content(model=MODEL, contents=HARBOUR).text

    pieces = list(client.models.generate_content_stream(model=MODEL, contents=HARBOUR))

    assert len(pieces) > 2
    assert "".join(piece.text for piece in pieces) == whole
    assert [bool(piece.candidates[0].finish_reason) for piece in pieces] == [False] * (len(pieces) - 1) + [True]


async def test_the_asynchronous_client_gets_the_same_answers(server):
    client = sdk(server)

    answer = await client.aio.models.generate_content(model=MODEL, contents=HARBOUR)
    pieces = [
        piece.text async for piece in await client.aio.models.generate_content_stream(model=MODEL, contents=HARBOUR)
    ]

    assert "".join(pieces) == answer.text
