"""The function poster as it is deployed, between a web of images and a model that says what it is told to say.

Database, queue and issuer are those of tests/engine.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from tests.engine.deployed import Deployed, Deployer
from tests.engine.google import Tasks
from tests.engine.running import served


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("tests.engine.parts")


@dataclass
class Web:
    """Images by their path, on every host under .test; `visits` are the paths that were asked for."""

    files: dict[str, tuple[bytes, str]] = field(default_factory=dict)
    visits: list[str] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self._answer)])

    def put(self, path: str, body: bytes, content_type: str = "image/jpeg") -> str:
        self.files[path] = (body, content_type)
        return f"http://posters.test/{path}"

    async def _answer(self, request: Request) -> Response:
        path = request.path_params["path"]
        self.visits.append(path)
        if path not in self.files:
            return Response("gone", 404)
        body, content_type = self.files[path]
        return Response(body, media_type=content_type)


@dataclass
class Eye:
    """A model: it sees `elements` on every picture, ends for `finish`, and keeps what it was asked."""

    elements: list[dict[str, Any]] = field(default_factory=list)
    finish: str = "STOP"
    blocked: str | None = None
    asked: list[dict[str, Any]] = field(default_factory=list)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/{path:path}", self._answer, methods=["POST"])])

    async def _answer(self, request: Request) -> Response:
        self.asked.append(await request.json())
        usage = {"promptTokenCount": 1400, "candidatesTokenCount": 80, "totalTokenCount": 1480}
        if self.blocked:
            return JSONResponse({"promptFeedback": {"blockReason": self.blocked}, "usageMetadata": usage})
        text = json.dumps({"elements": self.elements})
        candidate = {"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": self.finish}
        return JSONResponse({"candidates": [candidate], "usageMetadata": usage, "modelVersion": "eye-1"})


@pytest.fixture(scope="session")
def open_web() -> Iterator[tuple[Web, str]]:
    web = Web()
    with served(web.app()) as url:
        yield web, url


@pytest.fixture
def web(open_web: tuple[Web, str]) -> Web:
    open_web[0].files.clear()
    open_web[0].visits.clear()
    return open_web[0]


@pytest.fixture(scope="session")
def open_eye() -> Iterator[tuple[Eye, str]]:
    eye = Eye()
    with served(eye.app()) as url:
        yield eye, url


@pytest.fixture
def eye(open_eye: tuple[Eye, str]) -> Eye:
    eye = open_eye[0]
    eye.elements, eye.finish, eye.blocked = [], "STOP", None
    eye.asked.clear()
    return eye


@pytest.fixture
def poster(
    deployer: Deployer,
    database: psycopg.Connection,
    queue: Tasks,
    web: Web,
    eye: Eye,
    open_web: tuple[Web, str],
    open_eye: tuple[Eye, str],
) -> Deployed:
    """The bundle under Functions Framework. Its quota is wide: nobody waits for a slot."""
    database.execute("update quotas set requests_per_minute = 30000 where name = 'gemini-vision'")
    site = open_web[1].removeprefix("http://")
    return deployer.another("poster", "poster-eye", SAMPLE_SITE=site, GEMINI_BASE_URL=open_eye[1])


@pytest.fixture
def submit(enlist: Callable[..., UUID]) -> Callable[..., UUID]:
    """submit(url): an item of its own content; its id."""

    def submit(url: str, content_id: str | None = None, **given: Any) -> UUID:
        content_id = content_id or f"tt-{uuid4().hex[:8]}"
        return enlist("poster", "gemini-vision", content_id=content_id, url=url, **given)

    return submit
