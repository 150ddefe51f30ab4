"""The transport on real sockets: every way an exchange can go, and that arrivals are the kernel's."""

import gc
import socket
import ssl
import struct
import sys
import time
import weakref
from contextlib import closing
from pathlib import Path

import gevent
import pytest
from captures import load, transcript
from scripted import CHUNKED, Script, chunk, request, serving, whole

from tokenswarm.transport import kernel_stamps as stamps
from tokenswarm.transport import receiving
from tokenswarm.transport.connection import Timeouts, Transport
from tokenswarm.transport.exchange import Exchange
from tokenswarm.transport.http1 import request_bytes
from tokenswarm.transport.target import Target
from tokenswarm.wire.values import Call

HERE = Target("http", "here", 80)
REQUEST = request_bytes(Call("POST", "/api/chat", (("Content-Type", "application/json"),), b"{}"), HERE, ())
QUICK = Timeouts(connect_s=2, first_byte_s=2, total_s=2)


def exchange(
    port: int, timeouts: Timeouts = QUICK, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None
) -> Exchange:
    seen, transport = Exchange(), Transport(host, port, timeouts, tls)
    transport.run(seen, REQUEST)
    transport.close()
    return seen


def answer(*parts: bytes, pause_s: float = 0.0, reset: bool = False) -> Script:
    """Read a request, send the parts; then close, or reset."""

    def script(sock: socket.socket) -> None:
        request(sock)
        for part in parts:
            sock.sendall(part)
            gevent.sleep(pause_s)
        if reset:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    return script


def test_pieces_come_with_their_times_and_without_http_framing() -> None:
    a, b, c = b'{"a":1}\n', b'{"b":1}\n', b'{"c":1}\n'
    with serving(answer(CHUNKED + chunk(a), chunk(b), chunk(c) + chunk(b""), pause_s=0.02)) as port:
        seen = exchange(port).transcript()
    assert [data for _, data in seen.pieces] == [a, b, c]
    assert (seen.status, seen.complete, seen.failure, seen.streamed) == (200, True, None, True)
    first, second, third = (ns for ns, _ in seen.pieces)
    assert (seen.sent_ns or 0) < first < second < third == seen.ended_ns
    assert min(second - first, third - second) > 15_000_000
    assert seen.connect_ns is not None
    assert abs(seen.clock_step_ns) < 50_000_000


@pytest.mark.skipif(sys.platform != "linux", reason="kernel stamps are Linux's")
def test_a_busy_process_still_knows_when_bytes_came() -> None:
    """Python computes for 100 ms while a chunk arrives: it is dated when it came, not when it was read."""
    assert stamps.prime(receiving.plain_socket)
    left_ns: list[int] = []

    def script(sock: socket.socket) -> None:
        request(sock)
        sock.sendall(CHUNKED + chunk(b"a\n"))
        gevent.sleep(0.02)
        sock.sendall(chunk(b"b\n") + chunk(b""))
        left_ns.append(time.time_ns())
        busy_until = time.monotonic() + 0.1  # the reading greenlet lives in this process: it cannot run meanwhile
        while time.monotonic() < busy_until:
            pass
        gevent.sleep(0.05)  # a close at once would be merged into the last segment, and its stamp with it

    with serving(script) as port:
        seen = exchange(port).transcript()
    assert seen.clock_stamps == 0
    assert seen.kernel_stamps >= 2
    assert abs(seen.pieces[1][0] - left_ns[0]) < 20_000_000


def test_a_recording_played_back_over_a_socket_is_what_it_was() -> None:
    for name in ("gen_stream_length", "think_v1_stream", "ls_stream_usage", "gen_repeat_nostream"):
        recorded = load()[name]
        raw, parts, at = recorded["response_latin1"].encode("latin-1"), [], 0
        for _, size in recorded["reads"]:
            parts.append(raw[at : at + size])
            at += size
        with serving(answer(*parts, raw[at:], pause_s=0.001)) as port:
            seen = exchange(port).transcript()
        expected = transcript(recorded)
        assert b"".join(d for _, d in seen.pieces) == b"".join(d for _, d in expected.pieces)
        assert (seen.status, seen.content_type, seen.complete) == (200, expected.content_type, True)


def test_one_connection_serves_many_requests() -> None:
    connections = 0

    def script(sock: socket.socket) -> None:
        nonlocal connections
        connections += 1
        while request(sock):
            sock.sendall(whole(b"{}"))

    with serving(script) as port:
        transport = Transport("127.0.0.1", port, QUICK)
        exchanges = [Exchange() for _ in range(3)]
        for seen in exchanges:
            transport.run(seen, REQUEST)
        fresh = Transport("127.0.0.1", port, QUICK, new_connection=True)
        for _ in range(2):
            fresh.run(Exchange(), REQUEST)
        transport.close()
    assert [seen.connect_ns is None for seen in exchanges] == [False, True, True]
    assert connections == 1 + 2


def test_a_connection_closed_while_idle_is_replaced() -> None:
    def once(sock: socket.socket) -> None:
        request(sock)
        sock.sendall(whole(b"{}"))

    with serving(once) as port, closing(Transport("127.0.0.1", port, QUICK)) as transport:
        for _ in range(3):
            seen = Exchange()
            transport.run(seen, REQUEST)
            assert seen.response.complete
            gevent.sleep(0.01)


def test_a_connection_closed_on_the_next_request_is_tried_once_more() -> None:
    def lazy(sock: socket.socket) -> None:
        request(sock)
        sock.sendall(whole(b"{}"))
        request(sock)  # reads the second request, and closes without an answer

    with serving(lazy, answer(whole(b"second"))) as port, closing(Transport("127.0.0.1", port, QUICK)) as transport:
        first, second = Exchange(), Exchange()
        transport.run(first, REQUEST)
        transport.run(second, REQUEST)
    assert second.failure is None
    assert second.response.bodies[0] == b"second"


@pytest.mark.parametrize(
    ("script", "kind", "text"),
    [
        (answer(), "closed", "without an answer"),
        (answer(CHUNKED + chunk(b"a\n")), "closed", "in the middle"),
        (answer(CHUNKED + chunk(b"a\n"), pause_s=0.02, reset=True), "closed", "broke"),
        (answer(b"SSH-2.0-OpenSSH_9.2\r\n"), "protocol", "not HTTP"),
        (answer(CHUNKED + b"zz\r\n"), "protocol", "not HTTP"),
        (lambda sock: gevent.sleep(5), "timeout", "no first byte within 0.1 s"),
        (answer(CHUNKED + chunk(b"a\n"), pause_s=5), "timeout", "no end within 0.2 s"),
    ],
)
def test_how_an_exchange_can_fail(script: Script, kind: str, text: str) -> None:
    with serving(script) as port:
        seen = exchange(port, Timeouts(1, 0.1, 0.2)).transcript()
    assert seen.failure is not None
    assert seen.failure.kind == kind
    assert text in seen.failure.text
    assert seen.ended_ns is not None
    assert seen.sent_ns is not None
    assert seen.ended_ns > seen.sent_ns  # the time known so far, never 0
    assert not seen.complete


def test_a_refused_connection_is_a_failure_with_the_time_it_took() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    seen = exchange(port).transcript()
    assert seen.failure is not None
    assert seen.failure.kind == "refused"
    assert "refused" in seen.failure.text.lower()
    assert seen.sent_ns is None
    assert seen.connect_ns is not None
    assert seen.connect_ns > 0


def test_a_body_without_framing_ends_with_the_connection() -> None:
    with serving(answer(b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n", b"{}")) as port:
        seen = exchange(port).transcript()
    assert (seen.complete, seen.failure, [d for _, d in seen.pieces]) == (True, None, [b"{}"])


def test_an_early_hint_is_not_the_answer() -> None:
    with serving(answer(b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", whole(b"{}"), pause_s=0.01)) as port:
        seen = exchange(port).transcript()
    assert (seen.status, seen.complete) == (200, True)


def test_a_request_that_the_end_of_the_run_cuts_is_kept_as_cancelled() -> None:
    with serving(answer(CHUNKED + chunk(b"a\n"), pause_s=5)) as port:
        seen = Exchange()
        greenlet = gevent.spawn(Transport("127.0.0.1", port, QUICK).run, seen, REQUEST)
        while not seen.response.bodies:
            gevent.sleep(0.005)
        greenlet.kill()
    assert seen.failure is not None
    assert seen.failure.kind == "cancelled"
    assert [data for _, data in seen.transcript().pieces] == [b"a\n"]


def test_what_had_arrived_when_the_run_cut_it_did_arrive() -> None:
    """The end of the answer is in the kernel, not yet read, when the user is stopped: the answer is whole."""
    sockets = []

    def script(sock: socket.socket) -> None:
        request(sock)
        sock.sendall(CHUNKED + chunk(b"a\n"))
        sockets.append(sock)
        gevent.sleep(5)

    with serving(script) as port, closing(Transport("127.0.0.1", port, QUICK)) as transport:
        seen = Exchange()
        greenlet = gevent.spawn(transport.run, seen, REQUEST)
        while not seen.response.bodies:
            gevent.sleep(0.005)
        greenlet.kill(block=False)  # before the loop can look at its sockets again
        sockets[0].sendall(chunk(b"b\n") + chunk(b""))
        greenlet.join()
    assert [data for _, data in seen.transcript().pieces] == [b"a\n", b"b\n"]
    assert seen.response.complete
    assert seen.failure is None


def test_a_large_request_and_a_large_answer_pass_whole() -> None:
    got = []

    def script(sock: socket.socket) -> None:
        got.append(len(request(sock)))
        sock.sendall(whole(b"y" * 3_000_000))

    large = request_bytes(Call("POST", "/", (), b"x" * 3_000_000), HERE, ())
    with serving(script) as port, closing(Transport("127.0.0.1", port, QUICK)) as transport:
        seen = Exchange()
        transport.run(seen, large)
    assert got == [len(large)]
    assert sum(len(data) for data in seen.response.bodies) == 3_000_000


def test_tls_gives_the_same_pieces_and_the_kernels_stamps(certificate: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    trusting = ssl.create_default_context(cafile=str(certificate))
    parts = (CHUNKED + chunk(b"a\n"), chunk(b"b" * 100_000 + b"\n"), chunk(b""))
    with serving(answer(*parts, pause_s=0.02), tls=context) as port:
        seen = exchange(port, host="localhost", tls=trusting).transcript()
        assert b"".join(data for _, data in seen.pieces) == b"a\n" + b"b" * 100_000 + b"\n"
        assert seen.complete
        assert seen.connect_ns is not None
        if sys.platform == "linux":
            assert seen.clock_stamps == 0
        # A certificate that nobody vouches for is refused before anything is sent.
        distrusting = exchange(port, host="localhost", tls=ssl.create_default_context()).transcript()
    assert distrusting.failure is not None
    assert distrusting.failure.kind == "refused"
    assert "certificate" in distrusting.failure.text


def test_a_request_leaves_no_cycles_behind() -> None:
    """Cyclic collection is off while a run goes on: an answer that needed it would stay for the whole run."""
    gc.collect()
    gc.disable()
    try:
        with serving(answer(CHUNKED + chunk(b"a\n"), chunk(b""))) as port:
            alive = weakref.ref(exchange(port).response)
            gevent.sleep(0)  # the loop's own greenlet is still within the callback that woke this one
        assert alive() is None
        refused = weakref.ref(exchange(1).response)
        assert refused() is None
    finally:
        gc.enable()
