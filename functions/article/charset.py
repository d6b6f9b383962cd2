"""Bytes to text when servers and pages disagree about the charset, or are both wrong.

BOM -> valid UTF-8 -> Content-Type header -> <meta> -> detection: the first that gives what looks like text
"""

import codecs
import re
from collections.abc import Iterator

# What browsers read under these names (WHATWG Encoding): old labels stand for their supersets.
_SUPERSETS = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
    "iso8859-9": "cp1254",
    "tis-620": "cp874",
}
# Python calls these text encodings too, and does not decode bytes of every kind with them.
_NO_CHARSETS = frozenset({"idna", "punycode", "undefined"})
_BOMS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
_DECLARED = re.compile(rb"""<(?:meta|\?xml)[^>]*?(?:charset|encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.IGNORECASE)
_MARKUP = re.compile(r"<(script|style)\b.*?</\1\s*>|<[^>]*>", re.DOTALL | re.IGNORECASE)
_HEAD_BYTES = 4096
_SAMPLE_CHARACTERS = 200_000


def decode(body: bytes, declared: str | None) -> str:
    """The text of an HTML document; `declared` is the charset of its Content-Type. Never fails."""
    for bom, codec in _BOMS.items():
        if body.startswith(bom):
            return body.decode(codec, "replace")
    try:
        # Text in another charset is valid UTF-8 by accident about never; declarations are wrong every day.
        return body.decode("utf-8")
    except UnicodeDecodeError:
        decoded = (body.decode(codec, "replace") for codec in _candidates(body, declared))
        return next((text for text in decoded if _is_plausible(text)), body.decode("utf-8", "replace"))


def _candidates(body: bytes, declared: str | None) -> Iterator[str]:
    found = _DECLARED.search(body[:_HEAD_BYTES])
    for label in (declared, found and found.group(1).decode("ascii", "replace")):
        if label and (codec := _codec(label)):
            yield codec
    if codec := _detected(body):
        yield codec


def _codec(label: str) -> str | None:
    try:
        info = codecs.lookup(label)
    except (LookupError, ValueError):
        return None
    # Python also has codecs that are no charsets (rot13, zlib): nothing a page may ask for.
    if not info._is_text_encoding or info.name in _NO_CHARSETS:  # noqa: SLF001 - no other way
        return None
    return _SUPERSETS.get(info.name, info.name)


def _detected(body: bytes) -> str | None:
    from charset_normalizer import from_bytes  # noqa: PLC0415 - 40 ms that few pages need

    best = from_bytes(body[:50_000]).best()
    return best.encoding if best else None


def _is_plausible(text: str) -> bool:
    """Few characters no page shows, and no text of mostly accented letters, as Cyrillic read as Latin is."""
    shown = _MARKUP.sub(" ", text[:_SAMPLE_CHARACTERS])
    broken = sum(char == "\ufffd" or "\x7f" <= char < "\xa0" for char in shown)
    letters = [char for char in shown if char.isalpha()]
    accented = sum("\xc0" <= char <= "\xff" for char in letters)
    return broken * 200 <= len(shown) and accented * 5 <= len(letters) * 2
