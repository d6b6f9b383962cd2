"""A world of one quota and one batch. All tests here share a database of each server, which they find empty."""

from collections.abc import Iterator

import pytest

from tests.conftest import Database, fresh_database, make_template

from .older_postgres import postgres_15
from .world import World


@pytest.fixture(scope="session", params=["18", "15"])
def server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The newest Postgres, and the oldest that Supabase runs; the folder of its socket, with a template to copy."""
    if request.param == "18":
        request.getfixturevalue("template")
        yield request.getfixturevalue("postgres")
        return
    with postgres_15() as socket:
        make_template(socket)
        yield socket


@pytest.fixture(scope="session")
def database(server: str) -> Iterator[Database]:
    with fresh_database(server) as made:
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
