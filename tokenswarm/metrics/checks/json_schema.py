"""JSON schemas (draft 4 to 7), each compiled once: what is wrong with a value, and where."""

import json
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import fastjsonschema

from tokenswarm.metrics.checks.time_limit import TookTooLong, at_most

Validator = Callable[[object], str]
MOST_KEPT = 10_000
_NAMED = ("properties", "patternProperties", "definitions", "$defs")  # maps of any name to a schema
_VALUES = ("enum", "const", "default", "examples", "required")
# As the Berkeley function calling leaderboard (BFCL) writes types, after Python's and Java's.
_TYPES = {"dict": "object", "float": "number", "double": "number", "long": "integer", "tuple": "array", "list": "array"}
_TYPES |= {"int": "integer", "bool": "boolean", "str": "string", "char": "string", "hashmap": "object"}

_by_object: dict[int, tuple[object, Validator]] = {}
_by_text: dict[str, Validator] = {}


def validator(schema: Mapping[str, object] | bool) -> Validator:
    """A function that says what is wrong with a value ("$.age must be integer"), "" if nothing.

    Raises ValueError if the schema cannot be used. The schema must not be changed afterwards.
    """
    known = _by_object.get(id(schema))
    if known and known[0] is schema:
        return known[1]
    text = json.dumps(schema, sort_keys=True, default=dict)
    made = _by_text.get(text) or _compile(json.loads(text))
    if len(_by_object) >= MOST_KEPT:  # schemas made anew for every request
        _by_object.clear()
        _by_text.clear()
    _by_object[id(schema)], _by_text[text] = (schema, made), made
    return made


def standard(schema: Any) -> Any:
    """The same schema with BFCL's types (`dict`, `float`, …) as JSON schema has them, and `any` left out."""
    if isinstance(schema, list):
        return [standard(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    made: dict[str, Any] = {}
    for key, value in schema.items():
        if key == "type":
            types = [_TYPES.get(str(one).lower(), str(one).lower()) for one in _as_list(value)]
            if "any" not in types:
                made[key] = types
        elif key in _NAMED and isinstance(value, dict):
            made[key] = {name: standard(one) for name, one in value.items()}
        else:
            made[key] = value if key in _VALUES else standard(value)
    if not isinstance(made.get("required", []), list):
        del made["required"]  # older drafts wrote `required: true` into the property
    return made


def _as_list(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _no_network(uri: str) -> NoReturn:
    raise ValueError(f"$ref {uri} is elsewhere; put what it names into the schema")


def _compile(schema: Any) -> Validator:
    try:
        handlers = dict.fromkeys(("", "http", "https", "ftp", "file", "urn", "data"), _no_network)
        # Formats are annotations, as the standard has it; servers that constrain an answer heed few of them.
        check = fastjsonschema.compile(standard(schema), handlers=handlers, use_default=False, use_formats=False)
    except Exception as error:  # noqa: BLE001 - whatever a schema holds: it cannot be used, and the reason is shown
        why = " ".join(str(error).split())[:120] or type(error).__name__
        raise ValueError(f"no usable JSON schema: {why}") from None

    def wrong(value: object) -> str:
        try:
            with at_most():
                check(value)
        except fastjsonschema.JsonSchemaValueException as error:
            return f"${error.message.removeprefix('data')}"[:100]
        except TookTooLong:
            return "undecided: the schema's pattern takes too long"
        except (RecursionError, TypeError, ValueError, ArithmeticError) as error:
            return f"undecided: {type(error).__name__}"
        return ""

    return wrong
