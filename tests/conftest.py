"""A real Postgres for the tests that need one, and a fresh, migrated database for each of them."""

import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.rows import dict_row

# By way of local.postgres, which silences what the library warns of when it is imported.
from local.postgres import get_server, socket_folder  # type: ignore[attr-defined]

MIGRATIONS = Path(__file__).parents[1] / "supabase" / "migrations"
TEMPLATE = "piecework_template"
Database = psycopg.Connection[dict[str, Any]]
# Supabase has these roles; grants and row level security name them.
ROLES = {"anon": "nologin", "authenticated": "nologin", "service_role": "nologin bypassrls"}


def connect(socket: str, database: str) -> Database:
    return psycopg.connect(host=socket, user="postgres", dbname=database, autocommit=True, row_factory=dict_row)


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """The folder of the socket of a Postgres of our own; it is removed at the end."""
    folder = tempfile.mkdtemp(prefix="piecework-")
    server = get_server(Path(folder) / "data", cleanup_mode="delete")
    socket = socket_folder(server)
    with connect(socket, "postgres") as admin:
        # Nothing here has to survive a power cut.
        for setting in ("fsync", "synchronous_commit", "full_page_writes"):
            admin.execute(sql.SQL("alter system set {} = off").format(sql.Identifier(setting)))
        admin.execute("select pg_reload_conf()")
    yield socket
    server.cleanup()
    Path(folder).rmdir()


@pytest.fixture(scope="session")
def template(postgres: str) -> str:
    """The name of a database with Supabase's roles and all migrations, to make others from."""
    make_template(postgres)
    return TEMPLATE


def make_template(socket: str) -> None:
    with connect(socket, "postgres") as admin:
        for role, rights in ROLES.items():
            admin.execute(f"create role {role} {rights}")
        admin.execute(f"create database {TEMPLATE}")
    # As in a new project of Supabase: what is made in public is granted to nobody, the service role included.
    with connect(socket, TEMPLATE) as database:
        migrate(database)


def migrate(database: Database) -> None:
    for migration in sorted(MIGRATIONS.glob("*.sql")):
        database.execute(migration.read_text())


@contextmanager
def fresh_database(socket: str, template: str = TEMPLATE) -> Iterator[Database]:
    """A database that lasts as long as the `with`."""
    name = f"test_{uuid.uuid4().hex}"
    with connect(socket, "postgres") as admin:
        admin.execute(f"create database {name} template {template}")
        with connect(socket, name) as database:
            yield database
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture(scope="session")
def new_database(postgres: str, template: str) -> Callable[[], AbstractContextManager[Database]]:
    """Makes a database that lasts as long as its `with`."""
    return partial(fresh_database, postgres, template)


@pytest.fixture
def db(new_database: Callable[[], AbstractContextManager[Database]]) -> Iterator[Database]:
    """A connection to a fresh database. Another one to the same: psycopg.connect(db.info.dsn)."""
    with new_database() as database:
        yield database
