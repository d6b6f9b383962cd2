"""Manifests: functions/NAME/function.yaml over functions/defaults.yaml, and functions/quotas.yaml, checked.

load(root) -> {"functions": {name: {every key}}, "quotas": {name: {...}}}; raises BadManifest naming file and key.
"""

import json
import keyword
import math
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

KINDS = ("item", "push", "http")
CALLERS = ("tasks", "pubsub", "public")
QUOTA_KEYS = {"requests_per_minute": True, "tokens_per_minute": False, "max_concurrent": False}
QUEUE_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")
FUNCTION_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
MOST_PER_MINUTE = 30_000
COUNTED = {
    "schedule_limit", "reserve_tokens", "max_attempts", "concurrency", "min_instances", "max_instances",
}  # fmt: skip
# What may be less than 1 although its default is more.
SMALLEST = {"cpu": 0.08, "cache_days": 0, "patience_seconds": 0, "ready_patience_seconds": 0, "work_seconds": 0.1}
NULLABLE = {"url_field"}
WORDS: dict[Any, str] = {str: "a word", list: "a list", dict: "a mapping", bool: "true or false"}
LEASE_MARGIN_SECONDS = 30
DISPATCH_DEADLINE_SECONDS = (15, 1800)


class BadManifest(ValueError):
    """A manifest that cannot be deployed. The message names the file and the key, and what to write."""


def load(root: Path) -> dict[str, Any]:
    """Read and check all manifests below `root`/functions."""
    folder = root / "functions"
    defaults = read_yaml(folder / "defaults.yaml")
    quotas = {str(name): quota(str(name), given) for name, given in read_yaml(folder / "quotas.yaml").items()}
    functions = {path.parent.name: function(path, defaults, quotas) for path in sorted(folder.glob("*/function.yaml"))}
    return {"functions": functions, "quotas": quotas}


def read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except FileNotFoundError as error:
        raise BadManifest(f"{path} is missing") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadManifest(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise BadManifest(f"{path}: must be a mapping of keys to values")
    return content


def quota(name: str, given: Any) -> dict[str, Any]:
    where = f"functions/quotas.yaml: {name}"
    if not QUEUE_NAME.fullmatch(name):
        raise BadManifest(f"{where}: a queue's name has letters, digits and hyphens")
    if not isinstance(given, dict):
        raise BadManifest(f"{where}: must be a mapping with requests_per_minute")
    for key in given:
        if key not in QUOTA_KEYS:
            raise BadManifest(f"{where}: unknown key {key!r}; known: {', '.join(QUOTA_KEYS)}")
    for key, required in QUOTA_KEYS.items():
        value = given.get(key)
        if value is None and required:
            raise BadManifest(f"{where}: {key} is missing")
        if value is not None and not (is_number(value) and value > 0):
            raise BadManifest(f"{where}: {key} must be a number above 0, not {value!r}")
    if given["requests_per_minute"] > MOST_PER_MINUTE:
        raise BadManifest(f"{where}: requests_per_minute must be at most {MOST_PER_MINUTE}: no queue is faster")
    return {"max_concurrent": 40, "tokens_per_minute": None, **given}


def function(path: Path, defaults: dict[str, Any], quotas: dict[str, Any]) -> dict[str, Any]:
    given = read_yaml(path)
    where = f"functions/{path.parent.name}/function.yaml"
    if not FUNCTION_NAME.fullmatch(path.parent.name) or keyword.iskeyword(path.parent.name):
        raise BadManifest(f"{where}: a function's folder is named in small letters, digits and _, as a Python package")
    for key in given:
        if key not in defaults:
            raise BadManifest(f"{where}: unknown key {key!r}; functions/defaults.yaml lists the known ones")
    manifest = {**defaults, **given}
    for problem in mistyped(given, defaults):
        raise BadManifest(f"{where}: {problem}")
    for problem in problems(manifest, quotas):
        raise BadManifest(f"{where}: {problem}")
    lease = manifest["timeout_seconds"] + LEASE_MARGIN_SECONDS
    return {
        "name": path.parent.name,
        **manifest,
        "lease_seconds": lease,
        "dispatch_deadline_seconds": min(manifest["timeout_seconds"] + 15, DISPATCH_DEADLINE_SECONDS[1]),
    }


def mistyped(given: dict[str, Any], defaults: dict[str, Any]) -> Iterator[str]:
    """Values of another type than their default; a default of null stands for a word."""
    for key, value in given.items():
        default = defaults[key]
        if is_number(default):
            least = 0 if default == 0 else SMALLEST.get(key, 1)
            whole = key in COUNTED
            if not is_number(value) or value < least or (whole and not isinstance(value, int)):
                yield f"{key} must be a {'whole ' if whole else ''}number of at least {least:g}, not {value!r}"
        elif key in NULLABLE or default is None:
            if not isinstance(value, str | None):
                yield f"{key} must be a word or null, not {value!r}"
        elif not isinstance(value, type(default)):
            yield f"{key} must be {WORDS[type(default)]}, not {value!r}"


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def problems(manifest: dict[str, Any], quotas: dict[str, Any]) -> list[str]:
    """What is wrong with one function's merged manifest, the first thing first."""
    found = []
    if manifest["kind"] not in KINDS:
        found.append(f"kind must be one of {', '.join(KINDS)}, not {manifest['kind']!r}")
    if manifest["kind"] == "item":
        found += [f"{key} is missing: an item function needs one" for key in ("quota", "table") if not manifest[key]]
    if manifest["quota"] and manifest["quota"] not in quotas:
        found.append(f"quota {manifest['quota']!r} is not in functions/quotas.yaml ({', '.join(quotas)})")
    if manifest["concurrency"] > 1 and manifest["cpu"] < 1:
        found.append("concurrency above 1 needs cpu: 1 or more (a rule of Cloud Run)")
    if manifest["kind"] == "item" and manifest["timeout_seconds"] > DISPATCH_DEADLINE_SECONDS[1] - 15:
        found.append("timeout_seconds must stay 15 s below the longest dispatch deadline, 1800")
    if manifest["work_seconds"] >= manifest["timeout_seconds"]:
        found.append("work_seconds must leave time for keeping: make it smaller than timeout_seconds")
    found += [f"callers: {c!r} is not one of {', '.join(CALLERS)}" for c in manifest["callers"] if c not in CALLERS]
    return found


def main() -> None:
    """Print the resolved manifests, or the first problem in one line (exit 1)."""
    try:
        print(json.dumps(load(Path(__file__).parent.parent), indent=2))
    except BadManifest as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
