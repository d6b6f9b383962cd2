"""What the engine relies on of Gemini."""

import pytest

from functions.article.prompt import PROMPT, fence
from functions.article.summary import Summary
from shared.errors import Failed, Overloaded
from shared.gemini import Bounds, Gemini
from shared.items import Spent
from shared.settings import Settings

MODEL = "gemini-3.5-flash-lite"
BOUNDS = Bounds(60, 8192)
TEXT = (
    "Orsmouth opened its new harbour bridge on Monday. The bridge is 340 metres long and cost 88 million crowns. "
    "Mayor Ida Lindqvist cut the ribbon before some 2,000 people. Lorries no longer have to cross the old town, which "
    "had seen eleven accidents last year. The old bridge will become a path for walkers in spring."
)


async def at_once() -> None:
    """The call leaves as soon as it is ready."""


async def test_a_typed_question_gets_a_typed_answer_and_its_price(gemini_settings: Settings):
    spent: list[Spent] = []

    answer = await Gemini(gemini_settings).ask(
        gemini_settings.gemini_model or MODEL,
        PROMPT,
        fence(TEXT),
        Summary,
        bounds=BOUNDS,
        spend=spent.append,
        leave=at_once,
    )

    assert answer.value.language == "en"
    assert "bridge" in answer.value.summary.lower()
    assert answer.tokens_in > 100
    assert answer.tokens_out > 20
    assert spent[0].tokens_in == answer.tokens_in
    assert answer.cost_usd > 0


async def test_a_refused_key_rests_the_quota(gemini_settings: Settings):
    wrong = gemini_settings.model_copy(update={"gemini_api_key": type(gemini_settings.gemini_api_key)("invalid")})

    with pytest.raises(Overloaded) as raised:
        await Gemini(wrong).ask(MODEL, PROMPT, fence(TEXT), Summary, bounds=BOUNDS, spend=lambda _: None, leave=at_once)

    assert raised.value.reason == "model_setting"


async def test_an_unknown_model_rests_the_quota(gemini_settings: Settings):
    with pytest.raises(Overloaded) as raised:
        await Gemini(gemini_settings).ask(
            "gemini-0-none", PROMPT, fence(TEXT), Summary, bounds=BOUNDS, spend=lambda _: None, leave=at_once
        )

    assert raised.value.reason == "model_setting"


async def test_a_deadline_below_ten_seconds_is_refused_in_words_that_mean_another_try(gemini_settings: Settings):
    with pytest.raises(Failed) as raised:
        await Gemini(gemini_settings).ask(
            gemini_settings.gemini_model or MODEL, PROMPT, fence(TEXT), Summary,
            bounds=Bounds(5, 8192), spend=lambda _: None, leave=at_once,
        )  # fmt: skip

    assert raised.value.reason == "deadline_too_short"
