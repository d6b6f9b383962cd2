"""Mutates JSON as JSON: bytes flipped at random rarely parse, and never reach what is behind the parser."""

import json
import random
from typing import Any

ODD: tuple[Any, ...] = (
    None, True, False, 0, -1, 1, 1e308, -0.5, 10**40, float("nan"), float("inf"), "", " ", "\0", "\ud800", "\ufdd0",
    "null", "0", "²", "٣", "ẞ", "\u0130", "e\u0301" * 9, "a" * 600, [], {}, [[]], [None], [{}], {"": None},
    [0, 0, 0, 0], [0, 0, 1000, 1000], [1000, 1000, 0, 0], [1, 2, 3], [-9, 999.5, 1e6, 1], "0001-01-01",
    "9999-12-31T23:59:59-14:00", "face", "title", "33s", "1e3s",
)  # fmt: skip
ODD_TEXT = ("", "\0", "\u0301", "İ", "ﬁ", " ", "\n", "9", "\ud83d")
ODD_BYTES = (b"[" * 200, b"\xff", b"\0", b'"', b"\\", b"}", b"\n", b"9" * 20)


def mutate(data: bytes, most: int, seed: int) -> bytes:
    """Some of the values of the JSON in the data are changed; at times, or where there is none, bytes are.

    atheris.Mutate would do the latter, and cannot be called from here in atheris 3.0.
    """
    chance = random.Random(seed)
    start = data.find(b"{", data.find(b"\n") + 1 if chance.random() < 0.7 else 0)
    if start < 0 or chance.random() < 0.2:
        return flipped(data, chance)[:most]
    try:
        rest = data[start:].decode("utf-8", "surrogatepass")
        value, end = json.JSONDecoder().raw_decode(rest)
    except (ValueError, RecursionError):
        return flipped(data, chance)[:most]
    for _ in range(chance.randint(1, 3)):
        value = changed(value, chance)
    return (data[:start] + json.dumps(value).encode() + rest[end:].encode("utf-8", "surrogatepass"))[:most]


def flipped(data: bytes, chance: random.Random) -> bytes:
    """A few bytes set, dropped, or repeated elsewhere."""
    out = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        at, to = chance.randint(0, len(out)), chance.randint(0, len(out))
        match chance.randrange(4):
            case 0:
                out[at : at + 1] = bytes([chance.randrange(256)])
            case 1:
                del out[at : at + chance.randint(1, 8)]
            case 2:
                out[at:at] = out[to : to + chance.randint(1, 40)]
            case _:
                out[at:at] = chance.choice(ODD_BYTES)
    return bytes(out)


def changed(value: Any, chance: random.Random) -> Any:
    """The value with one of its parts, or all of it, made odd."""
    match value:
        case dict() if value and chance.random() < 0.9:
            return changed_object(value, chance)
        case list() if value and chance.random() < 0.9:
            return changed_list(value, chance)
        case str() if value and chance.random() < 0.4:
            at = chance.randrange(len(value))
            return value[:at] + chance.choice(ODD_TEXT) + value[at + 1 :]
        case int() | float() if chance.random() < 0.5:
            return chance.choice((chance.randint(-10, 1010), chance.uniform(0, 1000), 1000, 0, -value))
    return chance.choice(ODD)


def changed_object(value: dict[str, Any], chance: random.Random) -> dict[str, Any]:
    key = chance.choice(list(value))
    if chance.random() < 0.1:
        return {one: kept for one, kept in value.items() if one != key}
    return {**value, key: changed(value[key], chance)}


def changed_list(value: list[Any], chance: random.Random) -> list[Any]:
    at = chance.randrange(len(value))
    if chance.random() < 0.2:
        return value[:at] + [value[at]] * chance.choice((0, 2, 3, 60)) + value[at + 1 :]
    return [*value[:at], changed(value[at], chance), *value[at + 1 :]]
