"""Formats: what an image's bytes tell before anything is decoded. Pure; nothing is believed that a server says."""

import re

_SIGNATURES = {
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"\xff\xd8\xff": "JPEG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
}
# What the formats without a length in their header end with, give or take a few bytes of padding.
_ENDS = {"PNG": b"IEND", "JPEG": b"\xff\xd9", "GIF": b";"}
_PADDING = 64
# The markers of a JPEG behind which a length stands, and its end. In its data an FF is followed by 00 or D0 to D7.
_JPEG_MARKER = re.compile(rb"\xff([\xc0-\xcf\xd9-\xef\xfe])")
_JPEG_SCAN, _JPEG_END = b"\xda", b"\xd9"
_HTML = (b"<!doctype html", b"<html", b"<head", b"<body")


def kind_of(body: bytes) -> str | None:
    """PNG, JPEG, WEBP, GIF, BMP, TIFF or AVIF, by the first bytes; None for anything else."""
    if body[:4] == b"RIFF" and body[8:12] == b"WEBP":
        return "WEBP"
    if body[4:8] == b"ftyp" and {body[8:12], *_brands(body)} & {b"avif", b"avis"}:
        return "AVIF"
    return next((kind for signature, kind in _SIGNATURES.items() if body.startswith(signature)), None)


def ends_early(kind: str, body: bytes) -> bool:
    """Is the end missing that this format always has, or some of the bytes that it announces?"""
    if kind in _ENDS:
        return _ENDS[kind] not in body[-_PADDING:]
    return _announced(kind, body) > len(body)


def jpeg_scans(body: bytes, most: int) -> int:
    """How many scans a JPEG has, counted up to `most`, as libjpeg counts: none in metadata or behind the end."""
    scans, at = 0, 2
    while scans < most and (marker := _JPEG_MARKER.search(body, at)) and marker[1] != _JPEG_END:
        scans += marker[1] == _JPEG_SCAN
        length = int.from_bytes(body[marker.end() : marker.end() + 2], "big")
        at = marker.end() + max(2, length)
    return scans


def told(body: bytes) -> str:
    """What this is that is no image, for a sentence to begin with."""
    start = body[:512].lstrip().lower()
    if not body:
        return "An empty file"
    if start.startswith(_HTML):
        return "An HTML page"
    return "A text file" if start.startswith((b"<", b"{", b"[")) else f"What begins with {body[:8]!r}"


def _announced(kind: str, body: bytes) -> int:
    """So many bytes the file has at least, by its own header."""
    match kind:
        case "WEBP":
            return int.from_bytes(body[4:8], "little") + 8
        case "BMP":
            return int.from_bytes(body[2:6], "little")
        case "TIFF":
            # Where its directory begins, which has a count of two bytes.
            return int.from_bytes(body[4:8], "little" if body[:1] == b"I" else "big") + 2
        case _:
            return _boxes_end(body)


def _brands(body: bytes) -> set[bytes]:
    """An ISO base media file lists what it can be read as in its first box."""
    length = min(int.from_bytes(body[:4], "big"), 256)
    return {body[at : at + 4] for at in range(16, length, 4)}


def _boxes_end(body: bytes) -> int:
    """Where the boxes of an ISO base media file (AVIF) say that the last of them ends."""
    at = 0
    while at + 8 <= len(body):
        length = int.from_bytes(body[at : at + 4], "big")
        if length < 8:
            return at
        at += length
    return at
