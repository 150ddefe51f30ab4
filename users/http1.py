"""HTTP/1.1 as far as a load test needs it: request heads out, responses through llhttp (`httptools`)."""

import httptools

from users.target import Target
from wire.values import Call

AGENT = "tokenswarm/0.1.0"


def request_bytes(call: Call, target: Target, headers: tuple[tuple[str, str], ...]) -> bytes:
    """The whole request. Later headers replace earlier ones of the same name, so that the user has the last word."""
    merged = {
        "host": ("Host", target.authority),
        "user-agent": ("User-Agent", AGENT),
        "content-length": ("Content-Length", str(len(call.body))),
    }
    merged.update({name.lower(): (name, value) for name, value in (*call.headers, *headers)})
    first = f"{call.method} {target.path(call.path)} HTTP/1.1"
    lines = [first, *(f"{name}: {value}" for name, value in merged.values())]
    return "\r\n".join(lines).encode("utf-8") + b"\r\n\r\n" + call.body


class Response:
    """Collects one response from the bytes that arrive; llhttp does the parsing and calls back.

    `bodies` are pieces of the body, one or more a read, `stamps` when each of them came; two lists and not one of
    pairs, since a pair a token is one more object for the garbage collector to walk through. `complete` when the
    message has ended as its framing promised.
    """

    def __init__(self) -> None:
        self.stamps: list[int] = []
        self.bodies: list[bytes] = []
        self.status: int | None = None
        self.content_type = ""
        self.complete = False
        self.keep_alive = False
        self._framed = False
        self._now_ns = 0
        self._parser: httptools.HttpResponseParser | None = httptools.HttpResponseParser(self)

    def feed(self, ns: int, data: bytes) -> None:
        """Take in what one read gave. Raises ValueError on what is not HTTP."""
        self._now_ns = ns
        try:
            if self._parser is not None:
                self._parser.feed_data(data)
        except httptools.HttpParserUpgrade as error:
            raise ValueError("the server switched protocols") from error
        except httptools.HttpParserError as error:
            raise ValueError(f"not HTTP: {error}") from error

    def release(self) -> None:
        """Let go of the parser, which refers back to this: without cyclic collection neither would ever be freed."""
        self._parser = None

    def end_of_stream(self) -> bool:
        """The server closed the connection: was that the end of the message? (A body without any framing ends so.)"""
        if self.status is not None and not self._framed:
            self.complete = True
        return self.complete

    # llhttp's callbacks

    def on_message_begin(self) -> None:
        # After an informational response (100, 103), which says nothing of its own, comes the final one. What comes
        # after that nobody has asked for.
        if self.complete:
            raise ValueError("more than one response")
        self._framed, self.content_type = False, ""

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.lower()
        if lower == b"content-type":
            self.content_type = value.decode("latin-1").lower()
        elif lower in (b"content-length", b"transfer-encoding"):
            self._framed = True

    def on_headers_complete(self) -> None:
        status = self._parser.get_status_code() if self._parser else 0
        self.status = status if status >= 200 else None
        self.keep_alive = bool(self._parser and self._parser.should_keep_alive())

    def on_body(self, body: bytes) -> None:
        self.stamps.append(self._now_ns)
        self.bodies.append(body)

    def on_message_complete(self) -> None:
        self.complete = self.status is not None
