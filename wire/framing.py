"""Frames out of pieces: NDJSON lines, SSE events or one JSON object, by what the body is and wherever reads cut it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Literal

import orjson

# Ollama's final line holds the whole context (33 kB for 4,086 tokens); a line beyond this is no answer but a fault.
MAX_FRAME_BYTES = 16 * 1024 * 1024

Pieces = Iterable[tuple[int, bytes]]
# Arrival ns of its last byte, the frame, was it ended?, and the event's name ("" where it has none).
Frame = tuple[int, bytes, bool, str]
Form = Literal["events", "lines", "whole"]

_FIELDS = (b"data:", b"event:", b"error:", b"id:", b"retry:", b":")
_MARK = b"\xef\xbb\xbf"  # a byte order mark, which may stand before all others
# Before the first frame: a byte order mark, white space, the record separator of application/json-seq.
_BEFORE = b"\xef\xbb\xbf \t\r\n\x1e"
_LINE_END = re.compile(rb"\r?\n|\r(?=[^\n])")


class FrameTooLong(ValueError):
    """A line of more than MAX_FRAME_BYTES; `ns` is when it grew too long."""

    def __init__(self, ns: int) -> None:
        super().__init__(f"a line of more than {MAX_FRAME_BYTES} bytes")
        self.ns = ns


def form(pieces: Sequence[tuple[int, bytes]], label: str) -> Form:
    """What a body is: by how it begins, since labels are wrong or absent; by its label only where that tells nothing.

    Lines that are JSON each are a stream; one JSON object alone is one only where it is labelled NDJSON.
    """
    first, _, more = _first_line(pieces)
    if first.startswith(_FIELDS):
        return "events"
    labelled: Form = "events" if "event-stream" in label else "lines" if "ndjson" in label else "whole"
    if not first.startswith((b"{", b"[")):
        return labelled
    if labelled == "events":  # perhaps an error object without any field name, before or instead of events
        return "whole" if _whole(b"".join(data for _, data in pieces)) else "events"
    if not first.endswith((b"}", b"]")):
        return "whole" if more else labelled  # one object over several lines, or a line that was cut off
    return "lines" if more else labelled


def frames(pieces: Sequence[tuple[int, bytes]], label: str) -> Iterator[Frame]:
    """The frames of a body of whatever form. Raises FrameTooLong."""
    found = form(pieces, label)
    if found == "events":
        yield from events(pieces)
    elif found == "lines":
        for ns, line, terminated in lines(pieces, cr=_first_line(pieces)[1] == b"\r"):
            yield ns, line, terminated, ""
    elif whole := b"".join(data for _, data in pieces).strip():
        yield pieces[-1][0], whole, True, ""


def lines(pieces: Pieces, *, cr: bool = False) -> Iterator[tuple[int, bytes, bool]]:
    """`(arrival ns of the last byte, line, terminated)`, cut at `\\n`, with `cr` also at `\\r` and `\\r\\n`.

    Not `splitlines`: it cuts at U+0085 and U+2028, which stand unescaped inside JSON strings. What follows the last
    `\\n` comes as a line that is not terminated. Raises FrameTooLong.
    """
    held: list[bytes] = []
    held_bytes = 0
    ns = 0
    after_cr = False
    for ns, data in pieces:
        if cr and (after_cr or b"\r" in data):
            data, after_cr = _with_newlines(data, after_cr)
        first, *rest = data.split(b"\n")
        if held_bytes + len(first) > MAX_FRAME_BYTES:
            raise FrameTooLong(ns)
        if not rest:
            held.append(first)
            held_bytes += len(first)
            continue
        if held:
            held.append(first)
            first = b"".join(held)
        yield ns, first, True
        last = rest.pop()
        for line in rest:
            yield ns, line, True
        held = [last] if last else []
        held_bytes = len(last)
    if tail := b"".join(held):
        yield ns, tail, False


def events(pieces: Pieces) -> Iterator[Frame]:
    """The data of each server-sent event; comments and other fields are passed over.

    Lines end with `\\n`, `\\r` or `\\r\\n`, several `data:` lines are joined by `\\n`, as the HTML standard has it. But
    a `data:` line that is whole JSON is an event of its own where another one follows at once: some servers part them
    by one newline. An event that the end of the body cut off is given too (not terminated), so that a reader can say
    what it was. Others write a line `error: {…}`, given like data of an event of that name, or a JSON object
    without any field name, on one line or on several.
    """
    data: list[bytes] = []
    bare: list[bytes] = []  # JSON without a field name, so far
    name = ""
    data_ns = 0
    for ns, line, terminated in lines(pieces, cr=True):
        if not line:
            if data or bare:
                yield ns, b"\n".join(data or bare), True, name
                data, bare = [], []
            name = ""
            continue
        if line.startswith(b"data: ") and not data and not bare:  # as nearly all are
            data, data_ns = [line[6:]], ns
            continue
        line = line.removeprefix(_MARK)
        if line.startswith(_FIELDS):
            if bare or (data and not line.startswith(b":") and _whole(b"\n".join(data))):
                yield data_ns, b"\n".join(bare or data), True, name
                data, bare, name = [], [], ""
            field, _, value = line.partition(b":")
            if field == b"event":
                name = value.strip().decode("utf-8", "replace").lower()
            elif field in (b"data", b"error"):
                data.append(value[1:] if value.startswith(b" ") else value)
                data_ns, name = ns, name or ("error" if field == b"error" else "")
        elif bare or line.lstrip().startswith((b"{", b"[")):
            bare.append(line)
            data_ns = ns
            if (len(bare) == 1 or line.startswith((b"}", b"]"))) and _whole(b"\n".join(bare)):
                yield ns, b"\n".join(bare), terminated, name
                bare = []
    if data or bare:
        yield data_ns, b"\n".join(data or bare), False, name


def _first_line(pieces: Pieces) -> tuple[bytes, bytes, bool]:
    """The first line with anything on it, stripped; its end (b"" where it has none); does anything follow?"""
    held = b""
    rest = iter(pieces)
    for _, data in rest:
        held = (held + data).lstrip(_BEFORE)
        if end := _LINE_END.search(held):
            more = bool(held[end.end() :].strip()) or any(data.strip() for _, data in rest)
            return held[: end.start()].strip(), end[0], more
    return held.strip(), b"", False


def _with_newlines(data: bytes, after_cr: bool) -> tuple[bytes, bool]:
    """Each `\\r` and `\\r\\n` as `\\n`; a pair may be cut in two pieces."""
    if after_cr and data.startswith(b"\n"):
        data = data[1:]
    ends = data.endswith(b"\r")
    return data.replace(b"\r\n", b"\n").replace(b"\r", b"\n"), ends


def _whole(text: bytes) -> bool:
    """Is it JSON, or the sentinel, as far as it goes?"""
    if text.strip() == b"[DONE]":
        return True
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
