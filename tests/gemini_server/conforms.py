"""A small judge of JSON Schema, written apart from the code it judges."""

import re

TYPES = {
    "string": str,
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
    "integer": int,
    "number": (int, float),
}


def faults(value, schema, root=None):
    """What is wrong with a value, as a list of sentences; empty where it conforms."""
    root = root or schema
    if "$ref" in schema:
        schema = {**root["$defs"][schema["$ref"].rsplit("/", 1)[1]], **{k: v for k, v in schema.items() if k != "$ref"}}
    if value is None and schema.get("nullable"):
        return []
    if branches := schema.get("anyOf") or schema.get("oneOf"):
        return [] if any(not faults(value, each, root) for each in branches) else [f"{value!r} fits no branch"]
    if "enum" in schema:
        return [] if value in schema["enum"] else [f"{value!r} is not in {schema['enum']}"]
    kinds = schema.get("type", [])
    kinds = [kind.lower() for kind in ([kinds] if isinstance(kinds, str) else kinds)]
    if kinds and not any(
        isinstance(value, TYPES[kind]) and (kind == "boolean" or not isinstance(value, bool)) for kind in kinds
    ):
        return [f"{value!r} is not of {kinds}"]
    check = {str: _string, list: _array, dict: _object, int: _number, float: _number}.get(type(value))
    return check(value, schema, root) if check else []


def _string(value, schema, _root):
    size = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", 10**9)
    form = {"date": r"\d{4}-\d\d-\d\d", "date-time": r"\d{4}-\d\d-\d\dT[\d:.]+Z"}.get(schema.get("format"), "")
    return [] if size and re.match(form, value) else [f"{value!r} has not the size or form of {schema}"]


def _number(value, schema, _root):
    kept = (
        schema.get("minimum", value) <= value <= schema.get("maximum", value)
        and ("exclusiveMinimum" not in schema or schema["exclusiveMinimum"] < value)
        and ("exclusiveMaximum" not in schema or value < schema["exclusiveMaximum"])
        and value % schema.get("multipleOf", 1 if isinstance(value, int) else value or 1) == 0
    )
    return [] if kept else [f"{value!r} is out of {schema}"]


def _array(value, schema, root):
    size = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", 10**9)
    wrong = [] if size else [f"{len(value)} items are out of {schema}"]
    return [*wrong, *(each for item in value for each in faults(item, schema.get("items", {}), root))]


def _object(value, schema, root):
    properties = schema.get("properties", {})
    missing = [f"{name} is missing" for name in schema.get("required", []) if name not in value]
    extra = schema.get("additionalProperties", {}) or {}
    judged = [(item, properties.get(name, extra if isinstance(extra, dict) else {})) for name, item in value.items()]
    return [*missing, *(each for item, part in judged for each in faults(item, part, root))]
