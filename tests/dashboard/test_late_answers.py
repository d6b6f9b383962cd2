"""Answers that come late: they are drawn where they were asked for, or not at all."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from playwright.async_api import Page, Route, expect

from tests.dashboard.conftest import Open
from tests.dashboard.stack import Stack
from tests.dashboard.test_dashboard import submit

pytestmark = pytest.mark.asyncio(loop_scope="package")
# Each host redirects to a file: dead at the first attempt.
ONE, TWO = "http://inside.test/passwd?late=one", "http://inside.test/passwd?late=two"


@asynccontextmanager
async def held(page: Page, address: str, *, posts: bool = False) -> AsyncIterator[asyncio.Event]:
    """The first answer from there is held back until the block ends; the event says that it was asked for."""
    asked, go, through = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def hold(route: Route) -> None:
        if asked.is_set() or (posts and route.request.method != "POST"):
            await route.fallback()
            return
        asked.set()
        answer = await route.fetch()
        await go.wait()
        await route.fulfill(response=answer)
        through.set()

    await page.route(address, hold)
    yield asked
    go.set()
    await through.wait()
    # What the page does with it, it does before it draws the next frame.
    await page.evaluate("() => new Promise((resolve) => requestAnimationFrame(() => setTimeout(resolve)))")
    await page.unroute(address)


async def list_of_both(page: Page) -> None:
    """The drawer of a batch of two that both died."""
    batch = await submit(page, ONE, TWO)
    row = page.locator(f"#batches [data-batch='{batch}']")
    await expect(row.locator(".badge")).to_have_text("completed with errors")
    await row.locator("button.link").click()


async def test_an_item_that_comes_late_is_not_drawn_over_the_one_that_was_opened_since(stack: Stack, open_page: Open):
    async with open_page(key=stack.operator_key) as page:
        await list_of_both(page)
        drawer = page.get_by_role("dialog")

        async with held(page, "**/v3/items/*") as asked:
            await drawer.get_by_role("button", name=ONE).click()
            await asked.wait()
            await drawer.get_by_role("button", name="Back").click()
            await drawer.get_by_role("button", name=TWO).click()
            await expect(drawer.locator(".address")).to_have_text(TWO)

        await expect(drawer.locator(".address")).to_have_text(TWO)
        await drawer.get_by_role("button", name="Back").click()
        await expect(drawer.get_by_role("button", name=ONE)).to_be_visible()
        await expect(drawer.locator(".address")).to_have_count(0)
        assert page.complaints == []


async def test_items_that_come_late_are_not_listed_under_a_state_that_was_chosen_since(stack: Stack, open_page: Open):
    async with open_page(key=stack.operator_key) as page:
        await list_of_both(page)
        drawer = page.get_by_role("dialog")
        state = drawer.get_by_label("State of the items")
        await expect(drawer.locator(".item")).to_have_count(2)

        async with held(page, "**/items?*state=dead*") as asked:
            await state.select_option("dead")
            await asked.wait()
            await state.select_option("done")
            await expect(drawer).to_contain_text("No items in this state.")

        await expect(drawer.locator(".item")).to_have_count(0)


async def test_who_has_left_the_form_before_its_answer_is_told_of_it_and_stays_where_they_are(
    stack: Stack, open_page: Open
):
    async with open_page(key=stack.operator_key) as page:
        await page.get_by_role("button", name="Submit items").click()
        form = page.get_by_role("dialog", name="Submit items")
        await form.get_by_label("Items, one a line").fill(ONE)

        async with held(page, "**/v3/batches", posts=True) as asked:
            await form.get_by_role("button", name="Submit").click()
            await asked.wait()
            await page.get_by_role("button", name="Close", exact=True).click()
            await page.locator("#health").click()

        await expect(page.locator("#news")).to_contain_text("accepted: 1 item")
        await expect(page.get_by_role("dialog", name="Health")).to_be_visible()


async def test_signing_in_twice_before_the_answer_starts_the_page_once(stack: Stack, open_page: Open):
    async with open_page() as page:
        key = page.get_by_label("API key")
        await key.fill(stack.operator_key)

        async with held(page, "**/v3/monitoring/dashboard") as asked:
            await key.press("Enter")
            await asked.wait()
            await key.press("Enter")
            await expect(page.get_by_text("updated just now")).to_be_visible()

        await expect(page.locator("#totals .tile")).to_have_count(7)
