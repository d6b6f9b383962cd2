"""Targets take bytes, and raise only what is a defect. Most read a first line or byte as a choice."""

import base64
import gc
import json
from collections.abc import Callable
from datetime import UTC, datetime
from uuid import UUID

import numpy as np
from google.genai.types import GenerateContentResponse
from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from functions.article.charset import decode
from functions.article.markup import Markup, read_markup, without_controls
from functions.article.prompt import question
from functions.article.reading import Article, read_page
from functions.article.summary import Summary
from functions.fanout.orders import BadOrder, Push, read_push, run_id
from functions.poster.analysis import Analysis, analyse
from functions.poster.crops import crops_of
from functions.poster.light import Light
from functions.poster.reading import DECODED_SIDE, Picture, read_image
from functions.poster.slots import SLOTS
from functions.poster.title import title_of, with_title
from functions.poster.vision import Vision, elements_of
from functions.poster.zones import zones_of
from shared.endings import storable
from shared.errors import Failed, Outcome, Rejected
from shared.gemini import overloaded
from shared.handler import Task, read_task
from shared.model_answers import answer_text, parse, url_was_read
from shared.pages import Page
from shared.urls import MAX_CHARACTERS, domain, fetchable, normalise

Target = Callable[[bytes], None]
CHARSETS = (
    None, "utf-8", "iso-8859-1", "shift_jis", "utf-16", "gb2312", "utf-7", "hz", "idna", "punycode", "rot13",
    "unicode_escape", "raw_unicode_escape", "undefined", "cp65001", "mbcs", "utf-8-sig", "iso2022_kr",
)  # fmt: skip
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
LIGHT = Light(np.random.default_rng(1).integers(0, 255, (96, 64, 3), dtype=np.uint8))


def article(data: bytes) -> None:
    choice, body = data[:1] or b"\0", data[1:]
    url, charset = "https://www.example.com/news/story", CHARSETS[choice[0] % len(CHARSETS)]
    try:
        read = read_page(Page(url, url, 200, "text/html", charset, body, None, None, NOON))
    except Outcome:
        return
    assert isinstance(read, Article)
    assert 0 <= read.extraction_quality <= 1
    for text in (read.text, read.title, read.author or "", question(read)[1]):
        text.encode()


def charset(data: bytes) -> None:
    choice, body = data[:1] or b"\0", data[1:]
    label = CHARSETS[choice[0] % len(CHARSETS)]
    if choice[0] & 128:
        told, _, body = body.partition(b"\n")
        label = told.decode("latin-1")
    assert isinstance(decode(body, label), str)


def markup(data: bytes) -> None:
    try:
        read = read_markup(without_controls(data.decode("utf-8", "replace")))
    except ValueError as error:
        if str(error) != "no element in it":
            raise
        return
    assert isinstance(read, Markup)
    assert read.link_share >= 0
    read.visible.encode()
    (read.language or "").encode()


def image(data: bytes) -> None:
    try:
        picture = read_image(data)
    except Outcome as outcome:
        outcome.detail.encode()
        return
    finally:
        gc.collect(0)
    width, height = picture.pixels.size
    assert isinstance(picture, Picture)
    assert picture.pixels.mode == "RGB"
    assert max(width, height) <= DECODED_SIDE
    assert (picture.width > picture.height) == (width > height) or abs(width - height) <= 1
    assert picture.for_model.startswith(b"\xff\xd8")
    assert isinstance(analyse(picture, [], None, SLOTS), Analysis)


def vision(data: bytes) -> None:
    """The first line is the title that was given, the rest the model's answer."""
    head, _, text = data.partition(b"\n")
    given = head.decode("utf-8", "replace")[:500] or None
    try:
        said = parse(text.decode("utf-8", "replace"), Vision)
    except Failed as error:
        storable(error.detail).encode()
        return
    known = with_title(elements_of(said), given)
    zones, title = zones_of(SLOTS.all, known, LIGHT), title_of(known, given, LIGHT)
    assert len(known) <= 200
    assert "\0" not in "".join(one.text or "" for one in known)
    assert all(zone.safe == (zone.score >= 0.5) for zone in zones)
    for one in (*known, *zones, *([title] if title else []), *crops_of(600, 900, known).values()):
        fits(one)


def fits(part: BaseModel) -> None:
    """A part of a row is what its own schema says, and JSON can hold it."""
    type(part).model_validate(part.model_dump())
    json.dumps(part.model_dump(mode="json"), ensure_ascii=False, allow_nan=False).encode()


def urls(data: bytes) -> None:
    try:
        kept = fetchable(data.decode("utf-8", "surrogatepass"))
    except ValueError:
        return
    assert domain(kept).isascii()
    once = normalise(kept)
    once.encode()
    if len(once) > MAX_CHARACTERS:  # a key, but no address to send
        return
    assert normalise(once) == once
    # Of an IPv6 address normalise shortens the spelling.
    assert ":" in domain(kept) or domain(once) == domain(kept)


def task(data: bytes) -> None:
    """A body and three headers, with FF between them."""
    body, *values = data.split(b"\xff", 3)
    names = (b"x-cloudtasks-taskretrycount", b"x-cloudtasks-queuename", b"traceparent")
    try:
        read = read_task(Request({"type": "http", "headers": list(zip(names, values, strict=False))}), body)
    except Rejected:
        return
    assert isinstance(read, Task)
    assert isinstance(read.item_id, UUID)
    assert read.retry >= 0


def push(data: bytes) -> None:
    """The first line is the order, the second the message around it; a body without a second line is taken as it is."""
    order, _, around = data.partition(b"\n")
    try:
        read = read_push(around.replace(b"DATA", base64.b64encode(order)) if around else data)
    except BadOrder as error:
        str(error).encode("utf-8", "backslashreplace")
        return
    assert isinstance(read, Push)
    assert isinstance(run_id(read), UUID)
    assert read.traceparent is None or isinstance(read.traceparent, str)
    json.dumps(read.order.model_dump(mode="json"), ensure_ascii=False)


def gemini(data: bytes) -> None:
    """S and a line's end: an answer's text. E: the body of a 429. Else: a response."""
    head, _, rest = data.partition(b"\n")
    text = rest.decode("utf-8", "replace")
    if head == b"S":
        summary(text)
        return
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return
    if head == b"E":
        assert overloaded(content, "said", NOON).seconds >= 1
        return
    try:
        response = GenerateContentResponse.model_validate(content)
    except (ValidationError, AttributeError):  # the SDK's own, of an enum that is a number
        return
    url_was_read(response)
    try:
        assert isinstance(answer_text(response, 8192), str)
    except Outcome:
        return


def summary(text: str) -> None:
    try:
        said = parse(text, Summary)
    except Failed as error:
        storable(error.detail).encode()
        return
    said.model_dump_json()


TARGETS: dict[str, Target] = {
    "article": article, "charset": charset, "markup": markup, "image": image, "vision": vision, "urls": urls,
    "task": task, "push": push, "gemini": gemini,
}  # fmt: skip
