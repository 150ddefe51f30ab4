"""What error messages about a user's input have in common: the nearest right name, and a value on one line."""

import difflib
from collections.abc import Iterable

import orjson


def nearest(word: str, names: Iterable[str]) -> str:
    """The right name a misspelt one is likely to mean, as the end of an error message; else empty."""
    close = difflib.get_close_matches(word.lower(), list(names), n=1)
    return f"; did you mean {close[0]}?" if close else ""


def quote(value: object) -> str:
    """A JSON value as an error message shows it: on one line, and short."""
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    try:
        text = orjson.dumps(value).decode()
    except TypeError:  # a whole number beyond 64 bits, half a character
        text = ascii(value)
    return text if len(text) <= 40 else f"{text[:40]}…"
