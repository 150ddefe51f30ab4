"""Seventy ways for a server to misbehave, each as the steps of one answer: bytes to send, seconds to wait, a reset."""

import itertools
import json
import re
import zlib
from collections.abc import Callable, Iterable, Iterator

RESET, HOLD = "reset", "hold"
Step = bytes | float | str
Steps = Iterable[Step]

MB = 1 << 20
OK = b"HTTP/1.1 200 OK\r\n"
NDJSON = b"Content-Type: application/x-ndjson\r\n"
CHUNKED = OK + NDJSON + b"Transfer-Encoding: chunked\r\n\r\n"
EVENTS = OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
END = b"0\r\n\r\n"
TOKEN = b'{"message":{"role":"assistant","content":"a "},"done":false}\n'
DONE = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
NUMBERS = {"prompt_eval_count": 5, "prompt_eval_duration": 10**6, "eval_count": 5, "eval_duration": 8 * 10**7}


SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: upgrade\r\n\r\n"


def slug(name: str) -> str:
    """A behaviour's name, as a path has it."""
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%s\r\n" % (len(data), data)


def whole(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    head = f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n{more}\r\n"
    return head.encode() + body


def lines(*said: object) -> bytes:
    return b"".join(one if isinstance(one, bytes) else json.dumps(one).encode() + b"\n" for one in said)


def stream(*said: object) -> Iterator[bytes]:
    yield CHUNKED + chunk(lines(*said)) + END


def token(text: str) -> dict[str, object]:
    return {"message": {"role": "assistant", "content": text}, "done": False}


def done(**changes: object) -> dict[str, object]:
    return DONE | NUMBERS | changes


def endless(first: bytes, part: bytes, every_s: float = 0.0) -> Iterator[Step]:
    yield first
    block = part if every_s else part * max(1, 65536 // len(part))
    while True:
        yield block
        if every_s:
            yield every_s


def then(first: bytes, *steps: Step) -> Iterator[Step]:
    yield first
    yield from steps


def counted(size: int) -> Iterator[Step]:
    """A body that says its length, far beyond what anyone could keep."""
    yield from endless(OK + NDJSON + b"Content-Length: %d\r\n\r\n" % size, b" " * 1000)


def nested(depth: int, opening: bytes = b"[", closing: bytes = b"]") -> bytes:
    return opening * depth + closing * depth


def bomb(megabytes: int) -> bytes:
    """So many megabytes of blanks, by gzip: a thousandth of it. (Its checksum is wrong, if anyone gets so far.)"""
    squeezed = zlib.compressobj(9, zlib.DEFLATED, 31)
    first = squeezed.compress(b" " * MB) + squeezed.flush(zlib.Z_FULL_FLUSH)
    again = squeezed.compress(b" " * MB) + squeezed.flush(zlib.Z_FULL_FLUSH)
    return first + again * (megabytes - 1) + squeezed.flush()


def one_by_one(data: bytes, every_s: float = 1.0) -> Iterator[Step]:
    for at in itertools.count():
        yield data[at : at + 1] or b"x"
        yield every_s


GZIP = OK + NDJSON + b"Content-Encoding: gzip\r\n"

ANSWERS: dict[str, Callable[[], Steps]] = {
    # without end
    "endless body": lambda: endless(OK + NDJSON + b"\r\n", b"x" * 1000),
    "endless body of no type": lambda: endless(OK + b"\r\n", b"x" * 1000),
    "endless line in chunks": lambda: endless(CHUNKED, chunk(b"x" * 1000)),
    "endless tokens": lambda: endless(CHUNKED, chunk(TOKEN)),
    "endless tokens of one byte": lambda: endless(CHUNKED, b"".join(chunk(bytes([b])) for b in TOKEN)),
    "endless tokens, slowly": lambda: endless(CHUNKED, chunk(TOKEN), 0.01),
    "endless blank lines": lambda: endless(CHUNKED, chunk(b"\n" * 1000)),
    "endless comments": lambda: endless(EVENTS, chunk(b": still here\n\n" * 100)),
    "endless data lines": lambda: endless(EVENTS, chunk(b"data: {\n" * 100)),
    "endless event names": lambda: endless(EVENTS, chunk(b"event: x\n" * 100)),
    "endless head": lambda: endless(OK, b"X-More: " + b"x" * 100 + b"\r\n"),
    "endless header": lambda: endless(OK + b"X-More: ", b"x" * 1000),
    "endless status line": lambda: endless(b"HTTP/1.1 200 ", b"x" * 1000),
    "endless 100 Continue": lambda: endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "endless 103 Early Hints": lambda: endless(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n", 0.05),
    "endless trailer": lambda: endless(CHUNKED + chunk(TOKEN) + b"0\r\n", b"X-More: x\r\n"),
    "endless chunk extension": lambda: endless(CHUNKED + b"5;", b"x" * 1000),
    "endless after the end": lambda: endless(whole(lines(done())), b"x" * 1000),
    "endless spaces in a number": lambda: endless(CHUNKED, chunk(b"9" * 1000)),
    # slow
    "nothing": lambda: iter([HOLD]),
    "nothing after the head": lambda: then(CHUNKED, HOLD),
    "half a line, then nothing": lambda: then(CHUNKED + chunk(TOKEN[:20]), HOLD),
    "a byte of head a second": lambda: one_by_one(OK + b"X-More: "),
    "a byte of body a second": lambda: then(OK + NDJSON + b"\r\n", *itertools.islice(one_by_one(b"{"), 600)),
    "a blank chunk a second": lambda: endless(CHUNKED, chunk(b"\n"), 1.0),
    # huge
    "10^15 bytes announced, then nothing": lambda: then(OK + b"Content-Length: 1%s\r\n\r\n{" % (b"0" * 15), HOLD),
    "10^15 bytes announced, and sent": lambda: counted(10**15),
    "a length of 400 digits": lambda: then(OK + b"Content-Length: " + b"9" * 400 + b"\r\n\r\n{}"),
    "a line of 20 MB": lambda: stream(token("x" * 20 * MB), done()),
    "a line of 8 MB": lambda: stream(token("x" * 8 * MB), done()),
    "an object of 30 MB": lambda: then(whole(lines({**done(), "message": {"content": "x" * 30 * MB}}))),
    "200,000 empty objects": lambda: stream(b'{"message":{"content":[' + b"{}," * 200_000 + b"{}]}}\n"),
    "a million numbers": lambda: stream(b'{"context":[' + b"1," * 1_000_000 + b"1]}\n", done()),
    "an error page of 3 MB": lambda: then(whole(b"<html>" * 500_000, "500 Internal Server Error")),
    "a reason of 1 MB": lambda: stream(token("a"), done(done_reason="r" * MB)),
    "a gzip bomb": lambda: then(GZIP + b"Content-Length: %d\r\n\r\n" % len(bomb(200)) + bomb(200)),
    # nested, or odd in what it says
    "JSON 100,000 deep": lambda: stream(nested(100_000) + b"\n"),
    "objects 100,000 deep": lambda: stream(b'{"a":' * 100_000 + b"1" + b"}" * 100_000 + b"\n"),
    "an error 100,000 deep": lambda: then(whole(b'{"error":' * 100_000, "500 Internal Server Error")),
    "brackets by the megabyte": lambda: stream(token("<" * MB), done()),
    "tags by the megabyte": lambda: stream(token("<think></think>" * 70_000), done()),
    "white space by the megabyte": lambda: stream(token(" \n\t" * (MB // 3)), done()),
    "20,000 tool calls": lambda: stream({"message": {"tool_calls": [{"function": {"name": "f"}}] * 20_000}}, done()),
    "arguments in 20,000 pieces": lambda: stream(
        *[{"message": {"tool_calls": [{"index": 0, "function": {"arguments": "}"}}]}}] * 20_000, done()
    ),
    "numbers beyond reason": lambda: stream(token("a"), done(eval_count=2**62, prompt_eval_count=10**400)),
    "numbers that are none": lambda: stream(token("a"), done(eval_count="many", eval_duration=[], load_duration=-1)),
    "terminal codes": lambda: stream({"error": "\x1b]0;owned\x07\x1b[2J\r\n\x00\x85\u2028\u202egnp.exe"}),
    "half characters": lambda: stream(b'{"message":{"content":"\\ud83d \xff\xfe"}}\n', done()),
    "garbage": lambda: stream(bytes(range(256)) * 100),
    "null": lambda: stream(b"null\n"),
    # no HTTP, or not as it should be
    "no HTTP": lambda: then(b"SSH-2.0-OpenSSH_9.6\r\n", HOLD),
    "HTTP/0.9": lambda: then(b"<html>hello</html>"),
    "HTTP/2": lambda: then(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00", HOLD),
    "a switch of protocols": lambda: then(SWITCH, HOLD),
    "chunks of no size": lambda: then(CHUNKED + b"zzz\r\nhello\r\n", HOLD),
    "a chunk of 2^60 bytes": lambda: endless(CHUNKED + b"fffffffffffffff\r\n", b"x" * 1000),
    "two lengths": lambda: then(OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
    "a negative length": lambda: then(OK + b"Content-Length: -5\r\n\r\n{}"),
    "gzip that is none": lambda: then(GZIP + b"\r\nthis is no gzip"),
    "NUL in a header": lambda: then(OK + b"X-\x00: \x00\r\n\r\n{}"),
    "a redirect to itself": lambda: then(whole(b"", "301 Moved", "Location: /\r\n")),
    "204 No Content": lambda: then(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "two answers": lambda: then(whole(lines(done())) * 2),
    # cut off
    "closed without a word": lambda: iter([]),
    "closed in the head": lambda: then(OK[:9]),
    "closed after the head": lambda: then(CHUNKED),
    "closed in a line": lambda: then(CHUNKED + chunk(TOKEN[:20])),
    "reset without a word": lambda: iter([RESET]),
    "reset in the head": lambda: then(OK, 0.05, RESET),
    "reset in a line": lambda: then(CHUNKED + chunk(TOKEN[:20]), 0.05, RESET),
    "reset after 5 tokens": lambda: then(CHUNKED + chunk(TOKEN * 5), 0.05, RESET),
}  # fmt: skip
