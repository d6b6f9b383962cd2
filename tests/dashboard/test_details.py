"""What the page shows of single batches and items, and how it hears of them."""

import json
import re

import pytest
from playwright.async_api import Page, Route, expect

from tests.dashboard.conftest import Open
from tests.dashboard.stack import Stack
from tests.dashboard.test_dashboard import DIES, confirm, id_of, send

pytestmark = pytest.mark.asyncio(loop_scope="package")
# The letter U+202E turns the direction of what follows it around.
TURNING = "<b>" + "W" * 150 + "\u202eabc"
# Whether the time at a line's end is still written from left to right.
STRAIGHT = """(line) => {
  const letter = (place) => {
    const range = document.createRange();
    range.setStart(line.lastChild, place);
    range.setEnd(line.lastChild, place + 1);
    return range.getBoundingClientRect();
  };
  const end = line.lastChild.length;
  return letter(end - 2).left < letter(end - 1).left;
}"""
# Answers that come piece by piece, by the hand of the test. Both ways to wait go by the page's clock.
BY_HAND = """() => {
  AbortSignal.timeout = (ms) => {
    const late = new AbortController();
    setTimeout(() => late.abort(new DOMException("signal timed out", "TimeoutError")), ms);
    return late.signal;
  };
  window.fetch = async (path, { signal }) => {
    const body = new ReadableStream({
      start(stream) {
        window.answer = stream;
        signal.addEventListener("abort", () => stream.error(signal.reason));
      },
    });
    return new Response(body, { headers: { "Content-Type": "text/csv" } });
  };
}"""
ASK = """async () => {
  const folder = document.querySelector("script[type=module]").src.replace("main.js", "");
  const { Api } = await import(folder + "api.js");
  const results = new Api("pw_key").blob("/v3/batches/x/results");
  window.told = results.then((blob) => blob.text(), (problem) => [problem.constructor.name, problem.message]);
}"""
HEAR = "(text) => answer.enqueue(new TextEncoder().encode(text))"


async def of_none_of_the_newest(route: Route) -> None:
    """The page's answer with other batches than those of the test."""
    answer = await route.fetch()
    await route.fulfill(response=answer, json={**await answer.json(), "batches": []})


async def asked_by_hand(page: Page) -> None:
    await page.clock.install()
    await page.evaluate(BY_HAND)
    await page.evaluate(ASK)


async def test_the_drawer_of_a_batch_that_is_not_among_the_newest_follows_it_to_its_end(stack: Stack, open_page: Open):
    async with open_page(key=stack.operator_key) as page:
        await page.route("**/v3/monitoring/dashboard", of_none_of_the_newest)
        drawer = await send(page, *(f"http://gone.test/old/{place}" for place in range(10)))

        await expect(drawer.locator(".badge").first).to_have_text("completed")

        await expect(drawer.get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100")
        await expect(drawer.locator(".facts")).to_contain_text("Ended")
        await expect(drawer.get_by_role("button", name=re.compile("^Cancel batch"))).to_be_hidden()
        assert page.complaints == []


async def test_a_batch_that_was_over_is_asked_for_again_once_it_is_tried_again(stack: Stack, open_page: Open):
    async with open_page(key=stack.operator_key) as page:
        await page.route("**/v3/monitoring/dashboard", of_none_of_the_newest)
        drawer = await send(page, DIES)
        await expect(drawer.locator(".badge").first).to_have_text("completed with errors")
        batch = await id_of(drawer)

        await drawer.get_by_role("button", name=re.compile("^Retry failed")).click()

        async with page.expect_request(f"**/v3/batches/{batch}"):
            await confirm(page, "Retry")


async def test_results_may_take_as_long_as_something_of_them_comes(open_page: Open):
    async with open_page() as page:
        await asked_by_hand(page)

        for part in ("id,title\n", "1,Tin\n", "2,Gold\n"):
            await page.clock.run_for(20_000)
            await page.evaluate(HEAR, part)
        await page.evaluate("() => answer.close()")

        assert await page.evaluate("() => told") == "id,title\n1,Tin\n2,Gold\n"


async def test_results_that_stop_coming_are_a_problem_in_words(open_page: Open):
    async with open_page() as page:
        await asked_by_hand(page)
        await page.evaluate(HEAR, "id,title\n")

        await page.clock.run_for(31_000)

        assert await page.evaluate("() => told") == ["Problem", "Piecework was silent for 30 s."]


async def test_results_that_break_off_are_a_problem_in_words(open_page: Open):
    async with open_page() as page:
        await asked_by_hand(page)
        await page.evaluate(HEAR, "id,title\n")

        await page.evaluate("() => answer.error(new TypeError('network error'))")

        assert await page.evaluate("() => told") == ["Problem", "Piecework cannot be reached."]


async def test_a_long_name_stays_in_the_drawer_and_turns_no_other_words_around(stack: Stack, open_page: Open):
    async with open_page(key=stack.operator_key, width=390) as page:
        drawer = await send(page, json.dumps({"url": DIES, "custom_id": TURNING}))
        line = drawer.locator(".item .faint")
        await expect(line).to_contain_text("WWW")

        too_wide = await page.locator("#drawer").evaluate("(one) => one.scrollWidth > one.clientWidth")
        straight = await line.evaluate(STRAIGHT)

        assert not too_wide
        assert straight


async def test_an_item_whose_url_is_no_text_goes_by_its_callers_name(stack: Stack, open_page: Open):
    async with open_page(key=stack.operator_key) as page:
        drawer = await send(page, json.dumps({"url": {"a": 1}, "custom_id": "of-an-object"}))

        await drawer.get_by_role("button", name="of-an-object").click()

        await expect(page.get_by_role("dialog", name="Item").locator(".address")).to_have_text("of-an-object")
