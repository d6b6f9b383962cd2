"""Migrations are applied once, in order, whole or not at all; what contradicts the database's history is refused."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from infra import migrate
from infra.migrate import Migration, Refused, connect, essence, plan, read, session_settings
from tests.conftest import MIGRATIONS

ONE = "create table one (id int);\n"
TWO = "-- The second.\ncreate table two (id int);\ninsert into two values (2);\n"
BROKEN = "create table three (id int);\n\nselect missing from three;\n"


def migration(number, text, name="step"):
    return Migration(f"202701040000{number:02}", name, text)


@pytest.fixture
def empty(postgres, template):
    """The address of a database that never saw a migration."""
    name = f"migrate_{uuid.uuid4().hex}"
    with psycopg.connect(host=postgres, user="postgres", dbname="postgres", autocommit=True) as admin:
        admin.execute(f"create database {name}")
        yield make_conninfo(host=postgres, user="postgres", dbname=name)
        admin.execute(f"drop database {name} with (force)")


@pytest.fixture
def database(empty):
    with connect(empty) as session:
        yield session


def apply(database, *migrations):
    return [one.file for one in migrate.migrate(database, migrations, dry_run=False).pending]


def tables(database):
    return {name for (name,) in database.execute("select relname from pg_class where relkind = 'r'").fetchall()}


def test_the_projects_own_migrations_can_be_applied_and_then_there_is_nothing_left(database):
    own = read(MIGRATIONS)

    first, second = apply(database, *own), apply(database, *own)

    assert first == [path.name for path in sorted(MIGRATIONS.glob("*.sql"))]
    assert second == []
    assert {"items", "batches", "api_keys"} <= tables(database)


def test_a_listing_tells_what_is_pending_and_writes_nothing(database):
    planned = migrate.migrate(database, [migration(1, ONE)], dry_run=True)

    assert migrate.report(planned, dry_run=True) == "would apply 20270104000001_step.sql"
    assert database.execute("select to_regnamespace('supabase_migrations')").fetchone() == (None,)


def test_a_migration_that_fails_leaves_nothing_and_names_its_line(database):
    with pytest.raises(Refused, match=r"20270104000002_step\.sql, line 3: column \"missing\" does not exist; nothing"):
        apply(database, migration(1, ONE), migration(2, BROKEN))

    assert "one" in tables(database)
    assert "three" not in tables(database)
    assert list(migrate.history(database)) == ["20270104000001"]


def test_after_a_failure_the_mended_migration_is_applied(database):
    with pytest.raises(Refused):
        apply(database, migration(1, BROKEN))

    assert apply(database, migration(1, ONE)) == ["20270104000001_step.sql"]


def test_a_migration_changed_after_it_was_applied_is_refused(database):
    apply(database, migration(1, ONE))

    with pytest.raises(Refused, match="was changed after it was applied: put it back"):
        apply(database, migration(1, ONE.replace("int", "bigint")))


def test_the_history_of_the_supabase_cli_is_understood(database):
    """It keeps single statements without their semicolons, comments with the statement that follows."""
    database.execute(migrate.MAKE_HISTORY)
    kept = ["-- The second.\ncreate table two (id int)", "insert into two values (2)"]
    database.execute(migrate.KEEP, ["20270104000001", "step", kept])

    assert apply(database, migration(1, TWO + "-- The end.\n"), migration(2, ONE)) == ["20270104000002_step.sql"]
    with pytest.raises(Refused, match="was changed"):
        apply(database, migration(1, TWO.replace("2)", "3)")), migration(2, ONE))


def test_a_history_without_texts_as_old_versions_of_the_cli_left_it_is_taken_as_it_is(database):
    database.execute("create schema supabase_migrations")
    database.execute("create table supabase_migrations.schema_migrations (version text primary key)")
    database.execute("insert into supabase_migrations.schema_migrations values ('20270104000001')")

    assert apply(database, migration(1, ONE), migration(2, TWO)) == ["20270104000002_step.sql"]


def test_two_at_once_apply_everything_once(empty):
    both = threading.Barrier(2)

    def one_of_two(_):
        with connect(empty) as session:
            both.wait(20)
            return apply(session, migration(1, "select pg_sleep(0.2);\n" + ONE), migration(2, TWO))

    with ThreadPoolExecutor(2) as pool:
        applied = [name for names in pool.map(one_of_two, range(2)) for name in names]

    assert sorted(applied) == ["20270104000001_step.sql", "20270104000002_step.sql"]


def test_a_busy_table_is_not_waited_for_without_end(database, empty, monkeypatch):
    monkeypatch.setattr(migrate, "WAIT_FOR_TABLE", "50ms")
    apply(database, migration(1, ONE))
    with connect(empty) as other, other.transaction():
        other.execute("lock table one")

        with pytest.raises(Refused, match="a table it changes was busy for 50ms: run it again later"):
            apply(database, migration(1, ONE), migration(2, "alter table one add column more int;"))

    assert apply(database, migration(1, ONE), migration(2, "alter table one add column more int;"))


def test_another_migration_under_way_is_waited_for_and_then_said(database, empty, monkeypatch):
    monkeypatch.setattr(migrate, "WAIT_FOR_TURN", "50ms")
    with connect(empty) as other, migrate.turn(other), pytest.raises(Refused, match="another migration has been"):
        apply(database, migration(1, ONE))

    assert apply(database, migration(1, ONE))


@pytest.mark.parametrize("verb", ["create index concurrently one_id on", "CREATE UNIQUE INDEX  CONCURRENTLY one_id ON"])
def test_an_index_can_be_made_without_locking_its_table(database, verb):
    apply(database, migration(1, ONE), migration(2, f"-- In use all the time.\n{verb} one (id);\n"))

    assert database.execute("select indisvalid from pg_index where indexrelid = 'one_id'::regclass").fetchone() == (
        True,
    )
    assert list(migrate.history(database)) == ["20270104000001", "20270104000002"]


def test_an_index_that_could_not_be_made_says_what_is_left_of_it(database):
    rows = migration(1, ONE + "insert into one values (1), (1);")

    with pytest.raises(Refused, match=r'unique index "one_id"; an index that is there now is not valid: drop it'):
        apply(database, rows, migration(2, "create unique index concurrently one_id on one (id);"))

    assert list(migrate.history(database)) == ["20270104000001"]


def test_an_index_made_that_way_stands_alone_in_its_file(database):
    beside = migration(2, "create table two (id int); create index concurrently on one (id);")

    with pytest.raises(Refused, match="cannot run inside a transaction block; nothing of it was kept"):
        apply(database, migration(1, ONE), beside)

    assert "two" not in tables(database)


def test_what_a_migration_sets_ends_with_it(database):
    setting = migration(1, "set search_path = ''; set statement_timeout = 1; set role service_role;")

    applied = apply(database, setting, migration(2, "create table two (id int); select pg_sleep(0.05);"))

    assert len(applied) == 2
    assert database.execute("select to_regclass('public.two') is not null, current_user").fetchone() == (
        True,
        "postgres",
    )


def test_older_code_runs_on_a_newer_database(database):
    apply(database, migration(1, ONE), migration(2, TWO))

    planned = migrate.migrate(database, [migration(1, ONE)], dry_run=False)

    assert "ahead of this checkout (20270104000002); older code works with it" in migrate.report(planned, dry_run=False)


def test_a_migration_older_than_what_was_applied_is_refused():
    with pytest.raises(Refused, match=r"20270104000001_step\.sql: older than 20270104000002, which is applied already"):
        plan([migration(1, ONE), migration(2, TWO)], {"20270104000002": TWO})


def test_a_version_that_only_the_database_knows_is_refused_when_it_lies_between_ours():
    with pytest.raises(Refused, match="has 20270104000002, which is not in this checkout: merge its branch first"):
        plan(
            [migration(1, ONE), migration(3, TWO)], {"20270104000001": ONE, "20270104000002": "", "20270104000003": TWO}
        )


def test_comments_and_white_space_are_not_what_a_migration_does():
    assert essence(TWO) == essence(TWO.replace("-- The second.", "--  Another word;  ").replace(" (id", "\n(id"))
    assert essence(TWO) != essence(TWO.replace("int", "int8"))


def test_what_stands_in_quotes_is_what_a_migration_does():
    view = "create view v as select 'price -- net; a b' as \"a -- b\", 1 as n; -- it's new\n"

    for said, otherwise in (("-- net", "-- gross"), ("net;", "net"), ("a b", "ab"), ("1 as n", "2 as n")):
        assert essence(view) != essence(view.replace(said, otherwise))
    assert essence(view) == essence(view.replace("it's new", "old"))


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({"tables.sql": ONE}, r"tables\.sql is no migration's name: write it as 20270104000001_some_name\.sql"),
        ({"20270104000001_a.sql": ONE, "20270104000001_b.sql": TWO}, "have one version: give one a later time"),
        ({"20270104000001_a.sql": f"begin;\n{ONE}commit;"}, r"_a\.sql begins or ends a transaction"),
        ({}, "holds no migrations"),
    ],
    ids=str,
)
def test_a_folder_that_would_not_be_applied_as_it_looks_is_refused(tmp_path, files, said):
    for name, text in files.items():
        (tmp_path / name).write_text(text)

    with pytest.raises(Refused, match=said):
        read(tmp_path)


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("", "SUPABASE_DB_URL is not set: in Supabase press Connect"),
        ("postgresql://postgres:s3cret@db.example:6543/postgres", r"the transaction pooler's \(port 6543\)"),
        ("postgresql://postgres:s3cret%@db.example/postgres", "is no Postgres address: encode special characters"),
        ("postgresql://postgres:pa@s3cret@127.0.0.1:1/postgres", "the password has an @ or a /: encode"),
        ("postgresql://postgres:pa@x:s3cret@127.0.0.1:1/postgres", "the password has an @ or a /: encode"),
        ("postgresql://postgres:pa@x/s3cret@127.0.0.1:1/postgres", "the password has an @ or a /: encode"),
        ("postgresql://postgres:s3cret/x@127.0.0.1:1/postgres", "the password has an @ or a /: encode"),
        ("postgresql://postgres:s3cret@127.0.0.1:1/postgres", r"no session with 127\.0\.0\.1: .*session pooler's"),
    ],
)
def test_an_address_that_does_not_work_is_explained_without_its_password(url, said):
    with pytest.raises(Refused, match=said) as refused:
        connect(url)

    assert "s3cret" not in str(refused.value)


def test_a_session_over_a_network_is_encrypted_unless_the_address_says_otherwise():
    assert session_settings({"host": "aws-0.pooler.example"})["sslmode"] == "require"
    assert session_settings({"host": "aws-0.pooler.example", "sslmode": "verify-full"})["sslmode"] == "verify-full"
    assert "sslmode" not in session_settings({"host": "127.0.0.1"})
