"""A whole stack, and a headless Chromium that looks at its page. What the browser complains of fails the test."""

import os
import shutil
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Page, async_playwright, expect

from tests.dashboard.stack import Stack

NAMES = ("chromium", "chromium-browser", "google-chrome")
WAIT_MS = 20_000
Open = Callable[..., AbstractAsyncContextManager[Page]]


def chromium() -> str | None:
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, NAMES)), None)


@pytest.fixture(scope="package")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    if chromium() is None:
        pytest.skip(f"no browser: none of {', '.join(NAMES)} is on the PATH, and CHROMIUM is not set")
    started = Stack(tmp_path_factory.mktemp("dashboard"))
    yield started
    started.stop()


@pytest_asyncio.fixture(scope="package", loop_scope="package")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield browser
        await browser.close()


@pytest.fixture
def open_page(stack: Stack, browser: Browser) -> Open:
    """open_page(key=..., width=...): the page in a browser of its own, signed in where there is a key."""
    expect.set_options(timeout=WAIT_MS)

    @asynccontextmanager
    async def open_page(*, key: str | None = None, width: int = 1440, **more) -> AsyncIterator[Page]:
        context = await browser.new_context(viewport={"width": width, "height": 900}, **more)
        page = await context.new_page()
        page.set_default_timeout(WAIT_MS)
        page.complaints = []
        page.on(
            "console", lambda said: page.complaints.append(said.text) if said.type in {"error", "warning"} else None
        )
        page.on("pageerror", lambda error: page.complaints.append(str(error)))
        await page.goto(stack.url)
        if key:
            await sign_in(page, key)
        yield page
        await context.close()

    return open_page


async def sign_in(page: Page, key: str) -> None:
    await page.get_by_label("API key").fill(key)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page.get_by_text("updated just now")).to_be_visible()
