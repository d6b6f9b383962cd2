"""Enlisting: an input becomes an item, with the key by which it is known again and the domain it will ask."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from shared.errors import Rejected
from shared.inputs import InputTooLarge
from shared.manifest import Manifest
from shared.urls import domain, normalise


def entry(
    given: Mapping[str, Any],
    manifest: Manifest,
    options: Mapping[str, Any] | None = None,
    *,
    source_key: str | None = None,
) -> dict[str, Any]:
    """One input as enlist_v1 takes it. Whatever is wrong with it, its function will say.

    `options` hold for a whole batch: `fresh` (work anew where a result is young); all else goes into every input.
    """
    known = {**(options or {}), **given}
    fresh, custom_id = known.pop("fresh", False), known.pop("custom_id", None)
    key, host = identity(known, manifest)
    return {
        "input": known,
        "input_key": key,
        "domain": host,
        "custom_id": None if custom_id is None else str(custom_id),
        "source_key": source_key,
        "fresh": fresh is True,
    }


def checked_entry(
    given: Mapping[str, Any], manifest: Manifest, options: Mapping[str, Any] | None = None, *, source_key: str
) -> dict[str, Any]:
    """As `entry`, for what nobody has checked yet: an input beyond its function's limits is dead as it comes in.

    So its row leaves the backlog, and is found among the dead letters.
    """
    try:
        manifest.input_limits.check_value({**(options or {}), **given})
    except InputTooLarge as error:
        refusal = f"{source_key} is {error}; shorten it, or raise the limit in functions/{manifest.name}/function.yaml"
        return {**entry({"too_large": source_key}, manifest, source_key=source_key), "refusal": refusal}
    return entry(given, manifest, options, source_key=source_key)


def unknown_options(options: Mapping[str, Any], manifest: Manifest) -> str | None:
    """What is wrong with options that the function's items do not know; None: all are known."""
    known = ["fresh", *manifest.options]
    unknown = sorted(set(options) - set(known))
    if not unknown:
        return None
    return f"{manifest.name} has no option {', '.join(map(repr, unknown))}; it has: {', '.join(known)}"


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


def estimate(manifest: Manifest, items: int, requests_per_minute: float) -> dict[str, Any]:
    """What a dry run over a backlog tells."""
    return {
        "dry_run": True,
        "function": manifest.name,
        "would_enlist": items,
        "queue": manifest.quota,
        "requests_per_minute": requests_per_minute,
        "estimated_seconds": round(items * 60 / requests_per_minute),
    }
