"""What `piecework run` sends: options and items from what was typed, in as few batches as may be."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from cli import inputs, show
from cli.client import MAX_BYTES, MAX_ITEMS, Client
from cli.problems import BadInput
from cli.watch import Batch


def read_options(pairs: Sequence[str]) -> dict[str, Any]:
    """Return {k: v}; a value that is JSON is that value, any other is a string."""
    found = {}
    for pair in pairs:
        name, equals, text = pair.partition("=")
        if not (name and equals):
            raise BadInput(f"--option {pair!r} is not K=V.")
        found[name] = _value(text)
    if reason := inputs.unsendable(found):
        raise BadInput(f"--option: {reason}; the API takes no such option.")
    return found


def _value(text: str) -> Any:
    try:
        return json.loads(text, parse_constant=inputs.refuse)
    except (ValueError, RecursionError):
        return text


def read_items(file: str, *, strict: bool) -> list[inputs.Item]:
    """Return the items of the file after telling of its bad lines. Raises BadInput when none may be sent."""
    given = inputs.read_file(file)
    for bad in given.bad_lines:
        show.say(str(bad))
    if given.bad_lines and strict:
        raise BadInput(f"{len(given.bad_lines)} bad lines, nothing was sent; mend them or leave out --strict.")
    if not given.items:
        raise BadInput(f"{file} holds nothing to send; give one http or https URL per line.")
    return given.items


def _chunks(items: Sequence[inputs.Item]) -> Iterator[list[inputs.Item]]:
    """Yield the items in groups that one request may carry."""
    chunk: list[inputs.Item] = []
    size = 0
    for item in items:
        length = len(json.dumps(item)) + 2
        if chunk and (len(chunk) == MAX_ITEMS or size + length > MAX_BYTES):
            yield chunk
            chunk, size = [], 0
        chunk.append(item)
        size += length
    yield chunk


def submit_items(client: Client, ask: dict[str, Any], items: Sequence[inputs.Item]) -> list[Batch]:
    """Submit the items in as few batches as may be; what was accepted is told even if a later one fails."""
    chunks = list(_chunks(items))
    batches: list[Batch] = []
    for chunk in chunks:
        batches.append(client.submit({**ask, "items": chunk}))
        if len(chunks) > 1:
            show.say(f"batch {batches[-1]['id']}: {len(chunk)} items")
    return batches


def submit_backlog(client: Client, ask: dict[str, Any], limit: int | None, *, dry_run: bool = False) -> dict[str, Any]:
    """Submit up to `limit` items of the function's backlog; a dry run answers with an estimate instead."""
    amount = {"limit": limit} if limit else {}
    return client.submit({**ask, "source": "backlog", "dry_run": dry_run, **amount})
