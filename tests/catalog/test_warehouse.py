"""The client against a warehouse that is slow, busy, stopped, mistaken or somebody else's."""

import json
import time
from contextlib import aclosing

import httpx
import pytest

from functions.catalog import warehouse
from functions.catalog.content import page_statement, read_page
from functions.catalog.refusals import CatalogFailed, OutOfTime
from functions.catalog.settings import CatalogSettings
from functions.catalog.warehouse import Warehouse
from local.databricks.statements import Pace
from tests.catalog.conftest import TOKEN, WAREHOUSE_ID, Clock, content

HOSTILE = "t000' OR 1=1; DROP TABLE posters; --"


@pytest.fixture
async def read(workspace):
    """read(after=None, seconds=1000): every row of one statement."""
    clock = Clock()

    async def read(after=None, *, seconds=1000.0, **differs):
        known = CatalogSettings(
            **{
                "databricks_host": workspace.url, "databricks_warehouse_id": WAREHOUSE_ID, "databricks_token": TOKEN,
                **differs,
            }
        )  # fmt: skip
        asked = Warehouse(known, until=clock.now + seconds, clock=clock, sleep=clock.sleep, chance=lambda: 0.5)
        try:
            async with aclosing(asked.rows(page_statement(known, after))) as chunks:
                return [row async for _, rows in chunks for row in rows]
        finally:
            await asked.aclose()

    read.clock = clock
    return read


@pytest.fixture
def slowly(read, workspace, monkeypatch):
    """slowly(pace): statements take time, by the clock of the one who reads, and nobody waits for them at once."""
    monkeypatch.setattr(warehouse, "WAIT_SECONDS", 0)

    def slowly(pace):
        workspace.statements.clock, workspace.statements.pace = read.clock, pace

    yield slowly
    workspace.statements.clock = time.monotonic


@pytest.mark.parametrize("disposition", ["INLINE", "EXTERNAL_LINKS"])
async def test_every_chunk_of_a_result_is_read(read, workspace, disposition):
    workspace.rows(content(25))
    workspace.statements.pace = Pace(run_seconds=0, chunk_rows=10)

    rows = await read(catalog_disposition=disposition)

    assert [row[0] for row in rows] == [f"t{n:03}" for n in range(25)]


@pytest.mark.parametrize("at", ["submit", "poll", "chunk", "link"])
@pytest.mark.parametrize("fault", ["429", "503"])
async def test_a_busy_warehouse_is_asked_again_when_it_says(read, slowly, workspace, at, fault):
    workspace.rows(content(5))
    slowly(Pace(wake_seconds=1, run_seconds=1, chunk_rows=3))
    workspace.faults.add({"fault": fault, "at": at, "count": 2, "retry_after": 7})

    rows = await read(catalog_disposition="EXTERNAL_LINKS" if at == "link" else "INLINE")

    assert len(rows) == 5
    assert read.clock.rests.count(7) == 2


async def test_a_lost_connection_is_asked_again(read, workspace):
    workspace.faults.add({"fault": "drop", "at": "submit", "count": 2})

    assert len(await read()) == 3


async def test_it_waits_longer_from_try_to_try(read, workspace):
    workspace.faults.add({"fault": "500", "at": "submit", "count": 4})

    await read()

    assert read.clock.rests == sorted(read.clock.rests)
    assert read.clock.rests[-1] >= 2 * read.clock.rests[1]


async def test_an_hour_of_429_ends_with_the_run(read, workspace):
    workspace.faults.add({"fault": "429", "at": "submit", "count": 1000, "retry_after": 3600})

    with pytest.raises(OutOfTime) as raised:
        await read(seconds=450)

    assert raised.value.problem.reason == "rate_limited"
    assert read.clock.rests == []


async def test_a_warehouse_that_is_still_waking_is_polled(read, slowly):
    slowly(Pace(wake_seconds=100, run_seconds=20))

    assert len(await read()) == 3

    assert 120 <= read.clock.now < 126
    assert max(read.clock.rests) == 5


async def test_a_statement_nobody_waits_for_is_cancelled(read, slowly, workspace):
    slowly(Pace(wake_seconds=100, run_seconds=20))

    with pytest.raises(OutOfTime):
        await read(seconds=60)

    (statement,) = workspace.statements._known.values()
    assert statement.canceled


@pytest.mark.parametrize(
    ("differs", "reason", "said"),
    [
        ({"databricks_token": "wrong"}, "forbidden", "Invalid access token"),
        ({"databricks_warehouse_id": "gone"}, "no_warehouse", "DATABRICKS_WAREHOUSE_ID"),
        ({"catalog_table": "main.media.nothing"}, "no_table", "CATALOG_TABLE"),
        ({"catalog_columns": {"content_id": "content_id", "url": "art"}}, "no_column", "`art` cannot be resolved"),
        ({"databricks_host": "http://127.0.0.1:9"}, "unreachable", "did not answer"),
    ],
    ids=["token", "warehouse", "table", "column", "host"],
)
async def test_what_is_set_wrong_is_said(read, differs, reason, said):
    with pytest.raises(CatalogFailed, match=said) as raised:
        await read(**differs)

    assert raised.value.reason == reason


@pytest.mark.parametrize(
    ("fault", "at", "reason"),
    [
        ("stopped", "submit", "warehouse_stopped"),
        ("failed", "submit", "statement_failed"),
        ("garbage", "submit", "bad_answer"),
        ("expired", "chunk", "result_gone"),
        ("expired", "link", "result_gone"),
    ],
)
async def test_what_went_wrong_there_is_said(read, workspace, fault, at, reason):
    workspace.rows(content(5))
    workspace.statements.pace = Pace(run_seconds=0, chunk_rows=3)
    workspace.faults.add({"fault": fault, "at": at})

    with pytest.raises(CatalogFailed) as raised:
        await read(catalog_disposition="EXTERNAL_LINKS" if at == "link" else "INLINE")

    assert raised.value.reason == reason
    assert TOKEN not in str(raised.value)


async def test_no_value_can_become_sql(read, workspace):
    workspace.rows([*content(2), {**content(1)[0], "content_id": HOSTILE}])

    assert [row[0] for row in await read(HOSTILE)] == ["t001"]
    assert HOSTILE not in workspace.statements.asked()[-1]["statement"]


@pytest.mark.parametrize(
    "wrong",
    [
        {"catalog_table": "a.b.c.d"},
        {"catalog_table": "main.media.x; drop table y"},
        {"catalog_table": "main.`media`.x"},
        {"catalog_table": ""},
        {"catalog_columns": {"content_id": "id` --", "url": "u"}},
        {"catalog_columns": {"content_id": "id"}},
        {"catalog_columns": {"content_id": "id", "url": "u", "price": "p"}},
        {"databricks_host": "https://x.example/path?token=1"},
    ],
    ids=str,
)
def test_a_name_that_could_be_more_than_a_name_is_refused(wrong):
    with pytest.raises(ValueError, match="validation error"):
        CatalogSettings(**wrong)


def test_a_row_is_told_of_in_one_line():
    rows = [["a\nb", "http://x.test/a.jpg"], ["ok", "http://x.test/a.jpg"], ["long", "http://x.test/" + "a" * 3000]]

    page = read_page(["content_id", "url"], rows)

    assert [poster["content_id"] for poster in page.posters] == ["ok"]
    assert len(page.problems) == 2
    assert all("\n" not in problem and len(problem) < 300 for problem in page.problems)
    assert page.last == "long"


@pytest.mark.parametrize("rows", [[["t000"]], [["t000", "http://x.test/a.jpg", "more"]], [None], [7]], ids=str)
def test_rows_that_do_not_fit_their_columns_are_a_bad_answer(rows):
    with pytest.raises(CatalogFailed, match="do not fit") as raised:
        read_page(["content_id", "url"], rows)

    assert raised.value.reason == "bad_answer"


def test_a_link_with_a_token_is_refused_as_cloud_storage_does(workspace):
    answer = httpx.get(f"{workspace.url}/external/x", headers={"Authorization": f"Bearer {TOKEN}"})

    assert answer.status_code == 400


def test_the_workspace_answers_as_the_real_one(workspace):
    def ask(**more):
        body = {"statement": "SELECT content_id FROM main.media.content_info LIMIT 1", "warehouse_id": WAREHOUSE_ID}
        return httpx.post(
            f"{workspace.url}/api/2.0/sql/statements",
            json={**body, **more},
            headers={"Authorization": f"Bearer {TOKEN}"},
        )

    assert ask().json()["result"]["data_array"] == [["t000"]]
    assert ask(wait_timeout="3s").json()["error_code"] == "INVALID_PARAMETER_VALUE"
    assert ask(statement="DELETE FROM main.media.content_info").json()["status"]["state"] == "FAILED"
    assert ask(statement="SELECT :x").json()["status"]["error"]["message"].startswith("[UNBOUND_SQL_PARAMETER]")
    assert ask(row_limit=0).json()["manifest"]["truncated"] is True
    assert httpx.post(f"{workspace.url}/api/2.0/sql/statements", json={}).status_code == 401
    assert json.dumps(ask().json()["manifest"]["schema"]["columns"][0]["type_name"]) == '"STRING"'
