"""A schema in one shape, however written: OpenAPI as the SDK sends it, JSON Schema as pydantic emits it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from local.gemini.problems import bad_request

DEEPEST = 12
_CAMEL = {
    "any_of": "anyOf",
    "one_of": "oneOf",
    "all_of": "allOf",
    "max_items": "maxItems",
    "min_items": "minItems",
    "max_length": "maxLength",
    "min_length": "minLength",
    "property_ordering": "propertyOrdering",
    "additional_properties": "additionalProperties",
    "unique_items": "uniqueItems",
    "prefix_items": "prefixItems",
    "ref": "$ref",
    "defs": "$defs",
    "definitions": "$defs",
}
_KINDS = frozenset({"object", "array", "string", "integer", "number", "boolean", "null"})


@dataclass(frozen=True)
class Schema:
    """One node. `name` is the property it stands under, `above` the properties of the objects around it."""

    raw: Mapping[str, Any]
    root: Mapping[str, Any]
    name: str = ""
    above: tuple[Any, ...] = ()

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> "Schema":
        """Raises Problem (400) for a reference that leads nowhere, when it is met."""
        root = _camel(raw)
        return cls(_resolved(root, root), root)

    def under(self, raw: Any, name: str = "") -> "Schema":
        if len(self.above) >= DEEPEST * 2:
            raise bad_request("The specified schema nests too deeply.")
        node = _resolved(_camel(raw), self.root) if isinstance(raw, Mapping) else {}
        return Schema(node, self.root, name or self.name, (*self.above, self.raw.get("properties")))

    @cached_property
    def kinds(self) -> tuple[str, ...]:
        """The JSON types a value may have, without null."""
        given = self.raw.get("type", ())
        listed = [given] if isinstance(given, str) else given
        kinds = tuple(kind for each in listed if (kind := str(each).lower()) in _KINDS and kind != "null")
        return kinds or ((self._implied,) if self._implied else ())

    @cached_property
    def _implied(self) -> str:
        if "properties" in self.raw or "additionalProperties" in self.raw:
            return "object"
        return "array" if "items" in self.raw or "prefixItems" in self.raw else ""

    @cached_property
    def nullable(self) -> bool:
        given = self.raw.get("type", ())
        listed = [given] if isinstance(given, str) else list(given)
        null_listed = "null" in [str(each).lower() for each in listed] or None in (self.choices or [0])
        return bool(self.raw.get("nullable")) or null_listed or any(each.is_null for each in self.every_branch)

    @property
    def is_null(self) -> bool:
        return str(self.raw.get("type", "")).lower() == "null"

    @cached_property
    def every_branch(self) -> list["Schema"]:
        branches = self.raw.get("anyOf") or self.raw.get("oneOf") or []
        described = {key: self.raw[key] for key in ("description", "title") if key in self.raw}
        return [self.under({**described, **branch}) for branch in branches if isinstance(branch, Mapping)]

    @property
    def branches(self) -> list["Schema"]:
        return [branch for branch in self.every_branch if not branch.is_null]

    @cached_property
    def choices(self) -> list[Any] | None:
        """The values of an enum or const."""
        if "const" in self.raw:
            return [self.raw["const"]]
        return list(self.raw["enum"]) if self.raw.get("enum") else None

    @cached_property
    def properties(self) -> dict[str, "Schema"]:
        """In the order asked for."""
        listed = self.raw.get("properties") or {}
        order = [name for name in self.raw.get("propertyOrdering") or [] if name in listed]
        names = [*order, *(name for name in listed if name not in order)]
        return {name: self.under(listed[name], name) for name in names}

    @cached_property
    def required(self) -> frozenset[str]:
        return frozenset(self.raw.get("required") or ())

    @cached_property
    def items(self) -> "Schema":
        return self.under(self.raw.get("items"))

    @property
    def description(self) -> str:
        return str(self.raw.get("description") or "")

    def limit(self, keyword: str) -> float | None:
        """A numeric keyword. Google sends int64 limits as strings."""
        value = self.raw.get(keyword)
        try:
            return None if value is None or isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            return None

    def whole(self, keyword: str, default: int) -> int:
        value = self.limit(keyword)
        return default if value is None else int(value)

    @cached_property
    def bounds(self) -> tuple[float, float]:
        lows = [self.limit(keyword) for keyword in ("minimum", "exclusiveMinimum")]
        highs = [self.limit(keyword) for keyword in ("maximum", "exclusiveMaximum")]
        return (
            max((low for low in lows if low is not None), default=-1e15),
            min((high for high in highs if high is not None), default=1e15),
        )

    @cached_property
    def open_ends(self) -> frozenset[float | None]:
        """Bounds that are not themselves allowed."""
        return frozenset((self.limit("exclusiveMinimum"), self.limit("exclusiveMaximum")))

    @cached_property
    def recursion(self) -> int:
        """How often an object of this shape stands around this node."""
        if "properties" in self.raw:
            return sum(1 for properties in self.above if properties == self.raw["properties"])
        if "items" in self.raw:
            return self.items.recursion
        return max((branch.recursion for branch in self.branches), default=0)


def fingerprint(raw: Mapping[str, Any] | None) -> str:
    return json.dumps(raw, sort_keys=True)


def _camel(raw: Mapping[str, Any]) -> dict[str, Any]:
    return {_CAMEL.get(key, key): value for key, value in raw.items()}


def _resolved(node: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """The node with its references followed and its allOf merged in; its own words win."""
    for _ in range(DEEPEST):
        if "$ref" in node:
            own = {key: value for key, value in node.items() if key != "$ref"}
            node = {**_camel(_target(str(node["$ref"]), root)), **own}
        elif "allOf" in node:
            own = {key: value for key, value in node.items() if key != "allOf"}
            node = _merged([*map(_camel, node["allOf"]), own])
        else:
            return node
    raise bad_request("The specified schema refers to itself without end.")


def _merged(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    whole: dict[str, Any] = {}
    for node in nodes:
        properties = {**whole.get("properties", {}), **node.get("properties", {})}
        required = [*whole.get("required", []), *node.get("required", [])]
        whole = {**whole, **node}
        whole |= {"properties": properties} if properties else {}
        whole |= {"required": required} if required else {}
    return whole


def _target(reference: str, root: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Any = root
    for step in reference.removeprefix("#").strip("/").split("/") if reference != "#" else ():
        found = found.get(_CAMEL.get(step, step)) if isinstance(found, Mapping) else None
    if not isinstance(found, Mapping):
        raise bad_request(f"The specified schema refers to {reference}, which is not there.")
    return found
