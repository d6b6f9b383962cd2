"""The function as it is deployed: pushed to by Pub/Sub, and by nobody else."""

import base64
import json
import re
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from functions.catalog.settings import CatalogSettings
from tests.catalog.conftest import TOKEN, WAREHOUSE_ID, content

ROOT = Path(__file__).parents[2]
DOCS, SAMPLES = ROOT / "docs" / "catalog.md", ROOT / "samples"


@pytest.fixture
def deployed_with(deployer, catalog, workspace):
    """deployed_with("label", ...): the function with the settings of the workspace, but for what differs."""

    def deployed_with(label="catalog-on", **differs):
        known = {"DATABRICKS_HOST": workspace.url, "DATABRICKS_WAREHOUSE_ID": WAREHOUSE_ID, "DATABRICKS_TOKEN": TOKEN}
        return deployer.another("catalog", label, **{**known, **differs})

    return deployed_with


@pytest.fixture
def push(deployed_with):
    def push(order, function=None, *, token=None):
        function = function or deployed_with()
        data = base64.b64encode(json.dumps(order).encode()).decode()
        token = function.token("pubsub") if token is None else token
        return function.post({"message": {"data": data, "messageId": "1"}}, token=token)

    return push


def test_a_push_reads_the_catalog(push, workspace, posters):
    workspace.rows(content(12))

    answer = push({"catalog": True, "fresh": True})

    assert (answer.status_code, answer.json()["state"]) == (200, "finished")
    assert len(posters()) == 12


def test_only_pubsub_may_push(push, deployed_with, posters):
    function = deployed_with()

    assert push({"catalog": True}, token="nonsense").status_code == 401
    assert push({"catalog": True}, token=function.token("tasks")).status_code == 403
    assert posters() == {}


@pytest.mark.parametrize("order", [{"catalog": False}, {"sweep": True}, {"catalog": True, "limit": 5}, [], "x"])
def test_an_order_nobody_understands_is_refused(push, order):
    assert push(order).status_code == 400


def test_a_warehouse_that_refuses_is_told_of_in_answer_and_log(push, deployed_with, workspace):
    workspace.faults.add({"fault": "stopped", "at": "submit"})

    answer = push({"catalog": True, "fresh": True})

    assert (answer.status_code, answer.json()["reason"]) == (500, "warehouse_stopped")
    (line,) = [line for line in deployed_with().lines() if line["message"] == "catalog_failed"]
    assert "start it" in line["error"]
    assert TOKEN not in deployed_with().log.read_text()


def test_without_a_host_there_is_no_catalog(push, deployed_with):
    off = deployed_with("catalog-off", DATABRICKS_HOST="")

    assert push({"catalog": True}, off).json()["state"] == "off"


def test_half_a_setting_is_said(push, deployed_with):
    half = deployed_with("catalog-half", DATABRICKS_TOKEN="")

    answer = push({"catalog": True}, half)

    assert answer.status_code == 500
    assert "DATABRICKS_TOKEN must be set" in half.log.read_text()


def test_the_page_about_it_has_every_setting():
    rows = re.findall(r"^\| `([A-Z_]+)` \| (.+?) \| (.+?) \|$", DOCS.read_text(), re.MULTILINE)

    assert rows == [
        (name.upper(), default_of(field), field.description) for name, field in CatalogSettings.model_fields.items()
    ]


def default_of(field):
    assert field.default is not PydanticUndefined
    value = field.default.get_secret_value() if hasattr(field.default, "get_secret_value") else field.default
    written = json.dumps(value) if isinstance(value, dict | bool) else f"{value}"
    return f"`{written}`" if written else "empty"


def test_the_samples_are_posters_that_there_are():
    known = {json.loads(line)["url"] for line in (SAMPLES / "posters.jsonl").read_text().splitlines()}
    rows = [
        json.loads(line) for line in (SAMPLES / "catalog" / "main.media.content_info.jsonl").read_text().splitlines()
    ]

    assert {row["poster_url"] for row in rows if (row["poster_url"] or "").startswith("http")} <= known
    assert set(CatalogSettings().catalog_columns.values()) <= set(rows[0])
