"""Where the records of a large file lie, without the file in memory: lines of JSON, or the items of an array."""

import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterator, Set
from typing import BinaryIO

import orjson

WINDOW, HEAD, MARK, TRIES = 1 << 20, 4096, 6, 8
Span = tuple[int, int, bytes]  # the record's number from 1, its first byte, its text
_DECODE = json.JSONDecoder().raw_decode
_WRAPPED = re.compile(rb'\s*\{\s*"([^"\\]*)"\s*:\s*\[')


def spans(file: BinaryIO, asking: Set[str]) -> tuple[str, Iterator[Span]] | None:
    """How an error says where a record is, and the records; None where the file is of another shape, to be read whole.

    `asking` are the names that make an object a record: an array under another name holds the file's records.
    """
    file.seek(0)
    skipped = len(BOM_UTF8) if file.read(len(BOM_UTF8)) == BOM_UTF8 else 0
    file.seek(skipped)
    line = file.readline(WINDOW)
    first = line.lstrip()
    whole = line.endswith(b"\n") and _is_json(first)
    if first.startswith(b"#") or (first[:1] in (b"{", b"[") and whole):
        return ":", _lines(file, skipped)
    if first.startswith(b"[") and not first[1:].lstrip().startswith(b'{"role"'):
        return ": item ", _items(file, skipped + len(line) - len(first) + 1)
    file.seek(skipped)
    wrapped = _WRAPPED.match(file.read(HEAD))
    if wrapped and wrapped[1].decode("utf-8", "replace") not in asking:
        return ": item ", _items(file, skipped + wrapped.end())
    return None


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _lines(file: BinaryIO, at: int) -> Iterator[Span]:
    file.seek(at)
    for number, line in enumerate(file, start=1):
        if line.strip()[:1] not in (b"", b"#"):
            yield number, at, line
        at += len(line)


def _items(file: BinaryIO, at: int) -> Iterator[Span]:
    """The items of the array whose inside begins at `at`.

    Where an item ends is guessed by how those before it did: a text that is JSON from its first byte to its last is the
    item, and no longer or shorter one is. Raises ValueError.
    """
    file.seek(at)
    window, place, number, mark = b"", 0, 0, b""
    while True:
        while window[place : place + 1] in (b" ", b"\n", b"\r", b"\t", b","):
            place += 1
            if place == len(window):
                break
        if place == len(window):
            at += len(window)
            window, place = file.read(WINDOW), 0
            if not window:
                raise ValueError(f": item {number}: the array has no end after it; mend the file")
            continue
        if window[place : place + 1] == b"]":
            return
        number += 1
        size = WINDOW
        while not (end := _end(window, place, mark)):
            piece = file.read(size)
            if not piece:
                raise ValueError(f": item {number}: not JSON; mend the array")
            at += place
            window, place = window[place:] + piece, 0
            size *= 2
        after = window[end : end + MARK]
        if len(after) == MARK and b"]" not in after:
            mark = window[end - 1 : end] + after
        yield number, at + place, window[place:end]
        place = end


def _end(window: bytes, place: int, mark: bytes) -> int:
    """Where the item ends that begins there; 0 if it does not show."""
    found = place
    for _ in range(TRIES if mark else 0):
        found = window.find(mark, found + 1)
        if found < 0:
            break
        try:
            orjson.loads(window[place : found + 1])
        except orjson.JSONDecodeError:
            continue
        return found + 1
    try:  # in Latin-1 a byte is a character, and what marks JSON's parts is as in UTF-8
        end = _DECODE(window[place:].decode("latin-1"))[1] + place
    except json.JSONDecodeError:
        return 0
    return end if end < len(window) else 0  # a number may go on
