"""Manifests: functions/NAME/function.yaml over functions/defaults.yaml, and functions/quotas.yaml, checked.

load(root) -> {"functions": {name: {every key}}, "quotas": {name: {...}}}; raises BadManifest naming file and key.
"""

import json
import sys
from pathlib import Path
from typing import Any

import yaml

KINDS = ("item", "push", "http")
CALLERS = ("tasks", "pubsub", "public")
QUOTA_KEYS = {"requests_per_minute": True, "tokens_per_minute": False, "max_concurrent": False}
LEASE_MARGIN_SECONDS = 30
DISPATCH_DEADLINE_SECONDS = (15, 1800)


class BadManifest(ValueError):
    """A manifest that cannot be deployed. The message names the file and the key, and what to write."""


def load(root: Path) -> dict[str, Any]:
    """Read and check all manifests below `root`/functions."""
    folder = root / "functions"
    defaults = read_yaml(folder / "defaults.yaml")
    quotas = {name: quota(name, given) for name, given in read_yaml(folder / "quotas.yaml").items()}
    functions = {path.parent.name: function(path, defaults, quotas) for path in sorted(folder.glob("*/function.yaml"))}
    return {"functions": functions, "quotas": quotas}


def read_yaml(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text()) or {}
    except FileNotFoundError as error:
        raise BadManifest(f"{path} is missing") from error
    except yaml.YAMLError as error:
        raise BadManifest(f"{path}: not YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise BadManifest(f"{path}: must be a mapping of keys to values")
    return content


def quota(name: str, given: Any) -> dict[str, Any]:
    where = f"functions/quotas.yaml: {name}"
    if not isinstance(given, dict):
        raise BadManifest(f"{where}: must be a mapping with requests_per_minute")
    for key in given:
        if key not in QUOTA_KEYS:
            raise BadManifest(f"{where}: unknown key {key!r}; known: {', '.join(QUOTA_KEYS)}")
    for key, required in QUOTA_KEYS.items():
        value = given.get(key)
        if value is None and required:
            raise BadManifest(f"{where}: {key} is missing")
        if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value <= 0):
            raise BadManifest(f"{where}: {key} must be a number above 0, not {value!r}")
    return {"max_concurrent": 40, "tokens_per_minute": None, **given}


def function(path: Path, defaults: dict[str, Any], quotas: dict[str, Any]) -> dict[str, Any]:
    given = read_yaml(path)
    where = f"functions/{path.parent.name}/function.yaml"
    for key in given:
        if key not in defaults:
            raise BadManifest(f"{where}: unknown key {key!r}; functions/defaults.yaml lists the known ones")
    manifest = {**defaults, **given}
    for problem in problems(manifest, quotas):
        raise BadManifest(f"{where}: {problem}")
    lease = manifest["timeout_seconds"] + LEASE_MARGIN_SECONDS
    return {
        "name": path.parent.name,
        **manifest,
        "lease_seconds": lease,
        "dispatch_deadline_seconds": min(manifest["timeout_seconds"] + 15, DISPATCH_DEADLINE_SECONDS[1]),
    }


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
