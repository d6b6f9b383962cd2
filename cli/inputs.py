"""From a file of URLs to items: lines of text, JSON lines or CSV, told apart by what they look like.

https://example.com/a            a line of text; # starts a comment
{"url": "...", "custom_id": 1}   a JSON line; every field travels
url,custom_id                    a CSV header with a url column; every column travels
"""

import csv
import io
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cli.problems import BadInput

Item = dict[str, Any]
MAX_URL_CHARACTERS = 2083
MOST_CUSTOM_ID, MOST_LEVELS = 200, 100
# As JSON writes it, and not a backslash that stands before the letters u0000.
_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")


@dataclass(frozen=True)
class BadLine:
    number: int
    reason: str

    def __str__(self) -> str:
        return f"line {self.number}: {self.reason}"


@dataclass(frozen=True)
class Input:
    items: list[Item]
    bad_lines: list[BadLine]


def read_file(name: str) -> Input:
    """Read a file, or standard input for "-". Raises BadInput when it cannot be read."""
    try:
        content = sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror}; give a file of URLs, or - .") from error
    return read(content)


def read(content: bytes) -> Input:
    """Return the items in their order, and the lines that are none with the reason."""
    found: list[Item] = []
    bad: list[BadLine] = []
    for number, item in _candidates(content.decode("utf-8-sig", errors="replace")):
        reason = item if isinstance(item, str) else _reason_against(item)
        if reason:
            bad.append(BadLine(number, reason))
        elif isinstance(item, dict):
            found.append(item)
    return Input(found, bad)


def _candidates(text: str) -> Iterator[tuple[int, Item | str]]:
    """Yield (line number, item or why there is none)."""
    lines = text.replace("\r\n", "\n").split("\n")
    header = next((line for line in lines if line.strip() and not line.startswith("#")), "")
    if "url" in [column.strip() for column in header.split(",")]:
        yield from _csv_rows(lines)
        return
    for number, line in enumerate(lines, 1):
        content = line.strip()
        if content.startswith("{"):
            yield number, _json_item(content)
        elif content and not content.startswith("#"):
            yield number, {"url": re.sub(r"\s+#.*", "", content)}


def _json_item(line: str) -> Item | str:
    try:
        item = json.loads(line, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        return f"not JSON: {error}"
    return item if isinstance(item, dict) else "not a JSON object"


def refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON")


def _csv_rows(lines: list[str]) -> Iterator[tuple[int, Item | str]]:
    start = next(number for number, line in enumerate(lines) if line.strip() and not line.startswith("#"))
    rows = csv.reader(io.StringIO("\n".join(lines[start:])))
    try:
        columns = [column.strip() for column in next(rows)]
    except csv.Error as error:
        raise BadInput(
            f"line {start + 1}: the header is not CSV: {error}; is there a quotation mark too many?"
        ) from error
    while True:
        number = start + rows.line_num + 1
        try:
            row = next(rows)
        except StopIteration:
            return
        except csv.Error as error:
            yield number, f"not CSV: {error}"
            continue
        if any(cell.strip() for cell in row):
            yield number, _csv_item(columns, row)


def _csv_item(columns: list[str], row: list[str]) -> Item | str:
    if len(row) > len(columns):
        return f"{len(row)} cells under {len(columns)} columns"
    return {column: cell.strip() for column, cell in zip(columns, row, strict=False) if column and cell.strip()}


def _reason_against(item: Item) -> str:
    """Return why the item cannot be sent, or nothing."""
    if reason := unsendable(item):
        return reason
    url = item.get("url")
    if not isinstance(url, str) or not url:
        return "no url"
    if "\ufffd" in url:
        return "not UTF-8"
    if re.search(r"[\s\x00-\x1f\x7f]", url):
        return f"a space inside the URL {url[:80]!r}"
    if len(url) > MAX_URL_CHARACTERS:
        return f"longer than {MAX_URL_CHARACTERS} characters"
    return _address_reason(url)


def unsendable(item: Item) -> str:
    """Return why the API takes no such item, whatever its function is; or nothing."""
    if not _within(item, MOST_LEVELS):
        return f"nested too deeply, {MOST_LEVELS} levels at most"
    try:
        text = json.dumps(item, ensure_ascii=False, allow_nan=False)
        text.encode()
    except UnicodeEncodeError:
        return "half of a character pair"
    except ValueError:
        return "a number that is too large for JSON"
    if _NUL.search(text):
        return "the character NUL"
    name = str(item.get("custom_id"))
    return f"its custom_id is longer than {MOST_CUSTOM_ID} characters" if len(name) > MOST_CUSTOM_ID else ""


def _within(value: Any, levels: int) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_within(one, levels - 1) for one in inner)


def _address_reason(url: str) -> str:
    try:
        parts = urlsplit(url)
        lawful = parts.scheme in {"http", "https"} and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        lawful = False
    return "" if lawful else f"{url[:80]!r} is no http or https URL"
