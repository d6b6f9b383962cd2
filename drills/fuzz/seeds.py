"""Where the search begins: SEEDS are good inputs of each target, WORDS what it may put into others."""

import io
import json
from collections.abc import Callable, Iterator
from typing import Any

from PIL import Image

ITEM = "00000000-0000-0000-0000-000000000001"
TEXT = " ".join(f"The harbour office said on day {n} that the ferry will sail again in the spring." for n in range(14))


def article() -> Iterator[bytes]:
    head = '<html lang="en"><head><title>Ferry sails</title><meta property="og:type" content="article"></head>'
    yield (
        b"\0" + f"{head}<body><article><h1>Ferry sails</h1><p>{TEXT}</p><p>{TEXT}</p></article></body></html>".encode()
    )
    news = {"@type": "NewsArticle", "datePublished": "2026-01-01", "wordCount": "90", "isAccessibleForFree": False}
    linked = f'<script type="application/ld+json">{json.dumps({"@graph": [news]})}</script>'
    yield b"\2" + f"{linked}<table><tr><td>{TEXT}</td></tr></table>".encode("utf-16")
    yield b"\3" + ("<meta charset=shift_jis><p>" + "日本語の記事です。" * 60).encode("shift_jis")
    yield b"\2" + ("<p>" + "Übergröße für Straßen. " * 80).encode("cp1252")


def charset() -> Iterator[bytes]:
    yield from article()
    for name in (b"utf-8", b"idna", b"rot13", b"undefined", b"x\0y", b"big5"):
        yield b"\x80" + name + b"\n<p>\xff\xe4\xf6 text"


def markup() -> Iterator[bytes]:
    yield from (seed[1:4000] for seed in article())


def image() -> Iterator[bytes]:
    """All formats, in as many modes as Pillow writes."""
    base = Image.linear_gradient("L").resize((66, 96)).convert("RGB")
    turned, more = Image.Exif(), {"save_all": True, "append_images": [base.rotate(180)]}
    turned[0x0112] = 6
    deep = Image.linear_gradient("L").resize((66, 96)).convert("I;16")
    yield written(base, "JPEG", quality=40, exif=turned)
    yield written(base.convert("CMYK"), "JPEG", progressive=True)
    yield written(base.quantize(16), "PNG", transparency=3)
    yield written(base.convert("RGBA"), "PNG", exif=turned)
    yield written(deep, "PNG")
    yield written(base, "PNG", **more)
    yield written(base, "PNG", icc_profile=b"\0" * 900)
    yield from (written(base.convert(mode), "PNG") for mode in ("1", "LA"))
    yield written(base, "GIF", **more)
    yield written(base, "WEBP", quality=30, exif=turned)
    yield written(base.convert("RGBA"), "WEBP", lossless=True)
    yield written(base, "WEBP", **more)
    yield written(base, "TIFF", compression="tiff_lzw")
    yield written(deep, "TIFF", compression="tiff_deflate")
    yield from (written(base.convert(mode), "TIFF", compression="packbits") for mode in ("F", "I", "1"))
    yield from (written(base.convert(mode), "TIFF", compression="jpeg") for mode in ("CMYK", "YCbCr"))
    yield written(base.convert("LAB"), "TIFF", compression="tiff_lzw")
    yield from (written(base.convert(mode), "BMP") for mode in ("P", "1"))
    yield from (written(base.convert(mode), "AVIF", quality=30) for mode in ("RGB", "RGBA"))


def written(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def vision() -> Iterator[bytes]:
    title = {
        "type": "title",
        "box_2d": [700, 100, 800, 900],
        "text": "Night Ferry",
        "language": "en",
        "confidence": 0.9,
    }
    face = {"type": "face", "box_2d": [100.0, 300, 50, 600], "text": None}
    line = {"type": "text", "box_2d": [-5, 0, 1200, 1000], "text": "NIGHT"}
    said = json.dumps({"elements": [title, face, line, {**line, "text": "FERRY"}]}).encode()
    yield b"Night Ferry\n" + said
    yield b"Night Ferry\n```json\n" + said + b"\n```"
    yield b"\n" + said.replace(b"300", b"1e400").replace(b"0.9", b"NaN")


def urls() -> Iterator[bytes]:
    yield from (
        b"https://www.Example.com:443/a/b?utm_source=x&b=2&a=1#top", b"http://b\xc3\xbccher.example/%7Euser/;x?q=%E4%F6&q",
        b"http://[2001:db8::1%25eth0]:8080/", b"https://xn--bcher-kva.example./a b", b"http://a..b/", b"http://1.2.3.08./",
        b"HTTPS://EXAMPLE.com//a/../b/./c?x=1&&y=%20", "http://例え.jp/パス?キー=値".encode(), b"http://0x7f.1/",
        b"http://u:p@h/",
    )  # fmt: skip


def task() -> Iterator[bytes]:
    yield json.dumps({"item_id": ITEM}).encode() + b"\xff3\xffgemini-text\xff00-0-0-01"
    yield b'{"item_id": ["x"]}\xff\xb2'


def push() -> Iterator[bytes]:
    message = {"messageId": "1", "data": "DATA", "publishTime": "2026-01-01T00:00:00Z"}
    around = json.dumps({"message": {**message, "attributes": {"traceparent": "00-1-2-01"}}}).encode()
    backlog = {"function": "article", "limit": 5, "options": {"a": 1}}
    for order in ({"batch_id": ITEM}, {"batch_id": ITEM, "after": ITEM}, backlog, {"sweep": True}):
        yield json.dumps(order).encode() + b"\n" + around
    yield around


def gemini() -> Iterator[bytes]:
    told = {"title": "T", "summary": "S.", "key_points": ["- a", "b"], "topics": ["x"], "sentiment": "neutral"}
    said = json.dumps({**told, "entities": [{"name": "N", "type": "person"}], "language": "en-GB"}).encode()
    yield b"S\n" + said
    yield b"S\n```json\n" + said + b"\n```"
    read = {"urlMetadata": [{"urlRetrievalStatus": "URL_RETRIEVAL_STATUS_SUCCESS"}]}
    content = {"parts": [{"text": "{}"}, {"thought": True, "text": "hm"}]}
    response = {"candidates": [{"content": content, "finishReason": "STOP", "urlContextMetadata": read}]}
    yield b"R\n" + json.dumps(response).encode()
    yield b"R\n" + json.dumps({"promptFeedback": {"blockReason": "SAFETY"}}).encode()
    details = [{"retryDelay": "33s"}, {"violations": [{"quotaId": "PerDay"}]}]
    yield b"E\n" + json.dumps({"error": {"details": details}}).encode()
    yield b'E\n{"error": "Too many requests"}'


SEEDS: dict[str, Callable[[], Iterator[bytes]]] = {
    "article": article, "charset": charset, "markup": markup, "image": image, "vision": vision, "urls": urls,
    "task": task, "push": push, "gemini": gemini,
}  # fmt: skip
HTML = (
    b"<p>", b"</p>", b"<table>", b"<tr>", b"<td>", b"<svg>", b"<template>", b"<frameset>", b"<?xml", b"<!--",
    b"<![CDATA[", b"&#0;", b"&#3;", b"<noscript>", b"<a href=x>", b"<script type='application/ld+json'>", b'"@type"',
    b'"@graph"', b"<html lang=", b"<meta charset=", b"<base href=", b"<h1>", b"<li>", b"<iframe>", b"<head>", b"<body>",
    b"<title>", b"0001-01-01", b"\xef\xbb\xbf", b"\xff\xfe", b"<math>", b"<select>", b"<time datetime=", b"xmlns:x=",
    b"[[[[[[[[",
)  # fmt: skip
IMAGE = (
    b"IHDR", b"IDAT", b"IEND", b"iCCP", b"tRNS", b"acTL", b"fcTL", b"eXIf", b"zTXt", b"iTXt", b"ANIM", b"ANMF", b"VP8X",
    b"VP8L", b"EXIF", b"ftypavif", b"meta", b"ispe", b"\xff\xda", b"\xff\xdb", b"\xff\xe1", b"\xff\xc2", b"\xff\xd9",
    b"II*\0", b"MM\0*", b"\x21\xf9\x04", b"\xff\xff",
)  # fmt: skip
URL = (
    b"http://", b"https://", b"xn--", b"%00", b"%2e", b"..", b"//", b"[::1]", b"%25", b"@", b":80", b":443",
    b"\xe3\x80\x82", b"\xc2\xad", b"&", b"=", b";", b"#", b"%C3",
)  # fmt: skip
JSON = (b"NaN", b"1e400", b"null", b"true", b"[[[[[[[[", b"\\ud800", b"\\u0000", b"-1", b"9" * 40, b"0.5")
WORDS: dict[str, tuple[bytes, ...]] = {
    "article": HTML,
    "markup": HTML,
    "charset": HTML,
    "image": IMAGE,
    "urls": URL,
    **dict.fromkeys(("vision", "task", "push", "gemini"), JSON),
}
