"""The real transport against bodies that are left open or only kept alive: when it ends, and what of the connection."""

import socket
import time
from collections.abc import Callable

import gevent
import pytest
from literals import DONE, FINISH, SENTINEL, USAGE, V1_CHAT, delta, event, line
from scripted import CHUNKED, chunk, request, serving
from wire_http import cases, replayed

from tokenswarm.metrics.interpret import interpret
from tokenswarm.metrics.record import Identity, Record
from tokenswarm.transport import kernel_stamps as stamps
from tokenswarm.transport.connection import Timeouts, Transport
from tokenswarm.transport.exchange import Exchange
from tokenswarm.wire import ollama_chat
from tokenswarm.wire.values import Api

ASK = b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}"
EVENTS = CHUNKED.replace(b"application/x-ndjson", b"text/event-stream")
HI = event(delta(content="hi"))
PING = chunk(b": ping\n\n")
MS = 1_000_000


def asked(transport: Transport, api: Api = V1_CHAT, request_bytes: bytes = ASK) -> tuple[Record, float]:
    """One request, its record, and how long its user was kept, s."""
    exchange, began_s = Exchange(api=api), time.monotonic()
    transport.run(exchange, request_bytes)
    kept_s, seen = time.monotonic() - began_s, exchange.transcript()
    tally, verdict = interpret(api, seen, stream=True)
    return tally.record(Identity(0, 0, "User", api.PATH, "m", "p", 8), seen, *verdict), kept_s


def e2e_s(record: Record) -> float:
    assert record.ended_ns is not None
    assert record.sent_ns is not None
    return (record.ended_ns - record.sent_ns) / 1e9


def saying(*parts: bytes | float) -> Callable[[socket.socket], None]:
    """A server that says the parts to each request, pauses of so many seconds between them, and leaves all open."""

    def script(sock: socket.socket) -> None:
        while request(sock):
            for part in parts:
                gevent.sleep(part) if isinstance(part, float) else sock.sendall(part)

    return script


@pytest.mark.parametrize(
    ("name", "habits", "e2e"),
    [
        ("A2-done-then-open", ("left_open",), 0.32),
        ("A2-finish-then-heartbeats", ("left_open", "no_sentinel"), 0.30),
    ],
)
def test_a_body_that_is_left_open_ends_with_the_answers_own_end(name: str, habits: tuple[str, ...], e2e: float) -> None:
    case = cases()[name]
    with replayed(case) as (url, server):
        raw = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\n" + b'{"stream": true}'
        transport = Transport("127.0.0.1", int(url.rpartition(":")[2]), Timeouts(2, 20, 20))
        first, first_s = asked(transport, request_bytes=raw)
        second, second_s = asked(transport, request_bytes=raw)
        transport.close()
    for record in (first, second):
        assert (record.outcome, record.habits, record.output_chunks) == ("ok", habits, 12)
        assert e2e - 0.05 < e2e_s(record) < e2e + 0.5  # and not with the time that it is waited for
    assert second.connect_ns is not None  # the first connection was not used again
    assert first_s > e2e + 0.5
    if habits == ("left_open",):  # by now it is known, and nobody waits
        assert second_s < first_s - 0.2
    assert server.generations == 2


NATIVE = CHUNKED + chunk(line(message={"content": "hi"}, done=False))


@pytest.mark.parametrize(
    ("api", "script"),
    [
        (ollama_chat, saying(NATIVE, 0.1, chunk(DONE))),
        (V1_CHAT, saying(EVENTS, chunk(HI), 0.1, chunk(FINISH + SENTINEL[:9]), chunk(SENTINEL[9:]))),
        (V1_CHAT, saying(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n", HI, 0.1, FINISH + SENTINEL)),
        (V1_CHAT, saying(EVENTS, chunk(HI), 0.1, chunk(FINISH), *(PING, 0.3) * 9)),
    ],
)
def test_so_it_is_whatever_the_protocol_and_the_framing(api: Api, script: Callable[[socket.socket], None]) -> None:
    with serving(script) as port:
        transport = Transport("127.0.0.1", port, Timeouts(2, 20, 20))
        record, kept_s = asked(transport, api)
        transport.close()
    assert record.outcome == "ok"
    assert "left_open" in record.habits
    assert 0.09 < e2e_s(record) < 1 < kept_s


def test_a_body_that_ends_a_little_later_is_whole_and_its_connection_is_used_again() -> None:
    with serving(saying(EVENTS, chunk(HI + FINISH + USAGE), chunk(SENTINEL), 0.3, chunk(b""))) as port:
        transport = Transport("127.0.0.1", port, Timeouts(2, 20, 20))
        first, _ = asked(transport)
        second, _ = asked(transport)
        transport.close()
    assert (first.habits, second.habits) == ((), ())
    assert e2e_s(first) > 0.29
    assert second.connect_ns is None


def test_an_end_in_the_text_is_none_and_a_late_usage_is_waited_for() -> None:
    text = event(delta(content="data: [DONE]\n\n"))
    late = saying(EVENTS, chunk(text), 1.2, chunk(FINISH), 0.7, chunk(USAGE), chunk(SENTINEL), chunk(b""))
    with serving(late) as port:
        transport = Transport("127.0.0.1", port, Timeouts(2, 20, 20))
        record, _ = asked(transport)
        transport.close()
    assert (record.outcome, record.habits, record.usage.output_tokens) == ("ok", (), 2)
    assert e2e_s(record) > 1.8


def test_a_request_time_out_after_the_end_is_none() -> None:
    with serving(saying(EVENTS, chunk(HI), chunk(FINISH), PING)) as port:
        transport = Transport("127.0.0.1", port, Timeouts(2, 20, 0.8))
        record, _ = asked(transport)
        transport.close()
    assert (record.outcome, record.habits) == ("ok", ("left_open", "no_sentinel"))
    assert e2e_s(record) < 0.8


def test_keep_alives_stop_no_time_out_and_are_named() -> None:
    with replayed(cases()["C1-keepalives-only"]) as (url, _):
        raw = b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 16\r\n\r\n" + b'{"stream": true}'
        port = int(url.rpartition(":")[2])
        for timeouts, said in (
            (Timeouts(2, 0.5, 9), "no first byte within 0.5 s"),
            (Timeouts(2, 9, 0.5), "no end within"),
        ):
            transport = Transport("127.0.0.1", port, timeouts)
            record, kept_s = asked(transport, request_bytes=raw)
            transport.close()
            assert record.outcome == "timeout"
            assert said in record.error
            assert ", only keep-alives (" in record.error
            assert kept_s > 0.45


def test_what_says_something_stops_the_first_time_out() -> None:
    with serving(saying(EVENTS, PING, chunk(HI), 0.6, chunk(FINISH + SENTINEL), chunk(b""))) as port:
        transport = Transport("127.0.0.1", port, Timeouts(2, 0.3, 9))
        record, _ = asked(transport)
        transport.close()
    assert record.outcome == "ok"


def test_chunks_that_overtook_a_lost_one_came_when_that_one_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """TCP keeps them, each with its own stamp, until the lost one was sent again: none of them came before it."""
    parts = [line(message={"content": word}, done=False) for word in ("a", " b", " c")]
    early_ns, of_the_kernel = iter([0, 150 * MS, 150 * MS, 150 * MS, 0, 0]), stamps.stamp_ns
    monkeypatch.setattr(stamps, "stamp_ns", lambda found: (of_the_kernel(found) or time.time_ns()) - next(early_ns, 0))
    said = saying(CHUNKED + chunk(parts[0]), 0.03, chunk(parts[1]), 0.03, chunk(parts[2] + DONE), 0.03, chunk(b""))
    with serving(said) as port:
        transport = Transport("127.0.0.1", port, Timeouts(total_s=2))
        record, _ = asked(transport, ollama_chat)
        transport.close()
    assert record.first_output_ns is not None
    assert record.last_output_ns is not None
    assert record.ended_ns is not None
    assert record.first_output_ns <= record.last_output_ns <= record.ended_ns
    assert record.outcome == "ok"
