"""The page in a browser, over a whole stack: from the key to the end of a batch, and what may go wrong on the way."""

import re

import pytest
from playwright.async_api import Locator, Page, expect

from tests.dashboard.conftest import Open, sign_in
from tests.dashboard.stack import Stack

pytestmark = pytest.mark.asyncio(loop_scope="package")
GOOD = (
    "http://daily.test/council/bus-lanes",
    "http://courier.test/sport/relay-record",
    "http://gone.test/2014/closed-story",
)
# Its host redirects to a file: dead at its first attempt, whenever it is tried.
DIES = "http://inside.test/passwd"
POSTER = "http://posters.test/harbour.jpg"
NAMELESS = """() => [...document.querySelectorAll(
    "button, a[href], input, select, textarea, img, [role=img], [role=meter], [role=progressbar]")]
  .filter((one) => one.checkVisibility())
  .filter((one) => !(one.labels?.length || one.getAttribute("aria-label") || one.getAttribute("aria-labelledby")
    || one.textContent.trim() || one.hasAttribute("alt")))
  .map((one) => one.outerHTML)"""
# WCAG 2: relative luminance of what is written, and of the first ground behind it that is not transparent.
PALE = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgb = (color, under = [255, 255, 255]) => {
    canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = canvas.getImageData(0, 0, 1, 1).data;
    return { known: a > 250, value: [r, g, b] };
  };
  const light = (color) => color.map((one) => one / 255)
    .map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4))
    .reduce((sum, one, place) => sum + one * [0.2126, 0.7152, 0.0722][place], 0);
  const ground = (one) => {
    for (let at = one; at; at = at.parentElement) {
      const color = rgb(getComputedStyle(at).backgroundColor);
      if (color.known) return color.value;
    }
    return [255, 255, 255];
  };
  const written = (one) => [...one.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim());
  return [...document.querySelectorAll("body *")].filter((one) => written(one) && one.checkVisibility() && !one.disabled
    && !one.closest("svg, option, .unseen, .skip")).map((one) => {
    const [a, b] = [light(rgb(getComputedStyle(one).color).value), light(ground(one))].sort((x, y) => y - x);
    return [Math.round((a + 0.05) / (b + 0.05) * 100) / 100, one.className, one.textContent.slice(0, 40)];
  }).filter(([ratio]) => ratio < 4.5);
}"""


async def send(page: Page, *lines: str, function: str = "article", priority: str = "normal") -> Locator:
    """By the form; the new batch's drawer."""
    await page.get_by_role("button", name="Submit items").click()
    form = page.get_by_role("dialog", name="Submit items")
    await form.get_by_label("Function").select_option(function)
    await form.get_by_label("Items, one a line").fill("\n".join(lines))
    await form.get_by_label("Priority").select_option(priority)
    await form.get_by_role("button", name="Submit").click()
    return page.get_by_role("dialog", name="Batch")


async def submit(page: Page, *lines: str, function: str = "article", priority: str = "normal") -> str:
    """The new batch's id, with its drawer closed again."""
    drawer = await send(page, *lines, function=function, priority=priority)
    batch = await id_of(drawer)
    await page.get_by_role("button", name="Close", exact=True).click()
    return batch


async def id_of(drawer: Locator) -> str:
    return await drawer.locator(".facts code").first.inner_text()


async def confirm(page: Page, word: str) -> None:
    await page.locator("#confirm").get_by_role("button", name=word).click()


def of_batch(page: Page, batch: str):
    return page.locator(f"#batches [data-batch='{batch}']")


async def test_a_wrong_key_is_told_and_not_kept(open_page: Open):
    async with open_page() as page:
        await page.get_by_label("API key").fill("pw_wrong")
        await page.get_by_role("button", name="Sign in").click()

        await expect(page.get_by_role("alert").first).to_contain_text("not known")
        await expect(page.get_by_label("API key")).to_be_focused()
        assert await page.evaluate("() => sessionStorage.length + localStorage.length") == 0
        assert page.complaints == ["Failed to load resource: the server responded with a status of 401 (Unauthorized)"]


async def test_the_key_outlives_a_reload_and_ends_with_signing_out(stack: Stack, open_page: Open):
    async with open_page(key=stack.operator_key) as page:
        await page.reload()
        await expect(page.get_by_text("updated just now")).to_be_visible()
        kept = await page.evaluate("() => JSON.stringify([location.href, {...localStorage}, document.cookie])")

        await page.get_by_role("button", name="Sign out").click()

        await expect(page.get_by_label("API key")).to_be_focused()
        assert stack.operator_key not in kept
        assert await page.evaluate("() => Object.keys(sessionStorage).filter((one) => one === 'piecework.key')") == []


async def test_a_batch_is_submitted_watched_to_its_end_and_found_by_search(stack: Stack, open_page: Open):
    async with open_page(key=stack.operator_key) as page:
        batch = await submit(page, *GOOD)

        await expect(of_batch(page, batch).get_by_role("progressbar")).to_have_attribute("aria-valuenow", "100")
        await expect(of_batch(page, batch).locator(".badge")).to_have_text("completed")
        await expect(of_batch(page, batch)).to_contain_text("2 done, 1 skipped")
        await expect(page.locator("#reasons")).to_contain_text("gone")
        await page.get_by_role("searchbox", name="Search items").fill("bus-lanes")
        await page.keyboard.press("Enter")
        await page.get_by_role("dialog").get_by_role("button", name=GOOD[0]).first.click()
        item = page.get_by_role("dialog", name="Item")
        await expect(item.locator(".badge").first).to_have_text("done")
        await expect(item).to_contain_text("What came out")
        assert page.complaints == []


async def test_a_dead_letter_is_looked_at_replayed_and_dies_again(stack: Stack, open_page: Open):
    async with open_page(key=stack.operator_key) as page:
        await submit(page, DIES)
        letter = page.locator("#dead .letter").filter(has=page.get_by_role("button", name=DIES, exact=True))
        await expect(letter).to_contain_text("bad redirect")

        await letter.get_by_role("button", name=DIES, exact=True).click()
        item = page.get_by_role("dialog", name="Item")
        await expect(item.get_by_text('"url"')).to_be_visible()
        await expect(item.locator("tbody tr")).to_have_count(1)
        await item.get_by_role("button", name="Replay").click()
        await confirm(page, "Replay")

        await expect(page.get_by_text("Dead letter replayed.").first).to_be_visible()
        await expect(item.locator("tbody tr")).to_have_count(2)
        await page.get_by_role("button", name="Close", exact=True).click()
        await letter.get_by_role("button", name="Discard").click()
        await confirm(page, "Discard")
        await expect(letter).to_have_count(0)
        await expect(page.locator("#news")).to_have_text(re.compile("1 dead letter discarded"))
        assert page.complaints == []


@pytest.mark.timeout(120)
async def test_a_poster_is_seen_with_its_zones(stack: Stack, open_page: Open):
    async with open_page(key=stack.operator_key) as page:
        await submit(page, POSTER, function="poster")

        card = page.get_by_role("button", name="· posters.test/harbour.jpg")
        await expect(card).to_be_visible(timeout=60_000)
        await expect(card.locator("img")).to_have_attribute("src", re.compile("^blob:"))
        await card.click()
        image = page.get_by_role("dialog").locator("img.overlay")
        await expect(image).to_have_attribute("alt", re.compile("Overlay zones: .*safe"))
        await expect(image).to_have_js_property("complete", True)
        assert await image.evaluate("(one) => one.decode().then(() => one.naturalWidth)") > 100
        assert page.complaints == []


async def test_an_ordinary_key_shows_its_own_and_asks_for_nothing_it_may_not_see(stack: Stack, open_page: Open):
    async with open_page() as page:
        asked = []
        page.on("request", lambda request: asked.append(request.url))

        await sign_in(page, stack.ordinary_key("acme"))

        await expect(page.locator("#instance")).to_contain_text("Your items")
        await expect(page.locator("#batches")).to_contain_text("No batches yet")
        await expect(page.locator("#blocked-card")).to_be_hidden()
        assert not [url for url in asked if "blocked" in url]
        assert page.complaints == []


async def test_news_that_stay_away_are_told_and_come_back_by_themselves(stack: Stack, open_page: Open):
    async with open_page(key=stack.operator_key) as page:
        await page.route("**/v3/monitoring/dashboard", lambda route: route.abort())

        await expect(page.locator("#trouble")).to_contain_text("may be old")
        await expect(page.locator("#freshness")).to_contain_text("next try")
        await page.unroute("**/v3/monitoring/dashboard")

        await expect(page.locator("#trouble")).to_be_hidden()
        await expect(page.locator("#news")).to_have_text("Connected again.")


async def test_a_plot_is_read_with_the_arrow_keys_and_as_a_table(stack: Stack, open_page: Open):
    async with open_page(key=stack.operator_key) as page:
        plot = page.locator("#throughput .plot")
        await expect(plot).to_have_attribute("aria-label", re.compile("Throughput of the last hour"))

        await plot.focus()
        await page.keyboard.press("End")

        await expect(page.locator("#throughput .tip")).to_contain_text("not over yet")
        await expect(page.locator("#news")).to_have_text(re.compile("not over yet"))
        await page.locator("#throughput summary").click()
        await expect(page.locator("#throughput tbody tr")).to_have_count(60)


@pytest.mark.parametrize("scheme", ["light", "dark"])
async def test_every_control_has_a_name_every_text_contrast_and_a_phone_needs_no_sideways_scroll(
    stack: Stack, open_page: Open, scheme: str
):
    async with open_page(key=stack.operator_key, width=360, color_scheme=scheme, reduced_motion="reduce") as page:
        await expect(page.locator("#batches .badge").first).to_be_visible()

        board = await page.evaluate("() => document.documentElement.scrollWidth"), await page.evaluate(NAMELESS)
        pale = await page.evaluate(PALE)
        await page.locator("#batches .link").first.click()
        await expect(page.locator("#drawer-body .item").first).to_be_visible()
        too_wide = await page.locator("#drawer").evaluate("(one) => one.scrollWidth > one.clientWidth")
        nameless = await page.evaluate(NAMELESS)

        assert board == (360, [])
        assert not too_wide
        assert nameless == []
        assert pale == []


async def test_focus_returns_to_where_a_drawer_was_opened(stack: Stack, open_page: Open):
    async with open_page(key=stack.operator_key) as page:
        submit_button = page.get_by_role("button", name="Submit items")
        await submit_button.focus()
        await page.keyboard.press("Enter")
        await expect(page.get_by_label("Items, one a line")).to_be_focused()

        await page.keyboard.press("Escape")

        await expect(submit_button).to_be_focused()


async def test_the_theme_is_chosen_and_remembered(open_page: Open, stack: Stack):
    async with open_page(key=stack.operator_key, color_scheme="light") as page:
        ground = "() => getComputedStyle(document.body).backgroundColor"
        before = await page.evaluate(ground)
        for _ in ("light", "dark"):
            await page.get_by_role("button", name=re.compile("Theme")).click()

        await page.reload()

        await expect(page.get_by_role("button", name=re.compile("Theme: dark"))).to_be_visible()
        assert await page.evaluate(ground) != before


# The last one: what it leaves in the queue keeps that busy for a while.
async def test_a_batch_at_work_is_cancelled_after_a_question(stack: Stack, open_page: Open):
    async with open_page(key=stack.operator_key) as page:
        # The queue lets five go a second, so most of them wait.
        batch = await submit(page, *(f"http://gone.test/never/{place}" for place in range(200)))
        row = of_batch(page, batch)
        cancel = row.get_by_role("button", name="Cancel")

        await cancel.click()
        await confirm(page, "Leave it")
        await expect(row.locator(".badge")).to_have_text("running")
        await cancel.click()
        await confirm(page, "Cancel the batch")

        await expect(row.locator(".badge")).to_have_text("cancelled")
        await expect(row).to_contain_text(re.compile(r"\d+ cancelled"))
        await expect(cancel).to_be_hidden()
        assert page.complaints == []
