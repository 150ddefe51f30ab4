"""JSON that a server wrote: decoded without a traceback, however deep, broken or strange it is."""

import json
import re
from typing import Any

import orjson

# Python's own reader takes these, which orjson refuses: half of an emoji as `\ud83d`, NaN, and numbers beyond 1e308.
_LENIENT = re.compile(rb"\\u[dD][89a-fA-F]|NaN|Infinity|\d[eE]\+?\d{3}|\d{300}")


def decoded(text: bytes) -> Any:
    """What the JSON says, lone surrogates replaced. Raises ValueError, also on what is nested too deep."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        if not _LENIENT.search(text):
            raise ValueError(str(error)) from None
    try:
        return json.loads(printable(json.dumps(json.loads(text), ensure_ascii=False)))
    except RecursionError:
        raise ValueError("nested too deep") from None


def printable(text: str) -> str:
    """The text without lone surrogates, which no file could hold."""
    return text.encode("utf-8", "replace").decode()
