"""HTTP/1.1 as far as a load test needs it: request heads out, responses through llhttp (`httptools`)."""

from collections.abc import Iterable
from email.utils import parsedate_to_datetime
from typing import Any

import httptools

from tokenswarm import __version__
from tokenswarm.transport.compressed import ENCODINGS, GZIP, Unpacking, encodings, plain
from tokenswarm.transport.room import FREE_BYTES
from tokenswarm.transport.target import Target
from tokenswarm.wire.framing import MAX_FRAME_BYTES, MAX_LINES
from tokenswarm.wire.values import Call

AGENT = f"tokenswarm/{__version__}"
MOST_WAIT_S = 1e9
HEAD_BYTES = 64 * 1024
ANSWER_BYTES = 64 * 1024 * 1024
MOST_PACKED = 100  # no text that a model wrote is packed as tightly
JOINED_BYTES, LONG_BYTES = 4096, 1024 * 1024
TOO_MUCH_HEAD = f"a head of more than {HEAD_BYTES:,} bytes"
LEAST_READ_BYTES, READ_OVERHEAD_BYTES = 32, 100  # the average of a read, and what it costs more to keep

# What RFC 9112 lets a recipient forgive: no load test is about it.
_LENIENT = {
    "lenient_headers": True,
    "lenient_chunked_length": True,
    "lenient_transfer_encoding": True,
    "lenient_optional_cr_before_lf": True,
    "lenient_spaces_after_chunk_size": True,
}


class _PassedOver:
    """In a parser's place: of what still comes nothing is looked at."""

    def feed_data(self, data: bytes) -> None:
        """Nothing."""


_PASSED_OVER: Any = _PassedOver()


def request_bytes(call: Call, target: Target, headers: tuple[tuple[str, str], ...]) -> bytes:
    """The whole request. Later headers replace earlier ones of the same name, so that the user has the last word."""
    merged = {
        "host": ("Host", target.authority),
        "user-agent": ("User-Agent", AGENT),
        "accept-encoding": ("Accept-Encoding", "identity"),  # what comes compressed cannot be timed chunk by chunk
        "content-length": ("Content-Length", str(len(call.body))),
    }
    merged.update({name.lower(): (name, value) for name, value in (*call.headers, *headers)})
    first = f"{call.method} {target.path(call.path)} HTTP/1.1"
    lines = [first, *(f"{name}: {value}" for name, value in merged.values())]
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + call.body


def retry_after_s(headers: Iterable[tuple[bytes, bytes]], now_s: float) -> float | None:
    """How long a server asks to be left alone: seconds, ms under a name of its own, or a date; None if it does not."""
    said = {name.lower(): value.decode("latin-1").strip() for name, value in headers if b"etry" in name}
    try:
        if ms := said.get(b"retry-after-ms"):
            wait_s = float(ms) / 1e3
        elif not (after := said.get(b"retry-after", "")):
            return None
        elif after[:1].isdigit():
            wait_s = float(after)
        else:
            wait_s = max(0.0, parsedate_to_datetime(after).timestamp() - now_s)
    except (ValueError, OverflowError, OSError):
        return None
    return round(wait_s, 3) if 0 <= wait_s <= MOST_WAIT_S else None


class Response:
    """Collects one response from the bytes that arrive; llhttp does the parsing and calls back.

    `bodies` are pieces of the body, one or more a read, `stamps` when each of them came; two lists and not one of
    pairs, since a pair a token is one more object for the garbage collector to walk through. `now_ns` is when the last
    read came, `complete` when the message has ended as its framing promised. Nothing grows without end: neither the
    head (64 kB, also of several that are only informational), nor a line of a stream (16 MB), nor its lines (a
    million), nor the body (`most_bytes`, and as much for its framing). Of an answer of ordinary length nothing is
    counted but the bytes that came: `closely` is whether each piece is.
    """

    def __init__(self, most_bytes: int = ANSWER_BYTES) -> None:
        self.stamps: list[int] = []
        self.bodies: list[bytes] = []
        self.headers: list[tuple[bytes, bytes]] = []
        self.closely = True  # until the first piece of the body has come
        self.status: int | None = None
        self.content_type = ""
        self.complete = False
        self.keep_alive = False
        self.habits: set[str] = set()
        self._framed = False
        self._encoding = ""
        self._unpacking: Unpacking | None = None
        self._most_bytes = most_bytes
        self._free_bytes = min(most_bytes, LONG_BYTES)
        self._spare_bytes = self._granted_bytes = min(HEAD_BYTES, self._free_bytes)  # until bounds are looked at
        self._body_bytes = 0
        self._head_bytes = 0
        self._lines = 0
        self._line_bytes: int | None = None  # since the last line end
        self.now_ns, self._pieces = 0, False
        self._parser: Any = httptools.HttpResponseParser(self)
        self._parser.set_dangerous_leniencies(**_LENIENT)

    def feed(self, ns: int, data: bytes) -> None:
        """Take in what one read gave. Raises ValueError on what is not HTTP, or too much."""
        self.now_ns, self._pieces = ns, False
        spare_bytes = self._spare_bytes = self._spare_bytes - len(data)
        if spare_bytes < 0 and self.body_bytes + len(data) > self._free_bytes:
            self._look_closely()
        try:
            self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            raise ValueError("the server switched protocols") from error
        except httptools.HttpParserError as error:
            ours = error.__context__  # what one of the callbacks raised
            raise ValueError(str(ours) if isinstance(ours, ValueError) else f"not HTTP: {error}") from error
        if spare_bytes < 0:
            self._check_bounds()

    def release(self) -> None:
        """Let go of the parser, which refers back to this: without cyclic collection neither would ever be freed."""
        self._parser = _PASSED_OVER

    @property
    def came_bytes(self) -> int:
        """All that was fed, in bytes."""
        return self._granted_bytes - self._spare_bytes

    @property
    def body_bytes(self) -> int:
        """Of them the body; unpacked, if it was packed."""
        return self._body_bytes if self.closely else sum(map(len, self.bodies))

    @property
    def held_bytes(self) -> int:
        """What the body takes in memory."""
        return self.body_bytes + READ_OVERHEAD_BYTES * len(self.bodies)

    def end_of_stream(self) -> bool:
        """The server closed the connection: was that the end of the message? (A body without any framing ends so.)"""
        if self.status is not None and not self._framed:
            self.complete = True
        return self.complete

    def refusal(self, now_s: float) -> dict[str, Any]:
        """What the headers of a refusal say: `location`, `retry_after_s`."""
        location = next((value for name, value in self.headers if name.lower() == b"location"), b"")
        return {"location": location.decode("utf-8", "replace"), "retry_after_s": retry_after_s(self.headers, now_s)}

    # llhttp's callbacks

    def on_message_begin(self) -> None:
        # After an informational response (100, 103), which says nothing of its own, comes the final one. What comes
        # after that nobody has asked for.
        if self.complete:
            raise ValueError("more than one response")
        self._framed, self.content_type, self._encoding = False, "", ""
        self.headers.clear()

    def on_header(self, name: bytes, value: bytes) -> None:
        self._head_bytes += len(name) + len(value) + 4
        if self._head_bytes > HEAD_BYTES:
            raise ValueError(TOO_MUCH_HEAD)
        if self.status is not None:
            return  # a trailer, which must not be taken for a header (RFC 9110, 6.5.1)
        self.headers.append((name, value))
        lower = name.lower()
        if lower == b"content-type":
            self.content_type = value.decode("latin-1").lower()
        elif lower == b"content-encoding":
            self._encoding = encodings(value.decode("latin-1"))
        elif lower in (b"content-length", b"transfer-encoding"):
            self._framed = True

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code()
        self.status = status if status >= 200 else None
        self.keep_alive = self._parser.should_keep_alive()
        if {b"content-length", b"transfer-encoding"} <= {name.lower() for name, _ in self.headers}:
            self.keep_alive = False  # chunked wins, and the connection is done with (RFC 9112, 6.3)
            self.habits.add("length_and_chunked")
        if self._encoding in ENCODINGS:
            self._unpacking = Unpacking(self._encoding)

    def on_body(self, body: bytes) -> None:
        if self.closely and not (body := self._look(body)):
            return
        if self._pieces and len(self.bodies[-1]) < JOINED_BYTES:
            self.bodies[-1] += body  # chunks of a few bytes each, that came together, would cost many times their size
            return
        self._pieces = True
        self.stamps.append(self.now_ns)
        self.bodies.append(body)

    def _look(self, body: bytes) -> bytes:
        """A piece at which more is looked than at the many of a stream: what it holds."""
        if (self._unpacking or not self.stamps) and not (body := self._unpacked(body)):
            return body
        self._body_bytes += len(body)
        if self._body_bytes > self._free_bytes:
            self._bound(body)
        self.closely = self._unpacking is not None or self._spare_bytes < 0 or self._body_bytes > self._free_bytes
        return body

    def _look_closely(self) -> None:
        """From now on at each piece."""
        self._body_bytes, self.closely = self.body_bytes, True

    def _check_bounds(self) -> None:
        """So many bytes came that it is time to look whether that is too much, and when to look again."""
        most_bytes = HEAD_BYTES if self.status is None else 2 * self._most_bytes + HEAD_BYTES  # of framing alone
        if self.came_bytes > most_bytes:
            raise ValueError(TOO_MUCH_HEAD if self.status is None else self._too_much())
        if len(self.bodies) > self._most_bytes // LEAST_READ_BYTES:
            raise ValueError(f"an answer in more than {self._most_bytes // LEAST_READ_BYTES:,} pieces")
        spare_bytes = min(HEAD_BYTES, most_bytes - self.came_bytes)
        if (body_bytes := self.body_bytes) <= self._free_bytes:
            spare_bytes = min(spare_bytes, self._free_bytes - body_bytes)
        self._granted_bytes += spare_bytes - self._spare_bytes
        self._spare_bytes = spare_bytes

    def _unpacked(self, body: bytes) -> bytes:
        """What a piece holds that may be compressed, as the first one tells where the head does not."""
        if self._unpacking is None and body[:1] == GZIP[:1]:
            self._unpacking = Unpacking("gzip")  # without a word
        elif self._unpacking is None:
            if self._encoding and self.status == 200 and not plain(body):
                raise ValueError(f"the body is compressed ({self._encoding}), though identity was asked for")
            return body
        most_bytes = max(FREE_BYTES, MOST_PACKED * self.came_bytes)
        clear = self._unpacking.feed(body, min(self._most_bytes, most_bytes) - self.body_bytes)
        if self.body_bytes + len(clear) > most_bytes:
            raise ValueError(f"a body compressed more than {MOST_PACKED} to 1")
        if clear and not self._unpacking.plain:
            self.habits.add("compressed")
        return clear

    def _too_much(self) -> str:
        return f"an answer of more than {self._most_bytes:,} bytes"

    def _bound(self, body: bytes) -> None:
        """No stream has so many lines, or so long ones; looked at only in bodies that are long enough for them."""
        if self.body_bytes > self._most_bytes:
            raise ValueError(self._too_much())
        if not self._lines:
            self._lines = sum(held.count(b"\n") for held in self.bodies)
        self._lines += body.count(b"\n")
        if self._lines > MAX_LINES:
            raise ValueError(f"more than {MAX_LINES:,} lines")
        if "ndjson" in self.content_type or "event" in self.content_type:
            self._bound_line(body)

    def _bound_line(self, body: bytes) -> None:
        if self._line_bytes is None:
            self._line_bytes = 0
            for held in reversed(self.bodies):
                end = held.rfind(b"\n")
                self._line_bytes += len(held) - end - 1
                if end >= 0:
                    break
        end = body.rfind(b"\n")
        self._line_bytes = len(body) - end - 1 if end >= 0 else self._line_bytes + len(body)
        if self._line_bytes > MAX_FRAME_BYTES:
            raise ValueError(f"a line of more than {MAX_FRAME_BYTES:,} bytes")

    def on_message_complete(self) -> None:
        self.complete = self.status is not None
