"""Frames out of pieces: NDJSON lines, SSE events or one JSON object, by what the body is and wherever reads cut it."""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, overload

import orjson

# Ollama's final line holds the whole context (33 kB for 4,086 tokens); a line beyond this is no answer but a fault.
MAX_FRAME_BYTES = 16 * 1024 * 1024
MAX_LINES = 1_000_000
LINES_A_PAUSE = 1000
MOST_WORDS_BYTES = 4096  # of a first line of plain words
MOST_TRIES = 100  # to find out whether lines so far are whole JSON: each reads them all

Piece = tuple[int, bytes]  # arrival ns, and what came


class PieceColumns(Sequence[Piece]):
    """Pieces of a body in two columns: a pair each would have to be made first, and again for each part of them."""

    __slots__ = ("bodies", "stamps")

    def __init__(self, stamps: Sequence[int], bodies: Sequence[bytes]) -> None:
        self.stamps, self.bodies = stamps, bodies

    @classmethod
    def of(cls, pieces: Sequence[Piece]) -> "PieceColumns":
        """Pieces of whatever kind."""
        return pieces if isinstance(pieces, cls) else cls([ns for ns, _ in pieces], [data for _, data in pieces])

    def __len__(self) -> int:
        return len(self.stamps)

    def __iter__(self) -> Iterator[Piece]:
        return zip(self.stamps, self.bodies, strict=True)

    @overload
    def __getitem__(self, at: int) -> Piece: ...
    @overload
    def __getitem__(self, at: slice) -> "PieceColumns": ...
    def __getitem__(self, at: int | slice) -> "Piece | PieceColumns":
        if isinstance(at, slice):
            return PieceColumns(self.stamps[at], self.bodies[at])
        return self.stamps[at], self.bodies[at]


Pieces = Iterable[tuple[int, Any]]  # what is no bytes stands for whole frames that were read already, and is handed on
# Arrival ns of its last byte, the frame, was it ended?, and the event's name ("" where it has none).
Frame = tuple[int, Any, bool, str]
Form = Literal["events", "lines", "whole"]

_FIELDS = (b"data:", b"event:", b"error:", b"id:", b"retry:", b":")
# A field's name as small programs write it: after spaces, before one, in capitals.
_ODD_FIELD = re.compile(rb"\s*(data|event|error|id|retry)\s*:", re.IGNORECASE)
# Names of events, or words in the place of JSON, by which a connection is only kept alive.
_KEEP_ALIVE = frozenset({b"ping", b"pong", b"heartbeat", b"keepalive", b"keep-alive", b"keep_alive"})
_MARK = b"\xef\xbb\xbf"  # a byte order mark, which may stand before all others
# Before the first frame: a byte order mark, white space, the record separator of application/json-seq.
_BEFORE = b"\xef\xbb\xbf \t\r\n\x1e"


class TooMuch(ValueError):
    """A line of more than MAX_FRAME_BYTES, or more than MAX_LINES; `ns` is when it grew too much."""

    def __init__(self, ns: int, what: str) -> None:
        super().__init__(what)
        self.ns = ns


def keeps_alive(said: bytes) -> bool:
    """Does an event's name, or what stands in the place of its JSON, say nothing but that the connection lives?"""
    return not said or said.startswith(b":") or said.strip(b"[]").lower() in _KEEP_ALIVE


def form(pieces: Sequence[tuple[int, bytes]], label: str) -> Form:
    """What a body is: by how it begins, since labels are wrong or absent; by its label only where that tells nothing.

    Lines that are JSON each are a stream; one JSON object alone is one only where it is labelled NDJSON.
    """
    begun = pieces[0][1] if pieces else b""
    if begun.startswith(b"data:"):
        return "events"
    if "ndjson" in label and begun.startswith(b"{") and begun.find(b"\n") == len(begun) - 1 and begun[-2:-1] == b"}":
        return "lines"  # as nearly all begin
    first, last, _, more = _first_line(pieces)
    if first.startswith(_FIELDS) or _ODD_FIELD.match(first):
        return "events"
    labelled: Form = "events" if "event-stream" in label else "lines" if "ndjson" in label else "whole"
    if not first.startswith((b"{", b"[")):
        # Words or a page, in place of what the label says; but an event may begin with a field that nobody knows.
        events_follow = labelled == "events" and b"data:" in b"".join(data for _, data in pieces)
        words = first.startswith(b"<") or 0 < len(first) < MOST_WORDS_BYTES
        return "whole" if words and not events_follow else labelled
    if labelled == "events":  # perhaps an error object without any field name, before or instead of events
        return "whole" if _whole(b"".join(data for _, data in pieces)) else "events"
    if not last.endswith((b"}", b"]")):
        return "whole" if more else labelled  # one object over several lines, or a line that was cut off
    return "lines" if more else labelled


def frames(
    pieces: Sequence[Piece], found: Form, gather: Callable[[Sequence[Piece], Form], Pieces] | None = None
) -> Iterator[Frame]:
    """The frames of a body of that form; of a stream, `gather` may read some beforehand. Raises TooMuch."""
    cr = found == "lines" and _first_line(pieces)[2] == b"\r"
    gathered = gather(pieces, found) if gather and found != "whole" and not cr else pieces
    if found == "events":
        return events(gathered)
    if found == "lines":
        return lines(gathered, cr=cr)
    whole = b"".join(data for _, data in pieces).strip()
    return iter([(pieces[-1][0], whole, True, "")] if whole else [])


def lines(pieces: Pieces, *, cr: bool = False) -> Iterator[Frame]:
    """`(arrival ns of the last byte, line, terminated, "")`, cut at `\\n`, with `cr` also at `\\r` and `\\r\\n`.

    Not `splitlines`: it cuts at U+0085 and U+2028, which stand unescaped inside JSON strings. What follows the last
    `\\n` comes as a line that is not terminated. Raises TooMuch.
    """
    held: list[bytes] = []
    held_bytes, lines_left = 0, MAX_LINES
    ns = 0
    after_cr = False
    for ns, data in pieces:
        if type(data) is not bytes:
            yield ns, data, True, ""
            continue
        if cr and (after_cr or b"\r" in data):
            data, after_cr = _with_newlines(data, after_cr)
        if not held and 0 < len(data) < MAX_FRAME_BYTES and data.find(b"\n") == len(data) - 1 and lines_left:
            lines_left -= 1
            yield ns, data[:-1], True, ""  # one whole line, as nearly all pieces are
            continue
        first, *rest = data.split(b"\n")
        lines_left -= len(rest)
        if lines_left < 0:
            raise TooMuch(ns, f"more than {MAX_LINES:,} lines")
        if held_bytes + len(first) > MAX_FRAME_BYTES:
            raise TooMuch(ns, f"a line of more than {MAX_FRAME_BYTES:,} bytes")
        if not rest:
            held.append(first)
            held_bytes += len(first)
            continue
        if held:
            held.append(first)
            first = b"".join(held)
        yield ns, first, True, ""
        last = rest.pop()
        for line in rest:
            yield ns, line, True, ""
        held = [last] if last else []
        held_bytes = len(last)
    if tail := b"".join(held):
        yield ns, tail, False, ""


def events(pieces: Pieces) -> Iterator[Frame]:
    """The data of each server-sent event; comments and other fields are passed over.

    Lines end with `\\n`, `\\r` or `\\r\\n`, several `data:` lines are joined by `\\n`, as the HTML standard has it. But
    a `data:` line that is whole JSON is an event of its own where another one follows at once: some servers part them
    by one newline. An event that the end of the body cut off is given too (not terminated), so that a reader can say
    what it was. Others write a line `error: {…}`, given like data of an event of that name, or a JSON object
    without any field name, on one line or on several, or end with a page or with words. An empty event now and then
    gives a break to a reader for whom nothing has come for long.
    """
    data: list[bytes] = []
    bare: list[bytes] = []  # JSON without a field name, so far
    name, words = "", b""  # what the last line says, if that is nothing of a stream
    data_ns = tries = 0
    for number, (ns, line, terminated, _) in enumerate(lines(pieces, cr=True)):
        if number % LINES_A_PAUSE == LINES_A_PAUSE - 1:
            yield ns, b"", True, ""
        if type(line) is not bytes:
            words = b""
            yield ns, line, True, ""
            continue
        if not line:
            if data or bare:
                yield ns, b"\n".join(data or bare), True, name
                data, bare = [], []
            name, tries = "", 0
            continue
        if line.startswith(b"data: ") and not data and not bare:  # as nearly all are
            data, data_ns, words = [line[6:]], ns, b""
            continue
        line = line.removeprefix(_MARK)
        if not line.startswith(_FIELDS) and (odd := _ODD_FIELD.match(line)):
            line = b"%s:%s" % (odd[1].lower(), line[odd.end() :])
        words = b""
        if line.startswith(_FIELDS):
            tries += 1
            if bare or (data and tries < MOST_TRIES and not line.startswith(b":") and _whole(b"\n".join(data))):
                yield data_ns, b"\n".join(bare or data), True, name
                data, bare, name, tries = [], [], "", 0
            field, _, value = line.partition(b":")
            if field == b"event":
                name = value.strip().decode("utf-8", "replace").lower()
            elif field in (b"data", b"error"):
                data.append(value[1:] if value.startswith(b" ") else value)
                data_ns, name = ns, name or ("error" if field == b"error" else "")
        elif data and not line.startswith(b"<") and (tries := tries + 1) and _goes_on(data, line, tries):
            data.append(line)
            data_ns = ns
        elif bare or line.lstrip().startswith((b"{", b"[")):
            bare.append(line)
            data_ns = ns
            tries += len(bare) == 1 or line.startswith((b"}", b"]"))
            if (len(bare) == 1 or line.startswith((b"}", b"]"))) and tries < MOST_TRIES and _whole(b"\n".join(bare)):
                yield ns, b"\n".join(bare), terminated, name
                bare, tries = [], 0
        elif line.startswith(b"<") or b" " in line.partition(b":")[0].strip():  # no field has such a name
            words, data_ns = line, ns
    if words and not data:
        yield data_ns, words, True, ""
    if data or bare:
        yield data_ns, b"\n".join(data or bare), False, name


def _goes_on(data: Sequence[bytes], line: bytes, tries: int) -> bool:
    """Is it a further line of JSON that was begun as data, as of JSON for reading? Not where it is whole itself."""
    if tries < MOST_TRIES and (_whole(b"\n".join(data)) or (line.startswith(b"{") and _whole(line))):
        return False
    return data[0].lstrip().startswith((b"{", b"["))


def _first_line(pieces: Pieces) -> tuple[bytes, bytes, bytes, bool]:
    """How the first line with anything on it begins and ends (some bytes of it); its line end; does anything follow?"""
    held: list[bytes] = []
    rest = iter(pieces)
    for _, piece in rest:
        if held and b"\n" not in piece and b"\r" not in piece and not held[-1].endswith(b"\r"):
            held.append(piece)
            continue
        data = held.pop() + piece if held and held[-1].endswith(b"\r") else piece  # is this pair a line end?
        data = data if held else data.lstrip(_BEFORE)
        at, end = _line_end(data)
        if end:
            more = bool(data[at + len(end) :].strip()) or any(data.strip() for _, data in rest)
            return *_ends([*held, data[:at]]), end, more
        if data:
            held.append(data)
    return *_ends(held), b"", False


def _ends(held: Sequence[bytes]) -> tuple[bytes, bytes]:
    begun = b""
    for piece in held:
        begun += piece[: MOST_WORDS_BYTES - len(begun)]
        if len(begun) == MOST_WORDS_BYTES:
            break
    last = next((data for piece in reversed(held) if (data := piece.rstrip())), b"")
    return begun.rstrip(), last[-1:]


def _line_end(data: bytes) -> tuple[int, bytes]:
    """Where the first line ends and by what; b"" if that does not tell yet."""
    newline = data.find(b"\n")
    cr = data.find(b"\r", 0, len(data) - 1 if newline < 0 else newline)
    if cr >= 0 and cr + 1 != newline:
        return cr, b"\r"
    if newline < 0:
        return 0, b""
    return (newline, b"\n") if cr < 0 else (cr, b"\r\n")


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
