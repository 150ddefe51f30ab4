"""Responses as servers and proxies write them: compressed unasked, framed twice, with trailers, with odd heads."""

import gzip
import zlib

import pytest

from tokenswarm.settings.target import target
from tokenswarm.transport.http1 import Response, request_bytes
from tokenswarm.wire.values import Call

BODY = b'data: {"choices":[{"delta":{"content":"hi"}}]}\n\n' * 40
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"


def bare(data: bytes) -> bytes:
    deflating = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return deflating.compress(data) + deflating.flush()


def fed(raw: bytes, step: int, most_bytes: int = 1 << 20) -> Response:
    """The response after reads of so many bytes, a millisecond apart."""
    response = Response(most_bytes)
    for number, at in enumerate(range(0, len(raw), step)):
        response.feed(number * 1_000_000, raw[at : at + step])
    return response


def sized(head: bytes, body: bytes) -> bytes:
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


COMPRESSED = {
    "gzip": (b"Content-Encoding: gzip\r\n", gzip.compress(BODY)),
    "by its older name": (b"Content-Encoding: X-GZIP\r\n", gzip.compress(BODY)),
    "two members": (b"Content-Encoding: gzip\r\n", gzip.compress(BODY[:900]) + gzip.compress(BODY[900:])),
    "padding behind": (b"Content-Encoding: gzip\r\n", gzip.compress(BODY) + b"\0\0"),
    "deflate": (b"Content-Encoding: deflate\r\n", zlib.compress(BODY)),
    "deflate without a head": (b"Content-Encoding: deflate\r\n", bare(BODY)),
    "without a word": (b"", gzip.compress(BODY)),
}


@pytest.mark.parametrize("step", [1, 2, 7, 5000])
@pytest.mark.parametrize("name", COMPRESSED)
def test_what_comes_compressed_is_taken_apart(name: str, step: int) -> None:
    label, body = COMPRESSED[name]
    response = fed(sized(EVENTS + label, body), step)
    assert b"".join(response.bodies) == BODY
    assert response.complete
    assert response.habits == {"compressed"}


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"identity"])
def test_a_label_alone_compresses_nothing(encoding: bytes) -> None:
    response = fed(sized(EVENTS + b"Content-Encoding: " + encoding + b"\r\n", BODY), 100)
    assert b"".join(response.bodies) == BODY
    assert not response.habits


def test_events_that_were_flushed_while_they_were_compressed_keep_their_times() -> None:
    deflating, response = zlib.compressobj(wbits=31), Response()
    response.feed(0, EVENTS + b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n")
    for number in range(1, 4):
        part = deflating.compress(b"data: %d\n\n" % number) + deflating.flush(zlib.Z_SYNC_FLUSH)
        response.feed(number * 10, b"%x\r\n%s\r\n" % (len(part), part))
    assert list(zip(response.stamps, response.bodies, strict=True)) == [
        (10, b"data: 1\n\n"),
        (20, b"data: 2\n\n"),
        (30, b"data: 3\n\n"),
    ]


def test_what_nobody_can_take_apart_is_named() -> None:
    with pytest.raises(ValueError, match=r"compressed \(br\), though identity was asked for"):
        fed(sized(EVENTS + b"Content-Encoding: br\r\n", b"\x1b\x05"), 5000)


def test_a_bomb_goes_off_at_the_limit() -> None:
    bomb = sized(EVENTS + b"Content-Encoding: gzip\r\n", gzip.compress(bytes(50_000_000)))
    with pytest.raises(ValueError, match="an answer of more than 1,048,576 bytes"):
        fed(bomb, 5000)


def test_a_broken_body_is_a_fault() -> None:
    broken = bytearray(gzip.compress(bytes(range(256)) * 9))
    broken[40:60] = bytes(20)
    with pytest.raises(ValueError, match="the body said to be gzip is broken"):
        fed(sized(EVENTS + b"Content-Encoding: gzip\r\n", bytes(broken)), 10)


@pytest.mark.parametrize(
    "order", [(b"Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n")[::step] for step in (1, -1)]
)
def test_chunked_wins_over_a_length_and_the_connection_is_not_used_again(order: tuple[bytes, ...]) -> None:
    response = fed(EVENTS + b"".join(order) + b"\r\n3\r\nabc\r\n8\r\ndefghijk\r\n0\r\n\r\n", 5)
    assert b"".join(response.bodies) == b"abcdefghijk"
    assert (response.complete, response.keep_alive, response.habits) == (True, False, {"length_and_chunked"})


def test_a_trailer_replaces_no_header() -> None:
    trailers = b"Content-Type: text/plain\r\nContent-Encoding: gzip\r\nContent-Length: 1\r\nGrpc-Status: 0\r\n\r\n"
    response = fed(EVENTS + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n" + trailers, 5)
    assert (response.complete, response.content_type) == (True, "text/event-stream")
    assert response.headers == [(b"Content-Type", b"text/event-stream"), (b"Transfer-Encoding", b"chunked")]
    assert not response.habits


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\nContent-Length: 3\n\n",
        b"HTTP/1.1 200 OK\r\nX-Odd: a\x01b\r\nContent-Length: 3\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length : 3\r\n\r\n",
    ],
)
def test_heads_that_are_a_little_odd_are_read(head: bytes) -> None:
    response = fed(head + b"abc", 4)
    assert (response.status, response.complete, b"".join(response.bodies)) == (200, True, b"abc")


def test_nothing_compressed_is_asked_for_unless_the_user_does() -> None:
    call, where = Call("POST", "/x", (), b"{}"), target("http://h:1", {})
    assert b"\r\nAccept-Encoding: identity\r\n" in request_bytes(call, where, ())
    assert b"identity" not in request_bytes(call, where, (("accept-encoding", "gzip"),))
