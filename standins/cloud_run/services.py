"""What is served: the services file, and a service as one."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import yaml

# https://docs.cloud.google.com/run/quotas: the body of an HTTP/1 request.
MAX_BODY_BYTES = 32 * 2**20


class BadServices(ValueError):
    """The services file cannot be used. One line that says what to change."""


@dataclass(frozen=True)
class Service:
    """One service. `invokers` are the accounts that may call it; without any it is public."""

    name: str
    port: int
    command: tuple[str, ...]
    folder: Path = Path()
    environment: Mapping[str, str] = field(default_factory=dict)
    concurrency: int = 80
    max_instances: int = 100
    min_instances: int = 0
    timeout_seconds: float = 300
    idle_seconds: float = 900
    invokers: frozenset[str] = frozenset()
    audiences: frozenset[str] = frozenset()
    log: Path | None = None

    @property
    def public(self) -> bool:
        return not self.invokers


@dataclass(frozen=True)
class Services:
    """All services of one front door, and who signs its callers' tokens."""

    services: tuple[Service, ...]
    issuer: str = "https://accounts.google.com"


def read(file: Path) -> Services:
    """The services of a YAML or JSON file. Raises BadServices."""
    try:
        document = yaml.safe_load(file.read_text())
        services = tuple(service_of(each) for each in document["services"])
        return Services(services, document.get("issuer", Services.issuer))
    except (OSError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise BadServices(f"{file} is no list of services: {error!r}") from error


def service_of(words: Mapping[str, Any]) -> Service:
    """Raises BadServices for a key or a value that no service can have."""
    unknown = set(words) - {each.name for each in fields(Service)}
    if unknown or not {"name", "port", "command"} <= set(words):
        raise BadServices(f"a service needs name, port and command, and has no {sorted(unknown)}: {dict(words)}")
    command = words["command"]
    service = Service(
        **{
            **words,
            "command": tuple(shlex.split(command) if isinstance(command, str) else command),
            "folder": Path(words.get("folder", ".")),
            "environment": {name: str(value) for name, value in words.get("environment", {}).items()},
            "invokers": frozenset(words.get("invokers", ())),
            "audiences": frozenset(words.get("audiences", ())) or {f"http://127.0.0.1:{words['port']}"},
            "log": Path(words["log"]) if words.get("log") else None,
        }
    )
    if not service.command or service.concurrency < 1 or not 0 <= service.min_instances <= service.max_instances:
        raise BadServices(
            f"{service.name}: it needs a command, concurrency of 1 or more, and min_instances <= max_instances"
        )
    return service
