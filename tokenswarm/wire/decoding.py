"""JSON that a server wrote: decoded without a traceback, however deep, broken or strange it is."""

import json
import re
from typing import Any

import orjson

# It takes raw control characters, half of an emoji as `\ud83d`, NaN, numbers beyond 1e308.
_LENIENT = json.JSONDecoder(strict=False)
_BETWEEN = "\ufeff\x1e \t\r\n"  # white space, a byte order mark, the record separator of application/json-seq
_GAP = re.compile(f"[{_BETWEEN}]*")
# A lenient reader takes its time, and each value some: what is so long, or so many, is a fault.
_MOST_BYTES, _MOST_VALUES = 4 * 1024 * 1024, 10_000


def decode(text: bytes) -> Any:
    """What the JSON says, as a lenient reader has it. Raises ValueError, also on what is nested too deep."""
    said = values(text)
    if len(said) != 1:
        raise ValueError(f"{len(said)} JSON values for one")
    return said[0]


def values(text: bytes) -> tuple[Any, ...]:
    """The JSON values that a text holds, mostly one. Raises ValueError, also on what is nested too deep.

    Half a character costs that character, as does half an emoji, which no file could hold; raw control characters are
    taken as they are.
    """
    try:
        return (orjson.loads(text),)
    except orjson.JSONDecodeError as error:
        if len(text) > _MOST_BYTES:
            raise ValueError(str(error)) from None
        return _leniently(text.decode("utf-8", "replace").strip(_BETWEEN))


def _leniently(text: str) -> tuple[Any, ...]:
    found: list[Any] = []
    at = 0
    while at < len(text) and len(found) < _MOST_VALUES:
        try:
            value, at = _LENIENT.raw_decode(text, at)
            found.append(json.loads(printable(json.dumps(value, ensure_ascii=False))))
        except RecursionError:
            raise ValueError("nested too deep") from None
        gap = _GAP.match(text, at)
        at = gap.end() if gap else at
    if at < len(text):
        raise ValueError("too many values")
    return tuple(found)


def printable(text: str) -> str:
    """The text without lone surrogates, which no file could hold."""
    return text.encode("utf-8", "replace").decode()
