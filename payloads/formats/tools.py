"""Tools that a prompt offers: as the APIs take them, and as the Berkeley Function-Calling Leaderboard writes them."""

import re
from collections.abc import Mapping

import orjson

from tokenswarm.payloads.formats.messages import call, wrong

# Python's names for types, which BFCL has, as JSON schema has them.
TYPES = {"dict": "object", "float": "number", "tuple": "array", "list": "array", "int": "integer", "bool": "boolean"}
TYPES |= {"str": "string", "hashmap": "object", "arraylist": "array", "double": "number", "long": "integer"}


def read(value: object) -> tuple[Mapping[str, object], ...]:
    """The tools of a list of {"type": "function", "function": {…}} or bare {"name": …, …}, or of its JSON.

    Raises ValueError.
    """
    if isinstance(value, str):
        value = from_json(value or "[]", "tools", "a list of tools")
    if not isinstance(value, list):
        wrong("tools", value, 'make it a list of {"type": "function", "function": {"name": …, "parameters": {…}}}')
    return tuple(_tool(one, f"tools[{at}]") for at, one in enumerate(value))


def calls(value: str, name: str) -> tuple[Mapping[str, object], ...]:
    """The calls that a text of JSON holds, one {"name": …, "arguments": {…}} or a list of them. Raises ValueError."""
    given = from_json(value, name, 'a call, {"name": …, "arguments": {…}}')
    return tuple(call(one, name) for one in (given if isinstance(given, list) else [given]))


def from_json(value: str, name: str, what: str) -> object:
    """What a text of JSON holds. Raises ValueError."""
    try:
        return orjson.loads(value)
    except orjson.JSONDecodeError:
        wrong(name, value, f"write {what} as JSON")


def leaderboard(value: object) -> tuple[Mapping[str, object], ...]:
    """BFCL's functions: types become JSON schema's, and names what OpenAI allows: math.hypot → math_hypot."""
    given = value if isinstance(value, list) else [value]
    return read([_with_plain_types(_schema(one)) for one in given])


def _tool(given: object, name: str) -> Mapping[str, object]:
    tool = given if isinstance(given, dict) and "function" in given else {"type": "function", "function": given}
    function = tool["function"]
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        wrong(name, given, 'make it {"type": "function", "function": {"name": …, "parameters": {…}}}')
    return {"type": "function", **tool}


def _with_plain_types(function: object) -> object:
    if not isinstance(function, dict) or not isinstance(function.get("name"), str):
        return function
    return {**function, "name": re.sub(r"[^a-zA-Z0-9_-]", "_", function["name"])[:64]}


def _schema(value: object) -> object:
    """The same with JSON schema's names of types; "any" is said by leaving the type out."""
    if isinstance(value, list):
        return [_schema(one) for one in value]
    if not isinstance(value, dict):
        return value
    kept = {name: _schema(one) for name, one in value.items() if not (name == "type" and one == "any")}
    said = kept.get("type")
    if isinstance(said, str):
        kept["type"] = TYPES.get(said.lower(), said.lower() if said.lower() in TYPES.values() else said)
    return kept
