"""A warehouse over HTTP, the engine's database behind Supabase's REST, and the function between them."""

import pytest

from functions.catalog import warehouse as client
from functions.catalog.catalog import Pass
from functions.catalog.orders import Order
from functions.catalog.settings import CatalogSettings
from functions.catalog.warehouse import Warehouse
from local.databricks.app import Service
from local.databricks.statements import Pace
from local.databricks.warehouse import Warehouse as Tables
from local.databricks.warehouse import table_of
from shared.store import Store
from tests.engine.here import settings_of
from tests.engine.running import served

TABLE, TOKEN, WAREHOUSE_ID = "main.media.content_info", "dapi-test-7c1e", "wh-1"


def pytest_configure(config: pytest.Config) -> None:
    config.pluginmanager.import_plugin("tests.engine.parts")


def content(count, **differs):
    """Rows of content_info: t000, t001, ..."""
    return [
        {
            "content_id": f"t{n:03}", "title": f"Title {n}", "poster_url": f"http://posters.test/{n}.jpg",
            "is_active": True, **differs,
        }
        for n in range(count)
    ]  # fmt: skip


@pytest.fixture(scope="session")
def open_workspace():
    service = Service(
        Tables({TABLE: table_of(TABLE, content(1))}), warehouse_id=WAREHOUSE_ID, token=TOKEN, pace=Pace(run_seconds=0)
    )
    with served(service.app()) as url:
        yield service, url


@pytest.fixture
def workspace(open_workspace):
    """The warehouse: `rows(...)` writes its table, `faults.add(...)` makes it fail, `statements.asked()` is its log."""
    service, url = open_workspace
    service.faults.clear()
    service.statements.pace = Pace(run_seconds=0)
    service.statements._known.clear()
    service.url = url
    service.rows = lambda rows: service.tables.replace(table_of(TABLE, rows))
    service.rows(content(3))
    yield service
    service.faults.clear()


@pytest.fixture
def catalog(database):
    database.execute("truncate posters, catalog_cursors restart identity")
    return database


class Clock:
    """Time that passes only when somebody rests."""

    def __init__(self):
        self.now = 0.0
        self.rests = []

    def __call__(self):
        return self.now

    async def sleep(self, seconds):
        self.rests.append(seconds)
        self.now += seconds


@pytest.fixture
async def run(workspace, catalog, environment, monkeypatch):
    """run(fresh=True, catalog_page_rows=2): one run in this process; what it reports."""
    clock = Clock()
    # Its own waiting would be by the real clock.
    monkeypatch.setattr(client, "WAIT_SECONDS", 0)
    store = Store.of(settings_of(environment))

    async def run(*, seconds=1000.0, fresh=False, include_inactive=False, chance=lambda: 0.5, **differs):
        known = CatalogSettings(
            **{
                "databricks_host": workspace.url, "databricks_warehouse_id": WAREHOUSE_ID, "databricks_token": TOKEN,
                "catalog_page_rows": 100, **differs,
            }
        )  # fmt: skip
        until = clock.now + seconds
        warehouse = Warehouse(known, until=until, clock=clock, sleep=clock.sleep, chance=chance)
        order = Order(catalog=True, fresh=fresh, include_inactive=include_inactive)
        try:
            return await Pass(known, store, warehouse, has_time=lambda: clock.now < until).run(order)
        finally:
            await warehouse.aclose()

    run.clock = clock
    yield run
    await store.aclose()


@pytest.fixture
def posters(catalog):
    """posters(): what is in the table, by content_id."""
    return lambda: {
        row["content_id"]: row for row in catalog.execute("select * from posters order by content_id").fetchall()
    }


@pytest.fixture
def cursor(catalog):
    return lambda: catalog.execute("select * from catalog_cursors").fetchone()
