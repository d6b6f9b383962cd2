"""The manifest a function was deployed with: manifest.json beside its code, made by the bundle."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from shared.inputs import InputLimits

FILE = Path(__file__).parent.parent / "manifest.json"


@dataclass(frozen=True)
class Manifest:
    """One function; the keys are explained in functions/defaults.yaml."""

    name: str
    kind: str
    quota: str | None
    table: str | None
    backlog: str | None
    url_field: str | None
    model: str | None
    reserve_tokens: int
    max_output_tokens: int
    max_attempts: int
    prepares: bool
    patience_seconds: float
    ready_patience_seconds: float
    cache_days: float
    work_seconds: float
    timeout_seconds: float
    lease_seconds: float
    dispatch_deadline_seconds: float
    submittable: bool = True
    callers: tuple[str, ...] = ()
    cache: str = "owner"
    typed: Sequence[str] = ()
    options: Sequence[str] = ()
    robots: bool = True
    max_per_host: int = 4
    input_bytes: int = 16_000
    input_depth: int = 32
    input_elements: int = 1_000

    @property
    def input_limits(self) -> InputLimits:
        return InputLimits(self.input_bytes, self.input_depth, self.input_elements)

    def patience(self, *, ready: bool) -> float:
        """How far off the slot of a claim may be. Work that prepares is let in while half of its patience would do."""
        if ready:
            return self.ready_patience_seconds
        return self.ready_patience_seconds / 2 if self.prepares else self.patience_seconds


@dataclass(frozen=True)
class Manifests:
    functions: Mapping[str, Manifest]
    quotas: Mapping[str, Mapping[str, Any]]

    @staticmethod
    def of(content: Mapping[str, Any]) -> "Manifests":
        """From the content of manifest.json, as infra.manifests resolves it."""
        known = {field.name for field in fields(Manifest)}
        functions = {
            name: Manifest(**{key: _frozen(value) for key, value in given.items() if key in known})
            for name, given in content["functions"].items()
        }
        return Manifests(MappingProxyType(functions), MappingProxyType(content["quotas"]))


def _frozen(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


@cache
def manifests() -> Manifests:
    """All manifests this bundle was made with."""
    return Manifests.of(json.loads(FILE.read_text()))
