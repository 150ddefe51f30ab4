"""Whatever a server sends in an answer, and however fast: it costs no more than its bound, and no more time."""

import gzip
import itertools
import random
import socket
import time

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scripted import CHUNKED, chunk, request, serving

from tokenswarm.metrics.interpret import interpret
from tokenswarm.transport.connection import Timeouts, Transport
from tokenswarm.transport.exchange import Exchange
from tokenswarm.transport.http1 import Response, request_bytes
from tokenswarm.transport.target import Target
from tokenswarm.transport.time_slices import MOST_SLICES, SLICE_NS, ReadingTurn, TimeSlices, give_loop_turn
from tokenswarm.wire import ollama_chat
from tokenswarm.wire.values import Call, Transcript

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
        began_s = time.process_time()
        asking.kill()
        assert time.process_time() - began_s < 1  # of our own, and of the server's here, whatever else the machine does
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


@given(
    most_bytes=st.integers(1000, 300_000),
    over_bytes=st.integers(-200, 70_000),
    head_bytes=st.integers(0, 60_000),
    packed=st.booleans(),
    cuts=st.lists(st.integers(64, 70_000), min_size=1, max_size=6),  # so that there are not too many pieces
)
def test_a_body_of_one_byte_too_many_is_refused_however_it_comes(
    most_bytes: int, over_bytes: int, head_bytes: int, packed: bool, cuts: list[int]
) -> None:
    body = random.Random(1).randbytes(max(1, most_bytes + over_bytes))
    sent = gzip.compress(body, 1) if packed else body
    said = b"X: %s\r\n%s" % (b"x" * head_bytes, b"Content-Encoding: gzip\r\n" if packed else b"")
    left = b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (said, len(sent), sent)
    response, refused = Response(most_bytes), False
    for number in range(len(left)):
        cut = cuts[number % len(cuts)]
        part, left = left[:cut], left[cut:]
        try:
            response.feed(number, part)
        except ValueError:
            refused = True
        if refused or not left:
            break
    assert refused == (len(body) > most_bytes)
    assert refused or b"".join(response.bodies) == body


def test_who_has_no_time_left_leaves_the_rest_of_an_answer_unread() -> None:
    line = b'{"message":{"content":"a"}}\n'
    answer = Transcript([(number, line) for number in range(100)], status=200, content_type="application/x-ndjson")
    calls = iter([True, True, False])
    builder, verdict = interpret(ollama_chat, answer, stream=True, pause=lambda: next(calls))
    assert verdict.outcome == "cancelled"
    assert builder.answer().text == "a" * 32
    builder, verdict = interpret(ollama_chat, answer, stream=True)
    assert (verdict.outcome, builder.answer().text) == ("truncated", "a" * 100)


def test_an_answer_that_takes_long_to_interpret_lets_others_have_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    slices, order, now_ns = TimeSlices(), [], itertools.count(0, 2 * SLICE_NS)
    monkeypatch.setattr(time, "monotonic_ns", lambda: next(now_ns))  # each look at the clock is a slice later

    def read(name: str, looks: int) -> None:
        with ReadingTurn(slices) as turn:
            for _ in range(looks):
                turn.yield_to_loop()
            order.append(name)

    long = 2 * MOST_SLICES
    gevent.joinall(
        [gevent.spawn(read, "long", long), gevent.spawn(read, "other", long), gevent.spawn(read, "short", 0)]
    )
    assert order[0] == "short"
    assert not slices.lock.locked()
    assert not slices.slow_lock.locked()


def test_a_reader_that_is_killed_wherever_it_waits_leaves_the_lane_to_others() -> None:
    slices = TimeSlices()

    def read() -> None:
        with ReadingTurn(slices) as turn:
            while True:
                turn.yield_to_loop()

    readers = [gevent.spawn(read) for _ in range(6)]
    for reader in readers:
        gevent.sleep(0.15)
        reader.kill()
    with ReadingTurn(slices):
        pass
    assert not slices.slow_lock.locked()


def test_in_each_turn_that_long_work_gives_the_loop_it_looks_at_its_sockets() -> None:
    looks, loop = [0], gevent.get_hub().loop
    watcher = loop.check()  # called after each look at the sockets
    watcher.start(lambda: looks.__setitem__(0, looks[0] + 1))
    try:
        for _ in range(30):
            give_loop_turn()
    finally:
        watcher.stop()
        watcher.close()
    assert looks[0] >= 30
