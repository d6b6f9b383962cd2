import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn
from google import genai
from google.genai import types

from local.gemini.app import build_app
from local.gemini.minilm import MiniLM
from local.gemini.service import Options

MODEL = "gemini-3.8-flash"
Serving = Callable[..., AbstractContextManager[str]]


@contextmanager
def served(app: Any) -> Iterator[str]:
    """The URL of an app that real HTTP reaches. It listens before its thread runs, so nobody comes too early."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(128)
    server = uvicorn.Server(uvicorn.Config(app, log_level="error", timeout_graceful_shutdown=1))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def sdk(url: str, key: str = "test-key") -> genai.Client:
    return genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url, timeout=30_000))


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("models")


@pytest.fixture(scope="session")
def minilm(cache: Path) -> MiniLM:
    return MiniLM(cache)


@pytest.fixture
def serving(cache: Path) -> Serving:
    """serving(lean=True, ...) is a server with these options, as a context manager that gives its URL."""
    return lambda **options: served(build_app(Options(cache=cache, **options)))


@pytest.fixture(scope="session")
def _shared(cache: Path) -> Iterator[str]:
    with served(build_app(Options(cache=cache))) as url:
        yield url


@pytest.fixture
def server(_shared: str) -> str:
    """The URL of a server without a past."""
    httpx.post(f"{_shared}/control/reset")
    return _shared


@pytest.fixture
def client(server: str) -> genai.Client:
    return sdk(server)
