"""Numbers as servers give them: read where they can be known, absent where they cannot be."""

import re

MOST_TOKENS = 10**9  # no answer has as many, and sums of such counts stay within 63 bits
_MOST_NS = 2**62
_UNITS = {"h": 3600e9, "m": 60e9, "s": 1e9, "ms": 1e6, "us": 1e3, "µs": 1e3, "μs": 1e3, "ns": 1.0}
_PARTS = re.compile(r"([\d.]+)(h|ms|m|s|us|µs|μs|ns)")
_MOST_CHARACTERS = 40  # of a number written as a text


def number(value: object) -> float | None:
    """12, 12.0, "12" and "12.0" are 12; −1, NaN, 1e400, true and what is no number are None."""
    if isinstance(value, str):
        try:
            value = float(value) if len(value) <= _MOST_CHARACTERS else None
        except ValueError:
            return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return value if 0 <= value < float("inf") else None


def count(value: object) -> int | None:
    """A whole number of tokens or the like; None where it is none, or more than any answer has."""
    if type(value) is not int:
        if value is None or (value := number(value)) is None or value != int(value):
            return None
        value = int(value)
    return value if 0 <= value < MOST_TOKENS else None


def duration_ns(value: object, unit_ns: float = 1.0) -> int | None:
    """A duration in ns, of a number of units or a text as Go writes it ("1.5s", "1m2.5s"); None where it is none.

    0 is none, too: Ollama leaves it out, and others say it where they do not know.
    """
    if type(value) is not int or unit_ns != 1.0:
        if value is None:
            return None
        if isinstance(value, str) and value[-1:].isalpha():
            return _of_text(value)
        said = number(value)
        if said is None or said >= _MOST_NS:
            return None
        value = max(1, round(said * unit_ns)) if said else 0
    return value if 0 < value < _MOST_NS else None


def _of_text(text: str) -> int | None:
    if len(text) > _MOST_CHARACTERS or _PARTS.sub("", text):
        return None
    try:
        ns = sum(float(digits) * _UNITS[unit] for digits, unit in _PARTS.findall(text))
    except ValueError:
        return None
    return round(ns) if ns < _MOST_NS else None
