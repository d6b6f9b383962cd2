"""The warehouse: tables from files, and statements that are really run over them, by SQLite.

samples/catalog/main.media.content_info.jsonl     one object a line; the name of the file is the name of the table
samples/catalog/main.media.other.csv              a header, then rows of text
"""

import csv
import json
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

TYPES = {bool: "BOOLEAN", int: "BIGINT", float: "DOUBLE", str: "STRING"}
STORED = {"BOOLEAN": "BOOLEAN", "BIGINT": "INTEGER", "DOUBLE": "REAL", "STRING": "TEXT"}
IDENTIFIER = r"(?:`(?:[^`]|``)+`|\w+)"
SOURCE = re.compile(rf"\b(from|join)\s+({IDENTIFIER}(?:\s*\.\s*{IDENTIFIER})*)", re.IGNORECASE)
READS: dict[str, Callable[[str], Any]] = {
    "STRING": str,
    "INT": int,
    "BIGINT": int,
    "DOUBLE": float,
    "BOOLEAN": lambda text: int(text.lower() == "true"),
}


class StatementFailed(Exception):
    """The statement was accepted and could not be run. `state` is its SQLSTATE."""

    def __init__(self, state: str, message: str) -> None:
        super().__init__(message)
        self.state = state


@dataclass(frozen=True)
class Table:
    """Rows in the order of the file, and each column's type as Databricks names it."""

    name: str
    columns: Mapping[str, str]
    rows: Sequence[Sequence[Any]]


@dataclass(frozen=True)
class Result:
    """What came out: every value the string that JSON_ARRAY has for it, or None."""

    columns: Sequence[tuple[str, str]]
    rows: Sequence[Sequence[str | None]]


def read_tables(folder: Path) -> dict[str, Table]:
    """The tables of a folder by their full names. Raises OSError, ValueError."""
    return {file.stem: read_table(file) for file in sorted(folder.iterdir()) if file.suffix in {".jsonl", ".csv"}}


def read_table(file: Path) -> Table:
    with file.open(encoding="utf-8", newline="") as lines:
        records = list(csv.DictReader(lines)) if file.suffix == ".csv" else [json.loads(line) for line in lines]
    return table_of(file.stem, records)


def table_of(name: str, records: Sequence[Mapping[str, Any]]) -> Table:
    """A column is of the type of its first value; one without any is a STRING."""
    columns: dict[str, str] = {}
    for record in records:
        for column, value in record.items():
            known = TYPES.get(type(value), "STRING") if value is not None else ""
            columns[column] = columns.get(column) or known
    columns = {column: kind or "STRING" for column, kind in columns.items()}
    return Table(name, columns, [[record.get(column) for column in columns] for record in records])


class Warehouse:
    """All tables in one SQLite database in memory; every statement reads, none writes."""

    def __init__(self, tables: Mapping[str, Table]) -> None:
        self._tables = dict(tables)
        # By its declared type a column is known even under another name.
        sqlite3.register_converter("BOOLEAN", lambda stored: stored == b"1")
        self._database = sqlite3.connect(":memory:", check_same_thread=False, detect_types=sqlite3.PARSE_DECLTYPES)
        for table in tables.values():
            self._load(table)
        self._database.execute("pragma query_only = on")

    def replace(self, table: Table) -> None:
        """As if somebody had written to the table."""
        self._database.execute("pragma query_only = off")
        self._database.execute(f"drop table if exists {quoted(table.name)}")
        self._tables[table.name] = table
        self._load(table)
        self._database.execute("pragma query_only = on")

    def run(self, statement: str, parameters: Sequence[Mapping[str, Any]], *, namespace: Sequence[str]) -> Result:
        """Run it. `namespace` is the catalog and the schema of names that have none. Raises StatementFailed."""
        tables: list[Table] = []

        def known(match: re.Match[str]) -> str:
            table = self._find(match.group(2), namespace)
            tables.append(table)
            return f"{match.group(1)} {quoted(table.name)}"

        values = {str(given.get("name")): value_of(given) for given in parameters}
        try:
            cursor = self._database.execute(SOURCE.sub(known, statement), values)
        except sqlite3.Error as error:
            raise renamed(error, tables) from error
        rows = cursor.fetchall()
        columns = [(str(one[0]), kind_of(rows, place)) for place, one in enumerate(cursor.description or ())]
        return Result(columns, [[written(value) for value in row] for row in rows])

    def _find(self, source: str, namespace: Sequence[str]) -> Table:
        parts = [part.strip("`").replace("``", "`") for part in re.findall(IDENTIFIER, source)]
        name = ".".join([*namespace[: max(0, 3 - len(parts))], *parts])
        if name not in self._tables:
            raise StatementFailed(
                "42P01",
                f"[TABLE_OR_VIEW_NOT_FOUND] The table or view `{'`.`'.join(parts)}` cannot be found. "
                "Verify the spelling and correctness of the schema and catalog. SQLSTATE: 42P01",
            )
        return self._tables[name]

    def _load(self, table: Table) -> None:
        names = ", ".join(f"{quoted(column)} {STORED[kind]}" for column, kind in table.columns.items())
        marks = ", ".join("?" for _ in table.columns)
        self._database.execute(f"create table {quoted(table.name)} ({names})")
        self._database.executemany(f"insert into {quoted(table.name)} values ({marks})", table.rows)
        self._database.commit()


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def value_of(given: Mapping[str, Any]) -> Any:
    """A parameter's value as its type reads it. Raises StatementFailed where it cannot."""
    value, kind = given.get("value"), str(given.get("type") or "STRING").upper()
    if value is None:
        return None
    if not isinstance(value, str) or kind not in READS:
        raise StatementFailed("22023", f"[INVALID_PARAMETER] {given.get('name')}: a value is a string, of a known type")
    try:
        return READS[kind](value)
    except ValueError as error:
        raise StatementFailed(
            "22018", f"[CAST_INVALID_INPUT] The value '{value}' cannot be cast to {kind}. SQLSTATE: 22018"
        ) from error


def kind_of(rows: Sequence[Sequence[Any]], place: int) -> str:
    first = next((row[place] for row in rows if row[place] is not None), "")
    return TYPES[type(first)]


def written(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(value)


def renamed(error: sqlite3.Error, tables: Sequence[Table]) -> StatementFailed:
    """SQLite's error in the words of Databricks."""
    said = str(error)
    if said.startswith("no such column: "):
        have = ", ".join(f"`{column}`" for table in tables for column in table.columns)
        name = said.removeprefix("no such column: ")
        return StatementFailed(
            "42703",
            f"[UNRESOLVED_COLUMN.WITH_SUGGESTION] A column, variable, or function parameter with name `{name}` "
            f"cannot be resolved. Did you mean one of the following? [{have}]. SQLSTATE: 42703",
        )
    if "supply a value for binding" in said:
        return StatementFailed("42P02", f"[UNBOUND_SQL_PARAMETER] {said} SQLSTATE: 42P02")
    if "readonly" in said:
        return StatementFailed("42501", "[INSUFFICIENT_PERMISSIONS] User does not have MODIFY. SQLSTATE: 42501")
    return StatementFailed("42601", f"[PARSE_SYNTAX_ERROR] {said}. SQLSTATE: 42601")
