"""JSON as Go writes and reads it: its escapes, and its words for what it cannot read."""

import json
import math
import re
from functools import lru_cache
from typing import Any

_HALF_PAIR = re.compile(r"\\u[dD][89a-fA-F]")  # it may be of a whole pair too


@lru_cache(maxsize=8192)
def quote(text: str) -> str:
    """A JSON string with Go's escapes: `<`, `>`, `&` and the two line separators too. Cached: tokens repeat."""
    quoted = json.dumps(text, ensure_ascii=False)
    for char in "<>&\u2028\u2029":
        if char in quoted:
            quoted = quoted.replace(char, f"\\u{ord(char):04x}")
    return quoted


def encode(value: Any) -> bytes:
    """A whole value, compact, keys in the order given."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    for char in "<>&\u2028\u2029":
        text = text.replace(char, f"\\u{ord(char):04x}")
    return text.encode("utf-8", "replace")


def _no_number(text: str) -> None:
    raise ValueError(f"invalid character '{text[0]}' looking for beginning of value")


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"json: cannot unmarshal number {text} into Go value of type float64")
    return value


def decode(body: bytes, struct: str = "api.Request") -> dict[str, Any]:
    """Read a request's body; ValueError with Go's own words when it is no JSON object."""
    if not body:
        raise ValueError("missing request body")
    # Go reads what is no character as U+FFFD, be it bytes or half of a surrogate pair; neither could be sent back.
    text = body.decode("utf-8", "replace")
    try:
        value = json.loads(text, parse_constant=_no_number, parse_float=_finite)
        if _HALF_PAIR.search(text):
            plain = json.dumps(value, ensure_ascii=False)
            value = json.loads(plain.encode("utf-16", "surrogatepass").decode("utf-16", "replace"))
    except RecursionError:
        raise ValueError("exceeded max depth") from None
    except json.JSONDecodeError as error:
        rest = error.doc[error.pos :].strip()
        if not rest or error.msg.startswith("Unterminated string"):
            raise ValueError("unexpected EOF") from None
        raise ValueError(f"invalid character '{rest[0]}' looking for beginning of value") from None
    if not isinstance(value, dict):
        raise ValueError(f"json: cannot unmarshal {kind(value)} into Go value of type {struct}")
    return value


def kind(value: Any) -> str:
    """What Go calls the type of a JSON value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "bool"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


_GO_TYPES = {"number": "float64", "integer": "int", "object": "map[string]interface {}", "array": "[]api.Message"}


def check_types(body: dict[str, Any], struct: str, fields: dict[str, str]) -> None:
    """ValueError with Go's words if a field has another JSON type than `fields` says, or a fraction; absent is fine."""
    for name, wanted in fields.items():
        value = body.get(name)
        if value is None or kind(value) == wanted or (wanted == "integer" and type(value) is int):
            continue
        found = f"number {value}" if wanted == "integer" and isinstance(value, float) else kind(value)
        go_type = _GO_TYPES.get(wanted, wanted)
        raise ValueError(f"json: cannot unmarshal {found} into Go struct field {struct}.{name} of type {go_type}")
