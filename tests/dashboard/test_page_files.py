"""The page's files, as they are served: what a browser may do with them, and what they may not do."""

import re
from html.parser import HTMLParser

import httpx
import pytest
from fastapi import FastAPI

from functions.api.page_routes import FOLDER, page_routes
from infra.manifests import load
from shared.manifest import Manifests
from tests.dashboard.stack import ROOT

SCRIPTS = sorted(FOLDER.rglob("*.js"))
INJECTING = ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc")


class Tags(HTMLParser):
    """Every (tag, attributes) of a document, and the text inside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.inline = ""
        self._inside = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._inside = tag

    def handle_data(self, data):
        if self._inside in {"script", "style"}:
            self.inline += data.strip()


@pytest.fixture
def client():
    app = FastAPI()
    app.include_router(page_routes(Manifests.of(load(ROOT))))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://page.test")


async def assets_of(client) -> list[str]:
    tags = Tags((await client.get("/")).text).tags
    return [path for tag, given in tags for path in (given.get("src"), given.get("href")) if path and "/page/" in path]


async def test_the_page_may_load_nothing_but_its_own_files(client):
    answer = await client.get("/")

    policy = dict(part.strip().partition(" ")[::2] for part in answer.headers["content-security-policy"].split(";"))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == policy["form-action"] == "'none'"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"


async def test_the_page_holds_no_inline_script_and_no_foreign_address(client):
    text = (await client.get("/")).text

    page = Tags(text)

    assert page.inline == ""
    assert not [name for _, given in page.tags for name in given if name.startswith("on") or name == "style"]
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', text)


async def test_every_file_of_the_page_is_there(client):
    paths = await assets_of(client)

    answers = [await client.get(path) for path in paths]

    assert len(paths) >= 9
    assert {answer.status_code for answer in answers} == {200}


async def test_every_module_that_is_imported_is_there(client):
    imports = [(script, name) for script in SCRIPTS for name in re.findall(r'from "([^"]+)"', script.read_text())]

    missing = [(script.name, name) for script, name in imports if not (script.parent / name).is_file()]

    assert len(imports) > 50
    assert missing == []


async def test_a_browser_keeps_files_for_ever_and_asks_for_the_page_again(client):
    page, script = await client.get("/"), await client.get((await assets_of(client))[-1])

    again = await client.get("/", headers={"If-None-Match": page.headers["etag"]})

    assert page.headers["cache-control"] == "no-cache"
    assert script.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert (again.status_code, again.content) == (304, b"")


async def test_a_file_asked_for_by_the_page_of_another_version_is_served_but_not_kept(client):
    answer = await client.get("/page/0123456789abcdef/script/main.js")

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("name", ["..%2fapp.py", "%2e%2e/app.py", "script/none.js", "index.html", ""])
async def test_nothing_else_is_served(client, name):
    answer = await client.get(f"/page/0123456789abcdef/{name}")

    assert answer.status_code == 404


async def test_the_form_offers_the_functions_that_take_items(client):
    text = (await client.get("/")).text

    assert "<option>article</option>" in text
    assert "<option>fanout</option>" not in text
    assert "{{" not in text


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_no_script_turns_text_into_markup_or_code(script):
    text = script.read_text()

    assert [word for word in INJECTING if word in text] == []
    assert "console." not in text


def test_the_key_is_kept_in_session_storage_alone():
    key, theme = (FOLDER / "script" / "key.js").read_text(), (FOLDER / "script" / "theme.js").read_text()

    others = "".join(script.read_text() for script in SCRIPTS if script.name not in {"key.js", "theme.js"})

    assert "sessionStorage.setItem" in key
    assert "localStorage." not in key
    assert "key" not in theme.lower()
    assert "localStorage." not in others
    assert "document.cookie" not in others
