"""The JSON of a request as a Call: texts, images, schema, limits. Both spellings of a key are read."""

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.gemini.problems import JSON, bad_request

JSON_TYPE, ENUM_TYPE = "application/json", "text/x.enum"


@dataclass(frozen=True)
class Media:
    mime_type: str
    data: bytes
    resolution: str = ""  # "LOW", "MEDIUM", "HIGH", "ULTRA_HIGH", where the request says

    @property
    def is_image(self) -> bool:
        return self.mime_type.startswith("image/")


@dataclass(frozen=True)
class Call:
    """What one generateContent or countTokens asks."""

    model: str
    system: str
    texts: tuple[str, ...]
    media: tuple[Media, ...]
    mime_type: str
    schema: JSON | None
    max_output_tokens: int | None
    reads_urls: bool

    @property
    def prompt(self) -> str:
        return "\n".join(self.texts)


def read_call(model: str, body: Any) -> Call:
    """Raises Problem (400) where the request is not what the protocol says."""
    request = _mapping(body, "the request")
    if not get(request, "contents"):
        raise bad_request("* GenerateContentRequest.contents: contents is not specified\n")
    config = _mapping(get(request, "generationConfig") or {}, "generationConfig")
    parts = [part for content in _listed(request["contents"]) for part in _parts(content)]
    call = Call(
        model=model,
        system="\n".join(_texts(_parts(get(request, "systemInstruction") or {}))),
        texts=tuple(_texts(parts)),
        media=tuple(_media(parts, _level(get(config, "mediaResolution")))),
        mime_type=str(get(config, "responseMimeType") or "text/plain"),
        schema=_schema(config),
        max_output_tokens=_tokens(get(config, "maxOutputTokens")),
        reads_urls=any(get(tool, "urlContext") is not None for tool in _listed(get(request, "tools") or [])),
    )
    _check(call)
    return call


def content_text(content: Any) -> str:
    """All text of one content, as an embedding takes it."""
    return "\n".join(_texts(_parts(content)))


def get(mapping: Mapping[str, Any], camel: str) -> Any:
    """The value under `camelCase`, or under the same key in snake_case."""
    if camel in mapping:
        return mapping[camel]
    return mapping.get("".join(f"_{c.lower()}" if c.isupper() else c for c in camel))


def _check(call: Call) -> None:
    if call.mime_type not in {"text/plain", JSON_TYPE, ENUM_TYPE}:
        raise bad_request(
            "* GenerateContentRequest.generation_config.response_mime_type: allowed mimetypes are "
            f"`text/plain`, `{JSON_TYPE}` and `{ENUM_TYPE}`.\n"
        )
    if call.schema is not None and call.mime_type == "text/plain":
        raise bad_request(
            "* GenerateContentRequest.generation_config.response_schema: only allowed when "
            f"response_mime_type is '{JSON_TYPE}' or '{ENUM_TYPE}'.\n"
        )
    if call.reads_urls and call.mime_type == JSON_TYPE and call.model.startswith(("gemini-1", "gemini-2")):
        raise bad_request(f"Tool use with a response mime type: '{JSON_TYPE}' is unsupported")


def _schema(config: Mapping[str, Any]) -> JSON | None:
    typed, plain = get(config, "responseSchema"), get(config, "responseJsonSchema")
    if typed is not None and plain is not None:
        raise bad_request("Only one of response_schema and response_json_schema may be set.")
    schema = typed if typed is not None else plain
    return None if schema is None else dict(_mapping(schema, "responseSchema"))


def _tokens(value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or value < 1:
        raise bad_request("* GenerateContentRequest.generation_config.max_output_tokens: must be positive.\n")
    return value


def _parts(content: Any) -> Sequence[Mapping[str, Any]]:
    if isinstance(content, str):
        return [{"text": content}]
    return [_mapping(part, "a part") for part in _listed(_mapping(content, "a content").get("parts") or [])]


def _texts(parts: Sequence[Mapping[str, Any]]) -> list[str]:
    return [str(part["text"]) for part in parts if part.get("text")]


def _media(parts: Sequence[Mapping[str, Any]], level: str) -> list[Media]:
    """A part's own resolution goes before the request's."""
    found = [(part, _mapping(blob, "inlineData")) for part in parts if (blob := get(part, "inlineData"))]
    return [
        Media(str(get(blob, "mimeType") or ""), _bytes(str(blob.get("data", ""))), _part_level(part) or level)
        for part, blob in found
    ]


def _part_level(part: Mapping[str, Any]) -> str:
    return _level(get(_mapping(get(part, "mediaResolution") or {}, "mediaResolution"), "level"))


def _level(value: Any) -> str:
    level = str(value or "").removeprefix("MEDIA_RESOLUTION_")
    return "" if level == "UNSPECIFIED" else level


def _bytes(text: str) -> bytes:
    # The SDK sends the URL alphabet, curl users the plain one.
    padded = text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4)
    try:
        return base64.b64decode(padded, validate=True)
    except binascii.Error as error:
        raise bad_request("Invalid value at 'contents.parts.inline_data.data': Base64 decoding failed") from error


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _mapping(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise bad_request(f"Invalid JSON payload received. {what} must be an object.")
    return value
