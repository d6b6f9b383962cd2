"""Submitting: a request becomes a batch. All of it has come and was checked before the first item is enlisted.

body, piece by piece -> Places of its items (lines, json_body) -> Wanted -> Batches.submit

What breaks off before its last byte has enlisted nothing. If it has an Idempotency-Key, the digest of what came is
noted, and for a day that key takes only a body that begins with the same bytes.
"""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from functions.api.batches import Batches
from functions.api.bodies import Body, BrokeOff, Places, Room, Turns
from functions.api.json_body import read_object
from functions.api.keys import KeyHolder
from functions.api.limits import MOST_STREAMED_BYTES
from functions.api.lines import Rule, places_of_lines
from functions.api.problems import Problem
from functions.api.submission import (
    MOST_ITEMS,
    MOST_LINES,
    Order,
    Upload,
    Wanted,
    read_submission,
    read_upload,
)
from shared.manifest import Manifest

Row = dict[str, Any]


class Submitting:
    def __init__(self, batches: Batches) -> None:
        self._batches = batches
        self._room = Room()

    async def lines(self, owner: KeyHolder, query: Upload, key: str | None, stream: AsyncIterator[bytes]) -> Row:
        """A batch of one item a line, whose order stands in the query. Raises Problem."""
        order = read_upload(query)
        rule = rule_of(order, self._batches.ordered(order))
        async with self._receiving(owner, key, order.model_dump_json().encode()) as body:
            places = await places_of_lines(body, stream, rule, MOST_LINES)
            check_total(places, rule)
            return await self._batches.submit(owner, Wanted(order, body, key), places)

    async def json(self, owner: KeyHolder, key: str | None, stream: AsyncIterator[bytes]) -> Row:
        """A batch whose order and items are one JSON object; or what a dry run says. Raises Problem."""
        async with self._receiving(owner, key, b"") as body:
            members, places = await read_object(body, stream, self._batches.most_input_bytes(), MOST_ITEMS)
            order = read_submission(members, places)
            if order.dry_run:
                return await self._batches.dry_run(owner, order, order.limit)
            wanted = Wanted(order, body, key)
            if order.items is None:
                return await self._batches.submit_backlog(owner, wanted, order.limit)
            rule = rule_of(order, self._batches.ordered(order))
            await check_items(body, places, rule)
            check_total(places, rule)
            return await self._batches.submit(owner, wanted, places)

    @asynccontextmanager
    async def _receiving(self, owner: KeyHolder, key: str | None, order: bytes) -> AsyncIterator[Body]:
        with Body(self._room, order) as body:
            try:
                yield body
            except BrokeOff as error:
                if key is not None and body.text:
                    await self._batches.note_part(owner, key, body)
                # Its sender reads it no more; the log does.
                raise Problem(400, "The upload broke off: send it again with the same Idempotency-Key.") from error


def rule_of(order: Order, manifest: Manifest) -> Rule:
    """What each item of an order has to keep to."""
    return Rule(manifest.input_limits, json.dumps(order.options, ensure_ascii=False, separators=(",", ":")).encode())


async def check_items(body: Body, places: Places, rule: Rule) -> None:
    """Raises Problem 422 that names the first item that is none."""
    turns = Turns()
    for number in range(len(places)):
        written = places.item(number, body.text)
        try:
            rule.check(written)
        except ValueError as error:
            raise Problem(422, f"items.{number}: {error}") from error
        await turns.after(len(written))


def check_total(places: Places, rule: Rule) -> None:
    """Options go into each item: a small body may ask for much to be stored. Raises Problem 422."""
    if places.size() + len(places) * len(rule.options) > MOST_STREAMED_BYTES:
        raise Problem(
            422, f"options: with them the items have more than {MOST_STREAMED_BYTES:,} bytes; send fewer at once"
        )
