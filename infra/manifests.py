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
CACHES = ("owner", "all")
QUOTA_KEYS = {
    "requests_per_minute": True, "tokens_per_minute": False, "dispatches_per_minute": False, "max_concurrent": False,
}  # fmt: skip
QUEUE_NAME = re.compile(r"[A-Za-z0-9-]{1,100}")
TOPIC_NAME = re.compile(r"(?!goog)[A-Za-z][A-Za-z0-9_-]{2,199}")
FUNCTION_NAME = re.compile(r"[a-z][a-z0-9_]{0,62}")
MOST_PER_MINUTE = 30_000
COUNTED = {
    "schedule_limit", "reserve_tokens", "max_output_tokens", "max_attempts", "concurrency", "min_instances",
    "max_instances", "input_bytes", "input_depth", "input_elements", "max_per_host",
}  # fmt: skip
# What may be less than 1 although its default is more.
SMALLEST = {"cpu": 0.08, "cache_days": 0, "patience_seconds": 0, "ready_patience_seconds": 0, "work_seconds": 0.1}
NULLABLE = {"url_field"}
WORDS: dict[Any, str] = {str: "a word", list: "a list", dict: "a mapping", bool: "true or false"}
LEASE_MARGIN_SECONDS = 30
# What a metered call needs: Gemini refuses a deadline below 10 s, and its silence is noticed half a second before the
# work's own end.
CALL_SECONDS = 10.5
DISPATCH_DEADLINE_SECONDS = (15, 1800)
# More than that is a file, which an input names. A reader of JSON that goes 100 levels deep is easily found.
MOST_INPUT = {"input_bytes": 100_000, "input_depth": 100, "input_elements": 10_000}
# The longest that Pub/Sub waits for an acknowledgement, and Cloud Run for an answer.
ACKNOWLEDGED_SECONDS, ANSWERED_SECONDS = 600, 3600
MOST_CONCURRENT_DISPATCHES, MOST_CONCURRENT_REQUESTS = 5000, 1000
WHOLE_CPUS = (1, 2, 4, 6, 8)
MEMORY = re.compile(r"[1-9]\d*(Mi|Gi)")
FIELD_NAME = re.compile(r"[a-z][a-z0-9_]*")
SETTING_NAME = re.compile(r"[A-Z][A-Z0-9_]*")
# Settings that decide whom a function believes: Terraform derives them from the callers and the load balancer.
DERIVED_SETTINGS = ("PLATFORM_CHECKS_CALLERS", "TRUSTED_HOPS")
CALLER_OF = {"item": "tasks", "push": "pubsub"}


class BadManifest(ValueError):
    """A manifest that cannot be deployed. The message names the file and the key, and what to write."""


def load(root: Path) -> dict[str, Any]:
    """Read and check all manifests below `root`/functions."""
    folder = root / "functions"
    defaults = read_yaml(folder / "defaults.yaml")
    quotas = {str(name): quota(str(name), given) for name, given in read_yaml(folder / "quotas.yaml").items()}
    functions = {path.parent.name: function(path, defaults, quotas) for path in sorted(folder.glob("*/function.yaml"))}
    check_topics(functions)
    check_room(functions, quotas)
    return {"functions": functions, "quotas": quotas}


def check_topics(functions: dict[str, Any]) -> None:
    """A topic's messages go to one function."""
    heard: dict[str, str] = {}
    for name, one in functions.items():
        if one["topic"] and (other := heard.setdefault(one["topic"], name)) != name:
            raise BadManifest(f"functions/{name}/function.yaml: topic {one['topic']!r} is heard by {other} already")


def check_room(functions: dict[str, Any], quotas: dict[str, Any]) -> None:
    """Any one of its functions must take all that a quota has in flight.

    Else Cloud Run answers 429 for want of an instance, and Cloud Tasks slows the whole queue down.
    """
    for name, one in functions.items():
        room = one["max_instances"] * one["concurrency"]
        in_flight = quotas[one["quota"]]["max_concurrent"] if one["quota"] else 0
        if in_flight > room:
            raise BadManifest(
                f"functions/quotas.yaml: {one['quota']}: max_concurrent is {in_flight:g}, but {name} takes {room} at "
                f"once (max_instances x concurrency in functions/{name}/function.yaml): lower it, or raise these"
            )


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
    # A key without a value is as good as none.
    given = {key: value for key, value in given.items() if value is not None}
    for problem in too_fast(given):
        raise BadManifest(f"{where}: {problem}")
    rate = given["requests_per_minute"]
    return {"max_concurrent": 40, "tokens_per_minute": None, "dispatches_per_minute": rate, **given}


def too_fast(quota: dict[str, Any]) -> Iterator[str]:
    """Where these limits are more than a queue can do, or than they can be."""
    for key in ("requests_per_minute", "dispatches_per_minute"):
        if quota.get(key, 0) > MOST_PER_MINUTE:
            yield f"{key} must be at most {MOST_PER_MINUTE}: no queue is faster"
    if quota.get("dispatches_per_minute", MOST_PER_MINUTE) < quota["requests_per_minute"]:
        yield "dispatches_per_minute must be requests_per_minute or more: a call needs a dispatch"
    if quota.get("max_concurrent", 0) % 1:
        yield f"max_concurrent must be a whole number, not {quota['max_concurrent']!r}"
    if quota.get("max_concurrent", 0) > MOST_CONCURRENT_DISPATCHES:
        yield f"max_concurrent must be at most {MOST_CONCURRENT_DISPATCHES}: no queue has more"


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
    found += push_problems(manifest)
    found += [
        f"{key} must be at most {most:,}, not {manifest[key]:,}"
        for key, most in MOST_INPUT.items()
        if manifest[key] > most
    ]
    if manifest["quota"] and manifest["quota"] not in quotas:
        found.append(f"quota {manifest['quota']!r} is not in functions/quotas.yaml ({', '.join(quotas)})")
    if manifest["concurrency"] > 1 and manifest["cpu"] < 1:
        found.append("concurrency above 1 needs cpu: 1 or more (a rule of Cloud Run)")
    found += cache_problems(manifest)
    found += time_problems(manifest)
    found += instance_problems(manifest)
    found += setting_problems(manifest)
    found += caller_problems(manifest)
    return found


def cache_problems(manifest: dict[str, Any]) -> Iterator[str]:
    """Results that are used across owners say which of their columns are an owner's own words."""
    if manifest["cache"] not in CACHES:
        yield f"cache must be one of {', '.join(CACHES)}, not {manifest['cache']!r}"
    if manifest["cache"] == "all" and not manifest["typed"]:
        yield "typed is missing: cache: all needs the columns of the table that come from the input"
    for key in ("typed", "options"):
        yield from (f"{key}: {name!r} is no name of a field" for name in manifest[key] if not is_field(name))


def is_field(name: Any) -> bool:
    return isinstance(name, str) and FIELD_NAME.fullmatch(name) is not None


def time_problems(manifest: dict[str, Any]) -> Iterator[str]:
    """Nothing may still be at work when whoever called it has stopped waiting: it would be called again meanwhile."""
    timeout = manifest["timeout_seconds"]
    if manifest["kind"] == "item" and timeout > DISPATCH_DEADLINE_SECONDS[1] - 15:
        yield "timeout_seconds must stay 15 s below the longest dispatch deadline, 1800"
    if manifest["kind"] == "push" and timeout > ACKNOWLEDGED_SECONDS:
        yield f"timeout_seconds must be at most {ACKNOWLEDGED_SECONDS}: then Pub/Sub sends the message again"
    if timeout > ANSWERED_SECONDS:
        yield f"timeout_seconds must be at most {ANSWERED_SECONDS}: then Cloud Run ends a request"
    if manifest["work_seconds"] >= timeout:
        yield "work_seconds must leave time for keeping: make it smaller than timeout_seconds"
    if manifest["model"] and manifest["work_seconds"] < (least := least_work_seconds(manifest)):
        yield (
            f"work_seconds must be at least {least:g}: prepare_seconds, the longest wait for a slot, "
            f"and {CALL_SECONDS} s for the call"
        )
    if manifest["schedule"] and len(manifest["schedule"].split()) != 5:
        yield f"schedule {manifest['schedule']!r} has not the five fields of cron"
    if manifest["schedule"] and manifest["kind"] == "item" and not manifest["backlog"]:
        yield "backlog is missing: the schedule of an item function is a run over it"


def least_work_seconds(manifest: dict[str, Any]) -> float:
    """In which a call that waited as long as it may for its slot still has the time it needs."""
    patience = manifest["ready_patience_seconds"] if manifest["prepares"] else manifest["patience_seconds"]
    return float(manifest["prepare_seconds"] + patience + CALL_SECONDS)


def instance_problems(manifest: dict[str, Any]) -> Iterator[str]:
    """Rules of Cloud Run."""
    if manifest["concurrency"] > MOST_CONCURRENT_REQUESTS:
        yield f"concurrency must be at most {MOST_CONCURRENT_REQUESTS}"
    if manifest["cpu"] > 1 and manifest["cpu"] not in WHOLE_CPUS:
        yield f"cpu must be below 1, or one of {', '.join(map(str, WHOLE_CPUS))}"
    if not MEMORY.fullmatch(manifest["memory"]):
        yield f"memory must be written as 512Mi or 2Gi, not {manifest['memory']!r}"
    if manifest["min_instances"] > manifest["max_instances"]:
        yield "min_instances must not be more than max_instances"


def setting_problems(manifest: dict[str, Any]) -> Iterator[str]:
    secrets = manifest["secrets"]
    names = [*manifest["environment"], *secrets]
    yield from (f"{n!r} is no name of a setting: capital letters, digits and _" for n in names if not is_setting(n))
    yield from (f"environment: {n} is one of secrets; keep it out" for n in secrets if n in manifest["environment"])
    yield from (
        f"{n} cannot be set here: Terraform derives it from callers and load_balancer_url"
        for n in DERIVED_SETTINGS
        if n in names
    )
    yield from (f"secrets: {n} stands there twice" for place, n in enumerate(secrets) if n in secrets[:place])


def is_setting(name: Any) -> bool:
    return isinstance(name, str) and SETTING_NAME.fullmatch(name) is not None


def caller_problems(manifest: dict[str, Any]) -> Iterator[str]:
    callers, kind = manifest["callers"], manifest["kind"]
    yield from (f"callers: {one!r} is not one of {', '.join(CALLERS)}" for one in callers if one not in CALLERS)
    needed = CALLER_OF.get(kind)
    if needed and callers != [needed]:
        yield f"callers must be [{needed}]: nobody else calls a function of kind {kind}"


def push_problems(manifest: dict[str, Any]) -> Iterator[str]:
    """A push function hears a topic of its own, and its schedule says something there; other kinds hear none."""
    if manifest["kind"] != "push":
        yield from (f"{key} is for kind push" for key in ("topic", "order") if manifest[key])
        return
    if not manifest["topic"]:
        yield "topic is missing: a push function needs one"
    elif not TOPIC_NAME.fullmatch(manifest["topic"]) or manifest["topic"].endswith("-dead"):
        yield f"topic {manifest['topic']!r}: a name of 3 to 200 letters, digits, - and _ that does not end with -dead"
    if manifest["schedule"] and not manifest["order"]:
        yield "order is missing: the schedule of a push function says something"


def main() -> None:
    """Print the resolved manifests, or the first problem in one line (exit 1)."""
    try:
        print(json.dumps(load(Path(__file__).parent.parent), indent=2))
    except BadManifest as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
