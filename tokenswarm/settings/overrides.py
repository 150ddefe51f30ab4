"""`--options`: request fields for all User classes, or for one of them, as JSON or name=value."""

import json
import re

import orjson

_CLASS = re.compile(r"([A-Za-z_]\w*)\s*:")
_NAME = re.compile(r"(\+?[A-Za-z_]\w*)\s*=\s*")
_BLANK = re.compile(r"[ \t,]*")
_WORD = re.compile(r"[^\s,;]*")


def _no_json(text: str) -> object:
    raise json.JSONDecodeError(f"{text} is no number", text, 0)  # it is JSON to Python only


_DECODER = json.JSONDecoder(parse_constant=_no_json)


def read_overrides(text: str) -> dict[str, dict[str, object]]:
    """The fields by User class, those for all classes under "".

    `temperature=0,seed=7 stop=["\\n"]` or `{"temperature": 0}`, after `CLASS:` only for that class; a line break or a
    semicolon ends that. A value that is no JSON is a text. Of a field given twice the last value counts. Raises
    ValueError: what is wrong, and what to do.
    """
    found: dict[str, dict[str, object]] = {}
    user_class, at = "", 0
    while (at := _skip(text, at)) < len(text):
        if text[at] in "\n\r;":
            user_class, at = "", at + 1
        elif text[at] == "{":
            given, at = _json(text, at)
            found.setdefault(user_class, {}).update(given)  # type: ignore[call-overload]
        elif named := _NAME.match(text, at):
            value, at = _value(text, named.end())
            found.setdefault(user_class, {})[named[1]] = value
        elif chosen := _CLASS.match(text, at):
            user_class, at = chosen[1], chosen.end()
        else:
            word = _WORD.match(text, at)
            raise ValueError(
                f"{(word[0] if word else '') or text[at:]!r} is no name=value; write temperature=0,seed=7 or JSON, "
                "and put a text with blanks into quotes"
            )
    try:
        orjson.dumps(found)
    except TypeError as error:  # a number beyond 64 bits, half an emoji
        raise ValueError(f"{error}, so it cannot be sent; write another value") from None
    return found


def _skip(text: str, at: int) -> int:
    blank = _BLANK.match(text, at)
    return blank.end() if blank else at


def _value(text: str, at: int) -> tuple[object, int]:
    if text[at : at + 1] in ('"', "[", "{"):
        return _json(text, at)
    word = _WORD.match(text, at)
    said, end = (word[0], word.end()) if word else ("", at)
    if not said:
        raise ValueError(f"{text[:at].split()[-1]} has no value; write name=value")
    try:
        return _DECODER.decode(said), end
    except json.JSONDecodeError:
        return said, end


def _json(text: str, at: int) -> tuple[object, int]:
    try:
        return _DECODER.raw_decode(text, at)
    except json.JSONDecodeError as error:
        raise ValueError(f"{text[at : at + 30]!r} is not JSON: {error.msg}") from None
    except RecursionError:
        raise ValueError(f"{text[at : at + 30]!r} is nested too deep") from None
