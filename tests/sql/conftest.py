"""A world of one quota and one batch. All tests here share a database, which each finds empty."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import psycopg
import pytest

from .world import World

Database = psycopg.Connection[dict[str, Any]]


@pytest.fixture(scope="session")
def database(new_database: Callable[[], AbstractContextManager[Database]]) -> Iterator[Database]:
    with new_database() as made:
        yield made


@pytest.fixture
def world(database: Database) -> World:
    # As a request comes: through PostgREST, in the role of the secret key.
    database.execute("set role service_role")
    for table in (
        "batches",
        "quotas",
        "breakers",
        "article_summaries",
        "news_urls",
        "attempt_changes",
        "attempt_tallies",
    ):
        database.execute(f"delete from {table}")
    return World.new(database)
