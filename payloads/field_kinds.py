"""The kinds of values that request fields take: what fits, what to write, and an example right and wrong."""

import re
from collections.abc import Callable
from typing import NamedTuple, cast

# What Go's time.ParseDuration takes.
DURATION = re.compile(r"[-+]?(0|((\d+(\.\d*)?|\.\d+)(ns|us|µs|μs|ms|s|m|h))+)")
THINK_LEVELS = ("low", "medium", "high", "max")
REASONING = ("off", "low", "medium", "high", "on")  # LM Studio's
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "ultra", "max")


class Kind(NamedTuple):
    """A kind of value: does a JSON value fit, the end of the error message if not, examples that do and do not."""

    fits: Callable[[object], bool]
    right: str
    good: object
    bad: object


def _number(value: object) -> bool:
    # A bool is an int to Python, not to a user.
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < float("inf")


def _whole(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _text(value: object) -> bool:
    return isinstance(value, str)


def _texts(value: object) -> bool:
    return isinstance(value, list | tuple) and all(isinstance(one, str) for one in value)


def _ids(value: object) -> bool:
    return isinstance(value, list | tuple) and all(_whole(one) for one in value)


def _object(value: object) -> bool:
    return isinstance(value, dict)


def _keep_alive(value: object) -> bool:
    return DURATION.fullmatch(value) is not None if isinstance(value, str) else _number(value)


KINDS: dict[str, Kind] = {
    "number": Kind(_number, "make it a number", 0.5, "hot"),
    "whole number": Kind(_whole, "make it a whole number", 7, "many"),
    "limit": Kind(lambda v: _whole(v) and cast(int, v) > 0, "make it a whole number above 0", 9, "many"),
    "true/false": Kind(lambda value: isinstance(value, bool), "make it true or false", True, "maybe"),
    "text": Kind(_text, "put a text in quotes", "abc", 5),
    "list of texts": Kind(_texts, 'make it a list of texts, such as ["\\n"]', ["\n\n"], "abc"),
    "text or list of texts": Kind(lambda v: _text(v) or _texts(v), "make it a text or a list of texts", ["\n\n"], 5),
    "list of whole numbers": Kind(_ids, "make it a list of whole numbers", [1, 2], "abc"),
    "object": Kind(_object, "make it an object", {"a": 1}, "abc"),
    "list of objects": Kind(
        lambda value: isinstance(value, list | tuple) and all(_object(one) for one in value),
        "make it a list of objects",
        [{"a": 1}],
        "abc",
    ),
    "text or object": Kind(lambda v: _text(v) or _object(v), "make it a text or an object", "auto", 5),
    "keep-alive": Kind(
        _keep_alive,
        'use a duration such as "10m" or "24h", seconds such as 3600, -1 for ever, or 0 to unload',
        "10m",
        "soon",
    ),
    "format": Kind(lambda v: v == "json" or _object(v), 'use "json" or a JSON schema', "json", "xml"),
    "think": Kind(
        lambda value: isinstance(value, bool) or value in THINK_LEVELS,
        f"use true, false, {', '.join(THINK_LEVELS)}",
        False,
        "perhaps",
    ),
    "reasoning effort": Kind(lambda value: value in EFFORTS, f"use {', '.join(EFFORTS)}", "none", "perhaps"),
    "reasoning setting": Kind(lambda value: value in REASONING, f"use {', '.join(REASONING)}", "off", "perhaps"),
    "response format": Kind(
        lambda value: isinstance(value, dict) and value.get("type") in ("text", "json_object", "json_schema"),
        'use {"type": "json_object"} or {"type": "json_schema", …}; --options format=json does it on every API',
        {"type": "json_object"},
        "json",
    ),
    "encoding": Kind(lambda value: value in ("float", "base64"), "use float or base64", "base64", "hex"),
    "1": Kind(lambda value: value == 1, "one choice is measured: leave it out", 1, 2),
}
