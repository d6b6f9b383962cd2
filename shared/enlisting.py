"""Enlisting: an input becomes an item, with the key by which it is known again and the domain it will ask."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from shared.errors import Rejected
from shared.manifest import Manifest
from shared.urls import domain, normalise


def entry(
    given: Mapping[str, Any],
    manifest: Manifest,
    *,
    custom_id: str | None = None,
    source_key: str | None = None,
    fresh: bool = False,
) -> dict[str, Any]:
    """One input as enlist_v1 takes it. Whatever is wrong with it, its function will say."""
    key, host = identity(given, manifest)
    return {
        "input": dict(given),
        "input_key": key,
        "domain": host,
        "custom_id": custom_id,
        "source_key": source_key,
        "fresh": fresh,
    }


def identity(given: Mapping[str, Any], manifest: Manifest) -> tuple[str, str | None]:
    """(key, domain): inputs that differ only in how their address is written have one key."""
    host = None
    known = dict(given)
    address = known.get(manifest.url_field or "")
    if isinstance(address, str):
        try:
            known[manifest.url_field or ""] = normalise(address)
            host = domain(address)
        except Rejected:
            host = None
    written = json.dumps(known, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(written.encode("utf-8", "surrogatepass")).hexdigest(), host
