"""The report: one page that needs nothing else, tells the same to everybody, and runs nothing but its own script."""

import re
import shutil
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from playwright.sync_api import sync_playwright

from cli import report
from tests.posters_reach.rows import analysis, zone

HOSTILE = '"><img src=x onerror=alert(1)><script>alert(1)</script></template></style>{}{0}\x00'
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
VOID = {"meta", "input", "img", "link", "br"}


class Reader(HTMLParser):
    """Every element that a browser would make, and what it would load."""

    def __init__(self):
        super().__init__()
        self.tags, self.loads, self.handlers, self.open = [], [], [], []

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.loads += [value for name, value in attributes if name in {"src", "href", "action", "data"}]
        self.handlers += [name for name, _ in attributes if name.startswith("on")]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def poster(name, *, score=0.9, **differs):
    row = analysis(name, score=score, **differs)
    return {
        "content_id": name,
        "title": name.title(),
        "url": row["url"],
        "state": "done",
        "reason": None,
        "error": None,
        "analysis": row,
    }


def failed(name, state="dead", reason="truncated", error="The file ends early."):
    return {
        "content_id": name, "title": None, "url": f"http://posters.test/{name}", "state": state, "reason": reason,
        "error": error, "analysis": None,
    }  # fmt: skip


def page_of(*results):
    return report.page(results, made_at=datetime(2026, 11, 22, 12, 0, tzinfo=UTC), source="a test")


def read(page):
    reader = Reader()
    reader.feed(page)
    assert reader.open == []
    return reader


def test_it_loads_nothing():
    reader = read(page_of(poster("tin"), failed("gone")))

    assert [load for load in reader.loads if not load.startswith(("data:image/jpeg;base64,", "#"))] == []
    assert "link" not in reader.tags
    assert "@import" not in report.style()
    assert "url(http" not in report.style()


def test_what_stands_on_posters_stays_text():
    row = poster("tin", zones=[zone("title_bottom", reasons=[HOSTILE])], model=HOSTILE)
    row["title"] = row["content_id"] = row["analysis"]["elements"][1]["text"] = HOSTILE
    hostile = read(page_of(row, failed(HOSTILE, error=HOSTILE, reason=HOSTILE)))
    harmless = read(page_of(poster("tin", zones=[zone("title_bottom", reasons=["busy"])]), failed("gone")))

    assert hostile.tags == harmless.tags
    assert hostile.handlers == []


def test_a_thumbnail_that_is_none_is_left_out():
    reader = read(page_of(poster("tin", thumbnail='x" onload="alert(1)')))

    assert (reader.loads, reader.handlers) == (["#posters"], [])


def test_failures_stand_there_with_their_reasons():
    page = page_of(poster("tin"), failed("cut"), failed("html", "skipped", "not_an_image", "It is HTML."))

    for words in ("truncated", "The file ends early.", "not_an_image", "It is HTML.", "of 3 posters"):
        assert words in page


def test_without_a_poster_it_says_so():
    assert "No poster was analysed." in page_of()
    assert "No poster was analysed." in page_of(failed("gone"))


def test_figures_are_over_all_posters():
    page = page_of(poster("a", score=0.9), poster("b", score=0.2))

    assert "badge top left: safe on 1 of 2 posters" in page
    assert "$0.0012" in page


@pytest.fixture(scope="module")
def browser():
    if CHROMIUM is None:
        pytest.skip("no Chromium on this machine")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def opened(browser, tmp_path):
    """opened(results): the page in a browser; whatever it complains of fails the test."""
    complaints, contexts = [], []

    def opened(*results, width=1280, **more):
        file = tmp_path / "report.html"
        report.write(file, page_of(*results))
        contexts.append(browser.new_context(viewport={"width": width, "height": 900}, **more))
        page = contexts[-1].new_page()
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(file.as_uri())
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def names(page):
    return page.locator(".card:visible h2").all_inner_texts()


THREE = [poster("fair", score=0.6), poster("best", score=0.9), poster("poor", score=0.2)]


@pytest.mark.parametrize(
    ("order", "found"),
    [
        ("score-down", ["Best", "Fair", "Poor"]),
        ("score-up", ["Poor", "Fair", "Best"]),
        ("place", ["Fair", "Best", "Poor"]),
    ],
)
def test_it_sorts(opened, order, found):
    page = opened(*THREE)

    page.select_option("#sort", order)

    assert names(page) == found


def test_it_filters_by_slot_verdict_and_words(opened):
    page = opened(*THREE, failed("gone"))

    page.select_option("#verdict", "unsafe")
    assert names(page) == ["Poor"]
    page.select_option("#verdict", "safe")
    page.click(".shares button[data-slot=rating_left]")
    assert names(page) == ["Best", "Fair"]
    assert page.locator(".card:visible .zone:visible").count() == 2
    page.fill("#find", "FAI")
    assert names(page) == ["Fair"]
    assert page.inner_text("#count") == "1 of 3 posters"
    assert page.locator(".failures").is_hidden()


def test_the_keyboard_is_enough(opened):
    page = opened(*THREE)

    page.focus(".card .open")
    page.keyboard.press("Enter")
    assert page.inner_text("#large-title") == "Best"
    page.keyboard.press("ArrowRight")
    assert page.inner_text("#large-title") == "Fair"
    assert page.locator("#about tbody tr[data-slot]").count() == 5
    page.keyboard.press("Escape")
    page.locator("dialog").wait_for(state="hidden")
    # The browser tells of the closing a moment after it: then the focus goes back to the card that was looked at.
    page.wait_for_function("document.activeElement.closest('.card')?.dataset.name === 'fair'")


def test_every_control_and_picture_has_a_name(opened):
    page = opened(*THREE, failed("gone"))
    page.locator(".open").first.click()

    unnamed = page.evaluate(
        """[...document.querySelectorAll('button, select, input, svg[role=img]')].filter(one => !(
            one.ariaLabel || one.textContent.trim() || one.labels?.length)).length"""
    )
    assert unnamed == 0


@pytest.mark.parametrize("width", [360, 768, 1440])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_it_fits_every_screen_in_both_themes(opened, width, scheme):
    page = opened(*THREE, failed("gone"), width=width, color_scheme=scheme)

    assert page.evaluate("document.documentElement.scrollWidth") <= width
    lightness = [
        int(part) for part in re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))
    ]
    assert (sum(lightness) > 380) == (scheme == "light")


def test_the_theme_can_be_switched(opened):
    page = opened(*THREE, color_scheme="light")
    before = page.evaluate("getComputedStyle(document.body).backgroundColor")

    page.click("#theme")

    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != before
