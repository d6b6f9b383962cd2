"""Migrations: supabase/migrations/*.sql into the database that SUPABASE_DB_URL names, each once, in order.

python -m infra.migrate          applies what is pending
python -m infra.migrate --list   says what that would be, and writes nothing

Keeps its history where the Supabase CLI does, so `supabase db push` and this can take turns. Over the CLI it refuses a
migration whose text changed after it was applied, lets one run at a time, and lets older code run on a newer database.
"""

import os
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import Connection, conninfo, errors

SETTING = "SUPABASE_DB_URL"
FOLDER = Path(__file__).parent.parent / "supabase" / "migrations"
FILE = re.compile(r"(?P<version>\d{14})_(?P<name>[A-Za-z0-9_-]+)\.sql")
OWN_TRANSACTION = re.compile(r"(?im)^\s*(?:begin|start transaction|commit|rollback)(?: work| transaction)?\s*;")
# Postgres takes it in no transaction; so it stands alone in its file.
ALONE = re.compile(r"(?i)^(?:create|createunique|drop)indexconcurrently")
# What quotes hold counts as it stands: -- in it begins no comment.
NOT_DONE = re.compile(r"""(?P<literal>'(?:[^']|'')*'|"[^"]*")|--[^\n]*|[\s;]+""")
TRANSACTION_POOLER = "6543"
LOCK = 5_020_261_122  # any number, as long as nobody else's advisory lock has it
WAIT_FOR_TURN, WAIT_FOR_TABLE, CONNECT_SECONDS = "10min", "30s", 15
HISTORY = "supabase_migrations.schema_migrations"
MAKE_HISTORY = f"""
create schema if not exists supabase_migrations;
create table if not exists {HISTORY} (version text not null primary key);
alter table {HISTORY} add column if not exists statements text[], add column if not exists name text;
"""
APPLIED: LiteralString = (
    "select version, array_to_string(statements, E';\\n') from supabase_migrations.schema_migrations"
)
KEEP: LiteralString = (
    "insert into supabase_migrations.schema_migrations (version, name, statements) values (%s, %s, %s)"
)


class Refused(Exception):
    """The migrations stay as they are. The message says why, and what to do."""


@dataclass(frozen=True)
class Migration:
    version: str
    name: str
    text: str

    @property
    def file(self) -> str:
        return f"{self.version}_{self.name}.sql"


@dataclass(frozen=True)
class Plan:
    """What is to be applied, and which versions only the database knows (it is ahead of this checkout)."""

    pending: tuple[Migration, ...]
    ahead: tuple[str, ...]


def read(folder: Path) -> list[Migration]:
    """The migrations of a folder in their order. Raises Refused for a file that would be overlooked or is ambiguous."""
    found: dict[str, Migration] = {}
    for path in sorted(folder.glob("*.sql")):
        named = FILE.fullmatch(path.name)
        if named is None:
            raise Refused(f"{path.name} is no migration's name: write it as 20270104000001_some_name.sql.")
        if named["version"] in found:
            raise Refused(f"{path.name} and {found[named['version']].file} have one version: give one a later time.")
        text = path.read_text()
        if OWN_TRANSACTION.search(text):
            raise Refused(f"{path.name} begins or ends a transaction; every migration has one already: take it out.")
        found[named["version"]] = Migration(named["version"], named["name"], text)
    if not found:
        raise Refused(f"{folder} holds no migrations: run this in a checkout.")
    return list(found.values())


def plan(migrations: Sequence[Migration], applied: Mapping[str, str | None]) -> Plan:
    """Compare files with the history {version: text}. Raises Refused where they contradict each other."""
    for one in migrations:
        text = applied.get(one.version)
        if text and essence(text) != essence(one.text):
            raise Refused(f"{one.file} was changed after it was applied: put it back, and add a new one.")
    pending = tuple(one for one in migrations if one.version not in applied)
    newest, own = max(applied, default=""), {one.version for one in migrations}
    late = [one.file for one in pending if one.version < newest]
    if late:
        raise Refused(f"{', '.join(late)}: older than {newest}, which is applied already: rename with today's date.")
    ahead = tuple(sorted(version for version in applied if version not in own))
    strange = [version for version in ahead if version < max(own)]
    if strange:
        raise Refused(f"the database has {', '.join(strange)}, which is not in this checkout: merge its branch first.")
    return Plan(pending, ahead)


def essence(text: str) -> str:
    """The text without comments, white space and semicolons: the CLI keeps statements, this step whole files."""
    return NOT_DONE.sub(lambda found: found["literal"] or "", text)


def history(database: Connection) -> dict[str, str | None]:
    """What was applied; {} for a database that never saw a migration. Writes nothing."""
    (table,) = database.execute("select to_regclass(%s)", [HISTORY]).fetchone() or (None,)
    return dict(database.execute(APPLIED).fetchall()) if table else {}


@contextmanager
def turn(database: Connection) -> Iterator[None]:
    """Nobody else migrates meanwhile. Raises Refused when another one takes longer than ten minutes."""
    database.execute(f"set statement_timeout = 0; set lock_timeout = '{WAIT_FOR_TURN}'")
    try:
        database.execute("select pg_advisory_lock(%s)", [LOCK])
    except errors.LockNotAvailable as error:
        raise Refused("another migration has been running for ten minutes: look at it, then run this again.") from error
    try:
        yield
    finally:
        if not database.broken:
            database.execute("select pg_advisory_unlock(%s)", [LOCK])


def apply(database: Connection, one: Migration) -> None:
    """Run one migration and note it, both or neither. Raises Refused with the line that failed."""
    alone = ALONE.match(essence(one.text))
    try:
        with nullcontext() if alone else database.transaction():
            database.execute(f"reset all; set statement_timeout = 0; set lock_timeout = '{WAIT_FOR_TABLE}'")
            database.execute(one.text.encode())
            database.execute("reset role")
            database.execute(KEEP, [one.version, one.name, [one.text]])
    except errors.LockNotAvailable as error:
        raise Refused(f"{one.file}: a table it changes was busy for {WAIT_FOR_TABLE}: run it again later.") from error
    except psycopg.Error as error:
        kept = "an index that is there now is not valid: drop it" if alone else "nothing of it was kept"
        raise Refused(f"{one.file}{line_of(error, one.text)}: {said(error)}; {kept}.") from error


def line_of(error: psycopg.Error, text: str) -> str:
    position = error.diag.statement_position
    return f", line {text.count(chr(10), 0, int(position) - 1) + 1}" if position else ""


def said(error: psycopg.Error) -> str:
    return error.diag.message_primary or " ".join(str(error).split())


def migrate(database: Connection, migrations: Sequence[Migration], *, dry_run: bool) -> Plan:
    """Apply what is pending, or only tell. The connection is in autocommit mode."""
    if dry_run:
        return plan(migrations, history(database))
    with turn(database):
        database.execute(MAKE_HISTORY)
        planned = plan(migrations, history(database))
        for one in planned.pending:
            apply(database, one)
            print(f"applied {one.file}", flush=True)
    return planned


def connect(url: str) -> Connection:
    """A session in autocommit mode. Raises Refused with what to do about the address."""
    if not url:
        raise Refused(f"{SETTING} is not set: in Supabase press Connect and copy the session pooler's address.")
    try:
        given = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        # Not its text: that would print the password.
        raise Refused(f"{SETTING} is no Postgres address: encode special characters of the password (%40).") from error
    if any("@" in str(given.get(part) or "") for part in ("host", "port", "dbname")):
        # An @ of the password ended it, and its rest stands there: that may not be printed either.
        raise Refused(f"{SETTING}: the password has an @ or a /: encode special characters (%40, %2F).")
    if str(given.get("port")) == TRANSACTION_POOLER:
        raise Refused(f"{SETTING} is the transaction pooler's (port 6543); this needs a session: use port 5432.")
    return open_session(given)


def open_session(given: Mapping[str, object]) -> Connection:
    settings = session_settings(given)
    try:
        return psycopg.connect(**settings, autocommit=True)  # type: ignore[arg-type]
    except psycopg.OperationalError as error:
        raise Refused(
            f"no session with {settings.get('host', 'the database')}: {' '.join(str(error).split())}. Check the "
            "password; the direct address has IPv6 only, so from a network without it use the session pooler's."
        ) from error


def session_settings(given: Mapping[str, object]) -> dict[str, object]:
    """What is given, over our own: what goes over a network is encrypted unless the address says otherwise."""
    host = str(given.get("host") or "/")
    near = host.startswith("/") or host in {"localhost", "127.0.0.1", "::1"}
    own = {"connect_timeout": CONNECT_SECONDS, "application_name": "piecework-migrate"}
    return {**own, **({} if near else {"sslmode": "require"}), **given}


def report(planned: Plan, *, dry_run: bool) -> str:
    lines = [f"would apply {one.file}" for one in planned.pending] if dry_run else []
    if planned.ahead:
        lines.append(f"the database is ahead of this checkout ({', '.join(planned.ahead)}); older code works with it")
    if not planned.pending:
        lines.append("the database has every migration")
    return "\n".join(lines)


def main() -> None:
    """Exit 1 with one line that says what to do."""
    dry_run = sys.argv[1:] == ["--list"]
    if sys.argv[1:] and not dry_run:
        sys.exit("usage: python -m infra.migrate [--list]")
    try:
        migrations = read(FOLDER)
        with connect(os.environ.get(SETTING, "")) as database:
            text = report(migrate(database, migrations, dry_run=dry_run), dry_run=dry_run)
    except Refused as error:
        sys.exit(f"migrate: {error}")
    if text:
        print(text)


if __name__ == "__main__":
    main()
