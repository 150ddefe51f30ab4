"""Where the records of a large file lie, without the file in memory: lines, items of an array, rows of a table."""

import csv
import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator, Set
from typing import BinaryIO

import orjson

from tokenswarm.payloads.formats.records import names_of, read_separator_line

WINDOW, HEAD, MARK, TRIES = 1 << 20, 4096, 6, 8
Span = tuple[int, int, bytes]  # the record's number from 1, its first byte, its text
_DECODE = json.JSONDecoder().raw_decode
_WRAPPED = re.compile(rb'\s*\{\s*"([^"\\]*)"\s*:\s*\[')


def spans(file: BinaryIO, asking: Set[str]) -> tuple[str, Iterator[Span]] | None:
    """How an error says where a record is, and the records; None where the file is of another shape, to be read whole.

    `asking` are the names that make an object a record: an array under another name holds the file's records.
    """
    skipped = _skipped(file)
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


def text_lines(file: BinaryIO) -> Iterator[Span]:
    """The lines of a text that hold something."""
    file.seek(_skipped(file))
    return ((number, at, line) for number, at, line in _numbered(file) if line.strip())


def text_of(record: bytes, place: str) -> str:
    """A record's text. Raises ValueError."""
    try:
        return record.decode()
    except UnicodeDecodeError:
        raise ValueError(f"{place}: not UTF-8; save the file as UTF-8") from None


def table(file: BinaryIO, parting: Callable[[str], str]) -> tuple[list[str], str, Iterator[Span]] | None:
    """The names of a table's columns, what parts its cells, its rows; None where lines do not end as usual."""
    file.seek(_skipped(file))
    start = file.tell()
    first = file.readline(WINDOW)
    if not first.endswith(b"\n") or b"\r" in first[:-2]:
        return None
    mark = read_separator_line(first.decode("utf-8", "replace"))
    if not mark:
        file.seek(start)
    csv.field_size_limit(2**31 - 1)
    lines, parted_by = _Lines(file), mark or parting(first.decode("utf-8", "replace"))
    reader = csv.reader(lines, delimiter=parted_by, strict=True)
    return names_of(next(reader, [])), parted_by, _rows(reader, lines)


def _rows(reader: Iterator[list[str]], lines: "_Lines") -> Iterator[Span]:
    lines.take_bytes()
    number = 0
    try:
        for number, cells in enumerate(reader, start=1):
            start, text = lines.take_bytes()
            if any(cells):
                yield number, start, text
    except (csv.Error, UnicodeDecodeError) as error:
        what = "not UTF-8; save the file as UTF-8" if isinstance(error, UnicodeDecodeError) else f"not CSV: {error}"
        raise ValueError(f": row {number + 1}: {what}") from None


class _Lines:
    """A file's lines for a reader of tables, which takes as many as a row has; their bytes are kept until then."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._start, self._lines = file, file.tell(), list[bytes]()

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if not (line := self._file.readline()):
            raise StopIteration
        self._lines.append(line)
        return line.decode()

    def take_bytes(self) -> tuple[int, bytes]:
        """Where what was taken since the last time began, and its bytes."""
        start, text = self._start, b"".join(self._lines)
        self._lines.clear()
        self._start += len(text)
        return start, text


def _skipped(file: BinaryIO) -> int:
    file.seek(0)
    return len(BOM_UTF8) if file.read(len(BOM_UTF8)) == BOM_UTF8 else 0


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True


def _lines(file: BinaryIO, at: int) -> Iterator[Span]:
    file.seek(at)
    return (span for span in _numbered(file) if span[2].strip()[:1] not in (b"", b"#"))


def _numbered(file: BinaryIO) -> Iterator[Span]:
    at = file.tell()
    for number, line in enumerate(file, start=1):
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
