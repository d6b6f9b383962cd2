"""The text of an answer: JSON by the schema, one value of an enum, or plain sentences."""

import json
import re
from collections.abc import Sequence

from local.gemini.images import pictures
from local.gemini.material import Material, material
from local.gemini.minilm import MiniLM
from local.gemini.problems import bad_request
from local.gemini.reading import Reading
from local.gemini.schema import Schema
from local.gemini.seen import wanted_kinds
from local.gemini.steer import count
from local.gemini.subject import Subject
from local.gemini.url_context import URL
from local.gemini.vision.eyes import Element, Eyes, UnreadablePicture
from local.gemini.walk import fill
from local.gemini.wire import ENUM_TYPE, JSON_TYPE, Call

UNREADABLE = "Unable to process input image. Please retry or report in https://developers.generativeai.google/guide/troubleshooting"
NOTHING = "The prompt holds no text to work on."
_QUESTION = re.compile(r"[^.!?\n]{8,300}\?")
_MOST_COMPARED = 80
_SHORTEST_TEXT = 200  # in characters: below it, a prompt with addresses holds nothing but them
# JSON was asked for, but no shape: what a reader of a page wants to know.
_DEFAULT_SCHEMA = {
    "type": "object",
    "properties": {
        "title": {"type": "string"},
        "summary": {"type": "string"},
        "key_points": {"type": "array", "items": {"type": "string"}},
    },
}


def answer(call: Call, pages: Sequence[str], minilm: MiniLM, seen: Sequence[Element] = ()) -> str:
    """`pages` are texts that url_context retrieved; they then are what the answer is about. `seen`: by looked()."""
    source = _source(call, pages)
    reading = Reading(source.text, source.title)
    subject = Subject(reading, minilm.closest, pictures=pictures(call.media), seen=tuple(seen))
    if call.schema is None and call.mime_type != JSON_TYPE:
        return _plain(source.instruction, subject, minilm)
    value = fill(Schema.read(call.schema or _DEFAULT_SCHEMA), subject).value
    return str(value) if call.mime_type == ENUM_TYPE else json.dumps(value, ensure_ascii=False)


def wanted(call: Call) -> frozenset[str]:
    """The kinds of things that someone must look for in the pictures before this can be answered."""
    has_images = any(each.is_image for each in call.media)
    return wanted_kinds(Schema.read(call.schema)) if has_images and call.schema else frozenset()


def looked(call: Call, eyes: Eyes) -> list[Element]:
    """What the answer has to know of the pictures. Raises Problem (400) for one that cannot be decoded."""
    try:
        return [each for media in call.media if media.is_image for each in eyes.look(media.data, wanted(call))]
    except UnreadablePicture as error:
        raise bad_request(UNREADABLE) from error


def _source(call: Call, pages: Sequence[str]) -> Material:
    found = material(call.texts, call.system)
    only_addresses = len(URL.sub("", found.text)) < _SHORTEST_TEXT and URL.search(call.prompt)
    if call.reads_urls and (pages or only_addresses):
        return Material("\n\n".join(pages), f"{found.instruction}\n{call.prompt}")
    return found


def _plain(instruction: str, subject: Subject, minilm: MiniLM) -> str:
    reading = subject.reading
    if not reading.sentences:
        return " ".join(picture.described for picture in subject.pictures) or NOTHING
    asked = Schema({"description": instruction}, {})
    if question := _QUESTION.search(instruction):
        return _replied(question.group(), reading, minilm)
    if re.search(r"\bbullet|\bkey points?\b|\bstichpunkt", instruction.lower()):
        return "\n".join(f"- {point}" for point in reading.points(count(asked, "bullets?|points?", 5)))
    if re.search(r"\b(?:headline|title)\b", instruction.lower()) and "summar" not in instruction.lower():
        return reading.title
    return reading.summary(count(asked, "sentences?", 3))


def _replied(question: str, reading: Reading, minilm: MiniLM) -> str:
    """The sentence nearest to the question in meaning."""
    number, _ = minilm.closest([question.strip()], reading.sentences[:_MOST_COMPARED])
    return reading.sentences[number]
