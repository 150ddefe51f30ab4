"""Whatever a server sends in an answer, and however fast: it costs no more than its bound, and no more time."""

import socket
import time

import gevent
import pytest
from scripted import CHUNKED, chunk, request, serving

from tokenswarm.settings.target import Target
from tokenswarm.transport.connection import Timeouts, Transport
from tokenswarm.transport.exchange import Exchange
from tokenswarm.transport.http1 import request_bytes
from tokenswarm.wire.values import Call

REQUEST = request_bytes(Call("POST", "/api/chat", (), b"{}"), Target("http", "here", 80), ())


def test_what_is_cut_while_a_server_sends_without_end_has_ended_at_once() -> None:
    def script(sock: socket.socket) -> None:
        request(sock)
        sock.sendall(CHUNKED)
        while True:
            sock.sendall(chunk(b"x" * 99 + b"\n") * 600)

    with serving(script) as port:
        seen, transport = Exchange(most_bytes=10**12), Transport("127.0.0.1", port, Timeouts())
        asking = gevent.spawn(transport.run, seen, REQUEST)
        gevent.sleep(0.3)
        began_s = time.monotonic()
        asking.kill()
        assert time.monotonic() - began_s < 1
    assert seen.failure
    assert seen.failure.kind == "cancelled"


@pytest.mark.parametrize("part", [b"x" * 65536, b"\n" + b"x" * (1 << 20)])
def test_a_line_or_an_answer_that_never_ends_is_cut_off_where_it_is_too_much(part: bytes) -> None:
    def script(sock: socket.socket) -> None:
        request(sock)
        sock.sendall(CHUNKED)
        while True:
            sock.sendall(chunk(part))

    seen = Exchange()
    with serving(script) as port:
        transport = Transport("127.0.0.1", port, Timeouts(2, 60, 60))
        transport.run(seen, REQUEST)
    assert seen.failure
    assert seen.failure.kind == "protocol"
    words = "a line of more than 16,777,216 bytes" if b"\n" not in part else "an answer of more than 67,108,864 bytes"
    assert seen.failure.text == words
    assert sum(map(len, seen.response.bodies)) <= 64 << 20
