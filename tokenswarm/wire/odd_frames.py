"""Frames that the plain reading cannot read: JSON of odd forms, words, pages, frames within frames."""

import re

from tokenswarm.wire import errors, framing
from tokenswarm.wire.apis import KEYS
from tokenswarm.wire.decoding import decode, values
from tokenswarm.wire.values import Api, Chunk

SHAPE_ERRORS = (TypeError, KeyError, ValueError, AttributeError, IndexError, ArithmeticError, RecursionError)
_MOST_SHOWN, _MOST_KEYS = 4096, 100
_ERROR = re.compile(r"\[error\]|error:")
_MOST_WORD = 20
_LEVELS = 2
_ENDS = frozenset(("[done]", "done", "[end]", "[eof]"))  # `[DONE]` as others write it
_BETWEEN = re.compile(rb"(?<=[}\]])\s*data:\s*")  # two events without a line end


def read_leniently(api: Api, ns: int, frame: bytes, levels: int = _LEVELS) -> tuple[Chunk, ...]:
    """The chunk of a frame; of one that holds several JSON values, or a list of them, one each.

    JSON within a JSON text, and a field's name twice (`data: data:`), come of two programs that both do the framing.
    """
    said = frame.strip()
    if said == b"[DONE]":
        return (Chunk(ns, done=api.done_by_sentinel),)
    try:
        found = values(said)
    except ValueError:
        found = None
    if found and len(found) == 1 and isinstance(found[0], str) and levels:
        return read_leniently(api, ns, found[0].encode(), levels - 1)
    if found and len(found) == 1 and isinstance(found[0], list) and all(isinstance(one, dict) for one in found[0]):
        found = tuple(found[0])  # Google's form
    if found is not None:
        return tuple(_read(api, ns, value, frame) for value in found)
    if said.startswith(b"data:") and levels:
        return read_leniently(api, ns, said[5:], levels - 1)
    if levels == _LEVELS and len(parts := _BETWEEN.split(said)) > 1:
        return tuple(chunk for part in parts for chunk in read_leniently(api, ns, part, levels - 1))
    word = said[:_MOST_WORD].decode("utf-8", "replace").lower()
    if word in _ENDS:
        return (Chunk(ns, done=api.done_by_sentinel),)
    if framing.keeps_alive(said):
        return (Chunk(ns),)
    if _ERROR.match(word):
        return (Chunk(ns, error=errors.text(said)),)
    start = frame[:_MOST_SHOWN].decode("utf-8", "replace")
    if errors.is_page(start):
        return (Chunk(ns, broken=f"not JSON: {errors.page(start)}"),)
    return (Chunk(ns, broken=f"not JSON: {frame[:60]!r}"),)


def names_error(event: str) -> bool:
    """Does the name of a server-sent event say that it is an error?"""
    return "error" in event or event in ("exception", "failed", "failure", "abort")


def unknown_keys(api: Api, frame: bytes) -> str:
    """The names that stand in an object which is no frame of the API; "" if it is one."""
    keys = KEYS.get(api.PATH)
    try:
        said = decode(frame)
    except ValueError:
        return ""
    if keys is None or not isinstance(said, dict) or any(key in said for key in keys):
        return ""
    return ", ".join(map(str, said))[:_MOST_KEYS]


def _read(api: Api, ns: int, value: object, frame: bytes) -> Chunk:
    if type(value) is not dict:
        if value is None or isinstance(value, bool | int | float):
            return Chunk(ns)  # says nothing, as some keep a connection alive
        return Chunk(ns, broken=f"not a JSON object: {frame[:60]!r}")
    try:
        return api.read(ns, value)
    except SHAPE_ERRORS as error:
        return Chunk(ns, broken=f"unexpected shape ({error}): {frame[:60]!r}")
