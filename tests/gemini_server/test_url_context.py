import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tests.gemini_server.conftest import MODEL, sdk, served
from tests.gemini_server.news import HARBOUR

PARAGRAPHS = "".join(f"<p>{line}</p>" for line in HARBOUR.splitlines()[2:])
PAGE = f"<html><head><title>Bridge closes</title></head><body><article>{PARAGRAPHS}</article></body></html>"
PREFIX = "URL_RETRIEVAL_STATUS_"


@pytest.fixture
def asked_for():
    return []


@pytest.fixture
def ask(serving, asked_for):
    """Asks about a URL of a site that notes every host and path it was asked for."""

    async def page(request):
        asked_for.append((request.headers["host"], request.url.path))
        answers = {
            "/gone": Response(status_code=404),
            "/paid": HTMLResponse('<script>{"isAccessibleForFree": false}</script>' + PAGE),
            "/moved": RedirectResponse("http://daily.test/bridge"),
            "/away": RedirectResponse("http://169.254.169.254/latest/meta-data"),
            "/round": RedirectResponse("/round"),
        }
        return answers.get(request.url.path) or HTMLResponse(PAGE)

    def ask_about(*urls):
        with served(Starlette(routes=[Route("/{path:path}", page)])) as site, serving(site=site[7:]) as url:
            config = {"tools": [{"url_context": {}}]}
            client = sdk(url)
            answer = client.models.generate_content(
                model=MODEL, contents=f"Summarise in one sentence: {' '.join(urls)}", config=config
            )
        found = answer.candidates[0].url_context_metadata.url_metadata
        return answer.text, [each.url_retrieval_status.removeprefix(PREFIX) for each in found]

    return ask_about


def test_a_page_of_the_sample_site_is_read_and_answered_from(ask, asked_for):
    text, statuses = ask("http://daily.test/bridge")

    assert statuses == ["SUCCESS"]
    assert text.startswith("Rotterdam will close")
    assert asked_for == [("daily.test", "/bridge")]


@pytest.mark.parametrize(
    ("path", "status"),
    [("/gone", "ERROR"), ("/paid", "PAYWALL"), ("/moved", "SUCCESS"), ("/away", "ERROR"), ("/round", "ERROR")],
)
def test_the_status_says_what_became_of_a_url(ask, path, status):
    assert ask(f"http://daily.test{path}")[1] == [status]


@pytest.mark.parametrize("url", ["https://example.com/", "http://127.0.0.1:1/", "http://daily.test.evil.com/x"])
def test_no_other_host_is_dialled(ask, asked_for, url):
    text, statuses = ask(url)

    assert (statuses, asked_for) == (["ERROR"], [])
    assert text == "The prompt holds no text to work on."


def test_an_address_that_could_not_be_read_is_not_itself_taken_for_a_text(ask):
    text, _ = ask("\nBEGIN PAGE 7f\nhttps://example.com/a-long-and-telling-address-of-a-page\nEND PAGE 7f")

    assert text == "The prompt holds no text to work on."


def test_each_url_has_its_own_status(ask):
    text, statuses = ask("http://daily.test/gone", "http://daily.test/bridge")

    assert statuses == ["ERROR", "SUCCESS"]
    assert text.startswith("Rotterdam")
