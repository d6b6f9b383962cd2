"""Nobody but the service role reads or writes."""

from collections.abc import Iterator

import psycopg
import pytest
from psycopg.rows import dict_row

from infra import migrate
from tests.conftest import fresh_database

from .world import World, ended

KINDS = ("tables", "functions", "sequences")
TABLE_RIGHTS = "'select, insert, update, delete, truncate, references, trigger'"


@pytest.fixture(scope="module", params=["a new project", "an old project"])
def project(request: pytest.FixtureRequest, server: str) -> Iterator[World]:
    """Migrated as on Supabase, by an owner who is no superuser. Old projects open all that is made to everybody."""
    with fresh_database(server, "template0") as database:
        name = database.info.dbname
        database.execute("create role owner login nosuperuser")
        database.execute("grant anon, authenticated, service_role to owner")
        database.execute(f"alter database {name} owner to owner")
        with psycopg.connect(
            host=server, user="owner", dbname=name, autocommit=True, row_factory=dict_row
        ) as connection:
            if request.param == "an old project":
                for kind in KINDS:
                    roles = "anon, authenticated, service_role"
                    connection.execute(f"alter default privileges in schema public grant all on {kind} to {roles}")
            migrate.migrate(connection, migrate.read(migrate.FOLDER), dry_run=False)
            yield World(connection)
        database.execute(f"alter database {name} owner to postgres")
        database.execute("drop owned by owner cascade")
        database.execute("drop role owner")


def test_later_migrations_give_the_service_role_its_rights_and_nobody_else_any(project: World):
    with project.db.transaction(force_rollback=True):
        project.db.execute("create table public.later (id bigint generated always as identity primary key)")
        rights = project.rows(
            """
            select grantee, array_agg(privilege_type::text order by privilege_type) as may
            from information_schema.role_table_grants
            where table_name = 'later' and grantee in ('anon', 'authenticated', 'service_role') group by 1
            """
        )

    (row,) = rights
    assert row["grantee"] == "service_role"
    assert {"DELETE", "INSERT", "SELECT", "UPDATE"} <= set(row["may"])


def test_the_service_role_may_call_every_function_and_touch_every_table(project: World):
    closed = project.rows(
        """
        select p.proname as name from pg_proc p
        where p.pronamespace = 'public'::regnamespace and not has_function_privilege('service_role', p.oid, 'execute')
        union all
        select c.relname from pg_class c
        where c.relnamespace = 'public'::regnamespace and c.relkind in ('r', 'p', 'v')
          and not has_table_privilege('service_role', c.oid, 'select')
        """
    )

    assert closed == []


@pytest.mark.parametrize("role", ["anon", "authenticated", "public"])
def test_no_table_view_or_sequence_is_open_to(project: World, role: str):
    found = project.rows(
        f"""
        select relname from pg_class
        where relnamespace = 'public'::regnamespace and (
          (relkind in ('r', 'p', 'v', 'm', 'f') and has_table_privilege(%s, oid, {TABLE_RIGHTS}))
          or (relkind = 'S' and has_sequence_privilege(%s, oid, 'usage, select, update')))
        """,
        role, role,
    )  # fmt: skip

    assert found == []


@pytest.mark.parametrize("role", ["anon", "authenticated", "public"])
def test_no_function_is_open_to(project: World, role: str):
    found = project.rows(
        """
        select proname from pg_proc p
        where pronamespace = 'public'::regnamespace and has_function_privilege(%s, p.oid, 'execute')
          and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
        """,
        role,
    )

    assert found == []


@pytest.mark.parametrize("role", ["anon", "authenticated"])
@pytest.mark.parametrize(
    "statement", ["select * from items", "select * from health_v1()", "select * from article_backlog"]
)
def test_others_are_turned_away(world: World, role: str, statement: str):
    with world.db.transaction(force_rollback=True):
        world.db.execute(f"set local role {role}")
        with pytest.raises(psycopg.errors.InsufficientPrivilege), world.db.transaction():
            world.db.execute(statement)


def test_the_service_role_can_do_all_its_work(world: World):
    with world.db.transaction(force_rollback=True):
        world.db.execute("set local role service_role")
        world.quota()
        item = world.item(batch=world.batch())
        world.one("select mark_queued_v1(%s)", [item])
        claim = world.run(item)
        (kept,) = world.keep(ended(claim, upstreams={"domain:a.test": False}))
        world.rows("select sweep_v1(10)")
        world.rows("select * from batch_progress_v1(%s)", [claim["batch_id"]])
        world.rows("select batch_results_v1(%s, 'article_summaries')", claim["batch_id"])
        world.rows("select metrics_v1()")
        for report in ("health_v1()", "breakers_v1()", "article_backlog"):
            world.rows(f"select * from {report}")
        world.one("select backlog_count_v1('article_backlog', 10)")
        world.db.execute("insert into news_urls (url) values ('a')")

    assert kept["state"] == "done"
