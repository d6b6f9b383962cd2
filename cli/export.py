"""Results as JSON, JSON lines or CSV, to standard output or a file that appears whole."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

from cli.problems import BadInput

Result = dict[str, Any]
_ITEM_COLUMNS = [
    "item_id", "custom_id", "url", "state", "reason", "error", "attempts", "cached", "tokens_in", "tokens_out",
    "cost_usd", "finished_at",
]  # fmt: skip


class Format(StrEnum):
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


def write(results: Iterable[Result], form: Format, file: Path | None) -> None:
    """Write the results. Raises BadInput when the file cannot be written."""
    writers = {Format.json: _write_json, Format.jsonl: _write_jsonl, Format.csv: _write_csv}
    with _output(file) as out:
        writers[form](results, out)


@contextmanager
def _output(file: Path | None) -> Iterator[TextIO]:
    if file is None:
        yield sys.stdout
        return
    if file.is_dir():
        raise BadInput(f"{file} is a folder; choose another --out.")
    draft = file.with_name(f"{file.name}.part")
    try:
        with draft.open("w", encoding="utf-8", newline="") as out:
            yield out
        draft.replace(file)
    except OSError as error:
        raise BadInput(f"{file} cannot be written: {error.strerror}; choose another --out.") from error
    finally:
        draft.unlink(missing_ok=True)


def _write_json(results: Iterable[Result], out: TextIO) -> None:
    json.dump(list(results), out, indent=2)
    out.write("\n")


def _write_jsonl(results: Iterable[Result], out: TextIO) -> None:
    out.writelines(json.dumps(result) + "\n" for result in results)


def _write_csv(results: Iterable[Result], out: TextIO) -> None:
    """Write one row per item; the columns are the item's, then every field any result has."""
    rows = [_csv_row(result) for result in results]
    columns = list(dict.fromkeys([*_ITEM_COLUMNS, *(column for row in rows for column in row)]))
    writer = csv.DictWriter(out, columns, restval="")
    writer.writeheader()
    writer.writerows({column: _cell(value) for column, value in row.items()} for row in rows)


def _csv_row(result: Result) -> Result:
    row = {column: result.get(column) for column in _ITEM_COLUMNS}
    row["url"] = (result.get("input") or {}).get("url")
    written = (result.get("result") or {}).items()
    return row | {f"result_{name}" if name in row else name: value for name, value in written}


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        return json.dumps(value, ensure_ascii=False)
    # A spreadsheet would run a cell that starts so, and these words come from web pages.
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
