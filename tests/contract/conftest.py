"""Each question is asked of the stand-in, and of the real service where credentials are given."""

import os
from typing import Any

import pytest

from shared.settings import Settings

UNUSED = {
    "supabase_url": "http://127.0.0.1:9",
    "supabase_secret_key": "unused",
    "project_id": "unused",
    "function_urls": {"article": "https://example.com/article"},
    "tasks_service_account": "unused@example.com",
}


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("tests.engine.parts")


def given(*names: str) -> list[str]:
    """The values of CONTRACT_ variables; skips, naming it, when one is missing."""
    missing = [f"CONTRACT_{name}" for name in names if not os.environ.get(f"CONTRACT_{name}")]
    if missing:
        pytest.skip(f"the real service is not asked: {', '.join(missing)} not set (see tests/contract/README.md)")
    return [os.environ[f"CONTRACT_{name}"] for name in names]


def settings_with(**values: Any) -> Settings:
    return Settings(**{**UNUSED, **values})


@pytest.fixture(params=["local", "real"])
def gemini_settings(request: pytest.FixtureRequest) -> Settings:
    if request.param == "real":
        (key,) = given("GEMINI_API_KEY")
        return settings_with(gemini_api_key=key, gemini_model=os.environ.get("CONTRACT_GEMINI_MODEL", ""))
    request.getfixturevalue("gemini")
    _, url = request.getfixturevalue("gemini_server")
    return settings_with(gemini_api_key="offline", gemini_base_url=url)


@pytest.fixture(params=["local", "real"])
def supabase_settings(request: pytest.FixtureRequest) -> Settings:
    if request.param == "real":
        url, key = given("SUPABASE_URL", "SUPABASE_SECRET_KEY")
        return settings_with(supabase_url=url, supabase_secret_key=key)
    request.getfixturevalue("database")
    keys = request.getfixturevalue("supabase_keys")[2]
    return settings_with(
        supabase_url=request.getfixturevalue("supabase"), supabase_secret_key=keys["SUPABASE_SECRET_KEY"]
    )


@pytest.fixture(params=["local", "real"])
def tasks_settings(request: pytest.FixtureRequest) -> tuple[Settings, str]:
    """The settings, and the name of a paused queue."""
    if request.param == "real":
        project, location, queue, account = given("PROJECT_ID", "LOCATION", "QUEUE", "SERVICE_ACCOUNT")
        return settings_with(project_id=project, location=location, tasks_service_account=account), queue
    queue = request.getfixturevalue("queue")
    return settings_with(
        project_id="piecework-local",
        location="local",
        tasks_endpoint=f"http://127.0.0.1:{queue.port}",
        tasks_service_account="tasks@piecework-local.iam.gserviceaccount.com",
    ), "gemini-text"
