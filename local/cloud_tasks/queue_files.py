"""Queues from a YAML file or from flags: quotas, or the settings of queues in full.

gemini-text: {requests_per_minute: 300, max_concurrent: 40}                                        a quota
mail: {rate: {max_dispatches_per_second: 2}, retry: {max_attempts: 5, min_backoff: 10}}            in full
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from local.cloud_tasks import queue_settings
from local.cloud_tasks.messages import Message, Queue, set_duration
from local.cloud_tasks.names import check_queue
from local.cloud_tasks.refusals import Refused

# The tokens concern a quota's workers, not its queue.
QUOTA_KEYS = {"requests_per_minute", "tokens_per_minute", "dispatches_per_minute", "max_concurrent"}
QUOTA_CONCURRENT = 40
_RATE = {"max_dispatches_per_second", "max_concurrent_dispatches"}
_COUNTS = {"max_attempts", "max_doublings"}
_DURATIONS = {"min_backoff", "max_backoff", "max_retry_duration"}
_FLAG = re.compile(r"([A-Za-z0-9-]+)=([0-9.]+)(?:/s)?(?:,([0-9]+))?")


class BadQueues(Exception):
    """The file or flag cannot be read as queues; one line says which key, and where."""


@dataclass(frozen=True, slots=True)
class Retries:
    """How a quota's queue retries. Unlimited: the worker counts attempts, and nothing may vanish here."""

    max_attempts: int = -1
    min_backoff: float = 2.0
    max_backoff: float = 60.0
    max_doublings: int = 5

    def write(self, config: Message) -> None:
        config.max_attempts = self.max_attempts
        config.max_doublings = self.max_doublings
        set_duration(config.min_backoff, self.min_backoff)
        set_duration(config.max_backoff, self.max_backoff)


def queues_of_file(file: Path, parent: str, retries: Retries) -> list[Message]:
    """Return the queues of a YAML file. Raises BadQueues."""
    try:
        document = yaml.safe_load(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadQueues(f"{file}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeError) as error:
        raise BadQueues(f"{file}: no YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise BadQueues(f"{file}: expected a mapping of queue names")
    return [_queue(file, parent, name, settings, retries) for name, settings in document.items()]


def queue_of_flag(flag: str, parent: str, retries: Retries) -> Message:
    """Return the queue of NAME=RATE/s[,CONCURRENCY]. Raises BadQueues."""
    match = _FLAG.fullmatch(flag)
    if match is None:
        raise BadQueues(f"--queue {flag}: expected NAME=RATE/s or NAME=RATE/s,CONCURRENCY")
    name, rate, concurrent = match.groups()
    queue = Queue(name=f"{parent}/queues/{name}")
    try:
        _set_rate(queue, float(rate), int(concurrent or 0))
    except ValueError as error:
        raise BadQueues(f"--queue {flag}: {error}") from error
    retries.write(queue.retry_config)
    return _checked(f"--queue {flag}", queue)


def _queue(file: Path, parent: str, name: Any, settings: Any, retries: Retries) -> Message:
    where = f"{file}: {name}"
    if not isinstance(settings, dict):
        raise BadQueues(f"{where}: expected a mapping")
    queue = Queue(name=f"{parent}/queues/{name}")
    if settings.keys() & {"rate", "retry"}:
        _fill_in_full(where, queue, settings)
    else:
        _fill_quota(where, queue, settings, retries)
    return _checked(where, queue)


def _fill_quota(where: str, queue: Message, quota: Mapping[str, Any], retries: Retries) -> None:
    _know(where, quota, QUOTA_KEYS)
    if "requests_per_minute" not in quota:
        raise BadQueues(f"{where}: requests_per_minute is missing")
    key = "dispatches_per_minute" if "dispatches_per_minute" in quota else "requests_per_minute"
    rate = _number(f"{where}.{key}", quota[key]) / 60
    _set_rate(queue, rate, _whole(f"{where}.max_concurrent", quota.get("max_concurrent", QUOTA_CONCURRENT)))
    retries.write(queue.retry_config)


def _fill_in_full(where: str, queue: Message, settings: Mapping[str, Any]) -> None:
    _know(where, settings, {"rate", "retry"})
    rate, retry = settings.get("rate") or {}, settings.get("retry") or {}
    _know(f"{where}.rate", rate, _RATE)
    _know(f"{where}.retry", retry, _COUNTS | _DURATIONS)
    for key, value in rate.items():
        read = _number if key == "max_dispatches_per_second" else _whole
        setattr(queue.rate_limits, key, read(f"{where}.rate.{key}", value))
    for key, value in retry.items():
        if key in _COUNTS:
            setattr(queue.retry_config, key, _whole(f"{where}.retry.{key}", value))
        else:
            set_duration(getattr(queue.retry_config, key), _length(f"{where}.retry.{key}", value))


def _set_rate(queue: Message, rate: float, concurrent: int) -> None:
    queue.rate_limits.max_dispatches_per_second = rate
    queue.rate_limits.max_concurrent_dispatches = concurrent


def _checked(where: str, queue: Message) -> Message:
    try:
        check_queue(queue.name)
        return queue_settings.created(queue)
    except Refused as refused:
        raise BadQueues(f"{where}: {refused.message}") from refused


def _know(where: str, settings: Any, keys: set[str]) -> None:
    if not isinstance(settings, dict):
        raise BadQueues(f"{where}: expected a mapping")
    unknown = sorted(str(key) for key in settings if key not in keys)
    if unknown:
        raise BadQueues(f"{where}: unknown key {unknown[0]} (known: {', '.join(sorted(keys))})")


def _number(where: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise BadQueues(f"{where}: expected a number above 0, not {value!r}")
    return float(value)


def _whole(where: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not -(2**31) <= value < 2**31:
        raise BadQueues(f"{where}: expected a whole number, not {value!r}")
    return value


def _length(where: str, value: Any) -> float:
    text = str(value).removesuffix("s")
    try:
        length = float(text)
    except ValueError as error:
        raise BadQueues(f"{where}: expected seconds such as 10 or 10s, not {value!r}") from error
    if not 0 <= length <= 10**9:
        raise BadQueues(f"{where}: expected seconds such as 10 or 10s, not {value!r}")
    return length
