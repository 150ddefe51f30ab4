"""JSON that fits a schema, made up from a seed: what a model says in JSON mode, and what it passes to a tool."""

import json
import math
import random
import re
from typing import Any

from tokenswarm.simulator.model.tokens import ENGLISH

# BFCL's schemas say Python's names for types.
_ALIASES = {
    "dict": "object",
    "float": "number",
    "double": "number",
    "list": "array",
    "tuple": "array",
    "int": "integer",
}
_FORMATS = {
    "date": "2026-11-23",
    "date-time": "2026-11-23T08:54:26Z",
    "time": "08:54:26Z",
    "email": "ann@example.org",
    "uri": "https://example.org/",
    "uuid": "3f2504e0-4f89-41d3-9a0c-0305e82c3301",
    "ipv4": "192.0.2.1",
}
_DEEPEST = 6
_LARGEST = 1000  # items or characters, whatever a schema demands: others wait while they are made
_PIECE = re.compile(r"\\u[0-9a-f]{4}|[A-Za-z]{1,7}|\d{1,3}|[{}\[\]\":,]{1,2}|\s+|.", re.DOTALL)


def pieces(text: str) -> list[str]:
    """A text in pieces of about a token; joined they are the text."""
    return _PIECE.findall(text)


def free_object(rng: random.Random, tokens: int) -> dict[str, Any]:
    """What a model says in JSON mode without a schema: an object of about so many tokens."""
    keys = rng.sample(ENGLISH, min(max(1, tokens // 12), len(ENGLISH)))
    return {key: rng.choice((_words(rng), rng.randint(0, 99), rng.random() < 0.5)) for key in keys}


def value(schema: Any, rng: random.Random) -> Any:
    """A value that is valid against a JSON schema (of the keywords that grammars know; others are ignored)."""
    return _value(schema, rng, schema if isinstance(schema, dict) else {}, 0)


def _words(rng: random.Random) -> str:
    return " ".join(rng.choices(ENGLISH, k=rng.randint(1, 4)))


def _resolved(schema: dict[str, Any], root: dict[str, Any]) -> Any:
    """The schema that a local reference names; anything goes where it names none."""
    found: Any = root
    for part in str(schema["$ref"]).removeprefix("#").strip("/").split("/"):
        found = found.get(part, {}) if part and isinstance(found, dict) else found
    return found


def _value(schema: Any, rng: random.Random, root: dict[str, Any], depth: int) -> Any:
    if not isinstance(schema, dict):
        return _words(rng)
    if "$ref" in schema:
        return _value(_resolved(schema, root), rng, root, depth + 1) if depth < _DEEPEST else None
    if "const" in schema:
        return schema["const"]
    if schema.get("enum"):
        return rng.choice(schema["enum"])
    for word in ("anyOf", "oneOf"):
        if schema.get(word):
            return _value(rng.choice(schema[word]), rng, root, depth)
    if schema.get("allOf"):
        merged: dict[str, Any] = {}
        for part in schema["allOf"]:
            part = _resolved(part, root) if "$ref" in part else part
            merged |= part
            merged["properties"] = {**merged.get("properties", {}), **part.get("properties", {})}
        return _value(merged, rng, root, depth)
    kind = schema.get("type") or ("object" if "properties" in schema else "string")
    kind = rng.choice(kind) if isinstance(kind, list) else kind
    return _of_type(_ALIASES.get(str(kind).lower(), str(kind).lower()), schema, rng, root, depth)


def _of_type(kind: str, schema: dict[str, Any], rng: random.Random, root: dict[str, Any], depth: int) -> Any:
    if kind == "object":
        return _object(schema, rng, root, depth)
    if kind == "array":
        return _array(schema, rng, root, depth)
    if kind in ("integer", "number"):
        return _number(schema, rng, whole=kind == "integer")
    if kind == "boolean":
        return rng.random() < 0.5
    return None if kind == "null" else _string(schema, rng)


def _object(schema: dict[str, Any], rng: random.Random, root: dict[str, Any], depth: int) -> dict[str, Any]:
    properties, required = schema.get("properties") or {}, schema.get("required") or []
    kept = [name for name in properties if name in required or (depth < _DEEPEST and rng.random() < 0.5)]
    kept += [name for name in required if name not in properties]
    return {name: _value(properties.get(name), rng, root, depth + 1) for name in kept}


def _array(schema: dict[str, Any], rng: random.Random, root: dict[str, Any], depth: int) -> list[Any]:
    least = min(int(schema.get("minItems", 0)), _LARGEST)
    most = int(schema.get("maxItems", max(least, 3)))
    count = rng.randint(least, min(most, least + 3)) if least else min(most, rng.randint(1, 3))
    if depth >= _DEEPEST:
        count = least
    fixed = schema.get("prefixItems") or []
    items = [_value(one, rng, root, depth + 1) for one in fixed[: max(count, least)]]
    while len(items) < count:
        item = _value(schema.get("items"), rng, root, depth + 1)
        if schema.get("uniqueItems") and item in items and len(items) >= least:
            break
        items.append(item)
    return items


def _number(schema: dict[str, Any], rng: random.Random, *, whole: bool) -> int | float:
    step = 1 if whole else 0.5
    low: float | None = schema.get("minimum", schema.get("exclusiveMinimum"))
    high: float | None = schema.get("maximum", schema.get("exclusiveMaximum"))
    if low is None:
        low = high - 100 if high is not None else 0
    elif "minimum" not in schema:
        low += step
    if high is None:
        high = low + 99
    elif "maximum" not in schema:
        high -= step
    multiple: float | None = schema.get("multipleOf") or (1 if whole else None)
    if multiple is not None:
        least = math.ceil(low / multiple)
        return multiple * rng.randint(least, max(least, math.floor(high / multiple)))
    return low if high <= low else min(high, max(low, round(rng.uniform(low, high), 2)))


def _string(schema: dict[str, Any], rng: random.Random) -> str:
    text = _FORMATS.get(str(schema.get("format")), "") or _words(rng)
    while len(text) < min(int(schema.get("minLength", 0)), _LARGEST):
        text += " " + _words(rng)
    return text[: int(schema["maxLength"])] if "maxLength" in schema else text


def break_json(text: str) -> str:
    """The text with its last bracket missing and a comma too many: no JSON any more."""
    return text.rstrip("}] \n") + ","


def off_schema(schema: Any) -> Any:
    """A value that is JSON but not what the schema wants."""
    typed = schema if isinstance(schema, dict) else {}
    return ["not", "this"] if typed.get("type", "object") != "array" else {"not": "this"}


def write_json(found: Any) -> str:
    """A value as a model writes it."""
    return json.dumps(found, ensure_ascii=False)
