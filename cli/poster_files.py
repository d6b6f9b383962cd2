"""From a file of posters to rows: CSV, JSON lines or Parquet, read piece by piece, each row with its number.

content_id,title,url,active      a CSV header; other columns are left out
{"content_id": "t1", ...}        a JSON line
posters.parquet                  needs pyarrow
"""

import csv
import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cli.inputs import BadLine, unsendable
from cli.problems import BadInput

FIELDS = ("content_id", "title", "url", "active", "language", "kind")
PARQUET_ROWS = 1000
YES, NO = frozenset({"true", "t", "1", "yes", "y"}), frozenset({"false", "f", "0", "no", "n"})

Row = dict[str, Any]
Numbered = tuple[int, Row | str]  # a row, or why there is none
Columns = Mapping[str, str]


def read_posters(file: Path, columns: Columns) -> Iterator[tuple[int, Row] | BadLine]:
    """Yield the posters of the file with their line or row, and the bad ones. `columns`: {field: column of the file}.

    Raises BadInput when the file cannot be read at all.
    """
    read = READERS.get(file.suffix.lower())
    if read is None:
        raise BadInput(f"{file}: its name must end with {', '.join(READERS)}, which says how to read it.")
    try:
        for number, found in read(file, {field: columns.get(field, field) for field in FIELDS}):
            row = found if isinstance(found, str) else checked(found)
            yield BadLine(number, row) if isinstance(row, str) else (number, row)
    except OSError as error:
        raise BadInput(f"{file} cannot be read: {error.strerror or error}.") from error


def read_columns(pairs: list[str]) -> Columns:
    """Return {field: column} of FIELD=COLUMN words. Raises BadInput."""
    found = dict(pair.partition("=")[::2] for pair in pairs)
    for field, column in found.items():
        if field not in FIELDS or not column:
            raise BadInput(f"--column {field}={column} is not FIELD=COLUMN; fields are {', '.join(FIELDS)}.")
    return found


def checked(row: Row) -> Row | str:
    """The row as the API takes it, or why not. What is empty is left out, so that it leaves what is there."""
    kept = {field: value for field, value in row.items() if value is not None and str(value).strip()}
    for field in ("content_id", "url"):
        if field not in kept:
            return f"no {field}"
    made: Row = {field: str(value).strip() for field, value in kept.items()}
    if reason := unsendable(made):
        return reason
    if "active" in made:
        word = made["active"].lower()
        if word not in YES | NO:
            return f"active is {made['active'][:40]!r}, neither true nor false"
        made["active"] = word in YES
    return against(made["url"]) or made


def against(url: str) -> str:
    """Why this is no address, or nothing."""
    try:
        parts = urlsplit(url)
        lawful = parts.scheme in {"http", "https"} and bool(parts.hostname) and not re.search(r"[\s\x00-\x1f\x7f]", url)
    except ValueError:
        lawful = False
    return "" if lawful else f"{url[:80]!r} is no http or https URL"


def _csv(file: Path, columns: Columns) -> Iterator[Numbered]:
    with file.open(encoding="utf-8-sig", errors="replace", newline="") as lines:
        rows = csv.DictReader(lines, restkey="", skipinitialspace=True)
        try:
            known = rows.fieldnames or ()
        except csv.Error as error:
            raise BadInput(f"{file}: the header is not CSV: {error}; is there a quotation mark too many?") from error
        missing = [columns[field] for field in ("content_id", "url") if columns[field] not in known]
        if missing:
            raise BadInput(f"{file} has no column {' and no column '.join(missing)}; name yours with --column.")
        while True:
            try:
                row = next(rows)
            except StopIteration:
                return
            except csv.Error as error:
                yield rows.line_num, f"not CSV: {error}"
                continue
            yield rows.line_num, "more cells than columns" if "" in row else picked(row, columns)


def _lines(file: Path, columns: Columns) -> Iterator[Numbered]:
    with file.open(encoding="utf-8-sig", errors="replace") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, _object(line, columns)


def _object(line: str, columns: Columns) -> Row | str:
    try:
        found = json.loads(line)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    return picked(found, columns) if isinstance(found, dict) else "not a JSON object"


def _parquet(file: Path, columns: Columns) -> Iterator[Numbered]:
    try:
        import pyarrow as pa  # noqa: PLC0415 - five times the size of this command, and few need it
        from pyarrow import parquet  # noqa: PLC0415
    except ImportError:
        raise BadInput(
            "To read Parquet, install pyarrow: pip install pyarrow. CSV and JSON lines need nothing."
        ) from None
    try:
        with parquet.ParquetFile(file) as opened:
            known = opened.schema_arrow.names
            missing = [columns[field] for field in ("content_id", "url") if columns[field] not in known]
            if missing:
                raise BadInput(f"{file} has no column {' and no column '.join(missing)}; name yours with --column.")
            wanted = [column for column in columns.values() if column in known]
            number = 0
            for batch in opened.iter_batches(PARQUET_ROWS, columns=wanted):
                for number, row in enumerate(batch.to_pylist(), number + 1):  # noqa: B020 - it goes on counting
                    yield number, picked(row, columns)
    except pa.ArrowException as error:
        raise BadInput(f"{file} is no Parquet file: {str(error).splitlines()[0]}") from error


def picked(row: Mapping[str, Any], columns: Columns) -> Row:
    return {field: row.get(column) for field, column in columns.items()}


READERS: dict[str, Callable[[Path, Columns], Iterator[Numbered]]] = {
    ".csv": _csv,
    ".jsonl": _lines,
    ".ndjson": _lines,
    ".parquet": _parquet,
}
