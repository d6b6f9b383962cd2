"""Nobody but the service role reads or writes."""

import psycopg
import pytest

from .world import World, ended

TABLE_RIGHTS = "'select, insert, update, delete, truncate, references, trigger'"


def test_row_level_security_stands_on_every_table(world: World):
    open_tables = world.rows(
        """
        select relname from pg_class
        where relnamespace = 'public'::regnamespace and relkind in ('r', 'p') and not relrowsecurity
        """
    )

    assert open_tables == []


@pytest.mark.parametrize("role", ["anon", "authenticated", "public"])
def test_no_table_view_or_sequence_is_open_to(world: World, role: str):
    found = world.rows(
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
def test_no_function_is_open_to(world: World, role: str):
    found = world.rows(
        """
        select proname from pg_proc p
        where pronamespace = 'public'::regnamespace and has_function_privilege(%s, p.oid, 'execute')
          and not exists (select from pg_depend d where d.objid = p.oid and d.deptype = 'e')
        """,
        role,
    )

    assert found == []


def test_a_view_shows_no_more_than_its_reader_may_see(world: World):
    found = world.rows(
        """
        select relname from pg_class
        where relnamespace = 'public'::regnamespace and relkind = 'v'
          and not coalesce('security_invoker=true' = any (reloptions), false)
        """
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
