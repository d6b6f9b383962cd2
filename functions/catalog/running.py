"""One run: the clients for it, and how much time it has."""

import asyncio
import functools
import time

from functions.catalog.catalog import Pass, Report
from functions.catalog.orders import Order
from functions.catalog.settings import CatalogSettings, catalog_settings
from functions.catalog.warehouse import Warehouse
from shared.manifest import manifests
from shared.settings import settings
from shared.store import Store


async def run(order: Order) -> Report:
    """Read on until the pass is over or the time is. Without a host there is no catalog, which is no error."""
    known = catalog_settings()
    if not known.is_on:
        return {"state": "off", "hint": "set DATABRICKS_HOST to read a catalog"}
    return await run_until(known, order, time.monotonic() + manifests().functions["catalog"].work_seconds)


async def run_until(known: CatalogSettings, order: Order, until: float) -> Report:
    warehouse = Warehouse(known, until=until)
    try:
        has_time = lambda: time.monotonic() < until  # noqa: E731
        return await Pass(known, store(asyncio.get_running_loop()), warehouse, has_time=has_time).run(order)
    finally:
        await warehouse.aclose()


@functools.cache
def store(_loop: asyncio.AbstractEventLoop) -> Store:
    return Store.of(settings())
