"""The API of a deployment that leaves functions out."""

from pathlib import Path

import pytest

from functions.api import app
from infra.manifests import load
from shared.manifest import Manifests
from shared.settings import Settings

EVERYTHING = Manifests.of(load(Path(__file__).parents[2]))
SETTINGS = Settings(
    supabase_url="http://127.0.0.1:9",
    supabase_secret_key="sb_secret_test",
    project_id="test-project",
    function_urls={},
    tasks_service_account="tasks@test-project.iam.gserviceaccount.com",
)


@pytest.mark.parametrize("names", [["api"], ["api", "fanout"], ["api", "fanout", "article"]])
def test_it_is_made_whatever_functions_there_are(monkeypatch, names):
    some = {name: EVERYTHING.functions[name] for name in names}
    monkeypatch.setattr(app, "settings", lambda: SETTINGS)
    monkeypatch.setattr(app, "manifests", lambda: Manifests(some, EVERYTHING.quotas))

    made = app.make_app()

    assert "/v3/batches" in made.openapi()["paths"]
