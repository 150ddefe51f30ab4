"""The control client: whatever a server does with a small question, it costs its time-out and 16 MB at most."""

import gzip
import json
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any, cast

import gevent
import pytest
from scripted import Script, chunk, request, serving, whole

from tokenswarm.settings.settings import Settings
from tokenswarm.transport.connection import Timeouts
from tokenswarm.transport.control import CONTROL_BYTES, ControlClient, Unanswered, count_in, objects, question, text_in
from tokenswarm.transport.target import Target

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
TOTAL_S = 0.5


@contextmanager
def client(port: int, total_s: float = TOTAL_S) -> Iterator[ControlClient]:
    here = Target("http", "127.0.0.1", port, "/base")
    settings = SimpleNamespace(target=here, timeouts=Timeouts(), tls=None, headers=(("X-Own", "yes"),))
    made = ControlClient(cast(Settings, settings), total_s)
    try:
        yield made
    finally:
        made.close()


def saying(*parts: bytes) -> Script:
    def script(sock: socket.socket) -> None:
        request(sock)
        for part in parts:
            sock.sendall(part)

    return script


def endless(first: bytes, part: bytes, pause_s: float = 0.0) -> Script:
    def script(sock: socket.socket) -> None:
        request(sock)
        sock.sendall(first)
        while True:
            sock.sendall(part)
            gevent.sleep(pause_s)

    return script


def test_an_object_is_given_and_so_is_what_came_beside_it() -> None:
    asked: list[bytes] = []

    def script(sock: socket.socket) -> None:
        for _ in range(2):
            asked.append(request(sock))
            sock.sendall(whole(b'{"version": "1"}', more="Server: ours\r\nContent-Type: Application/JSON\r\n"))

    with serving(script) as port, client(port) as here:
        assert here.get("/api/version") == {"version": "1"}
        reply = here.send(question("POST", "/api/show", {"model": "m"}))
    assert asked[0].startswith(b"GET /base/api/version HTTP/1.1\r\n")
    assert b"X-Own: yes" in asked[0]
    assert asked[1].endswith(b'{"model": "m"}')
    assert (reply.status, reply.headers["server"], reply.content_type) == (200, "ours", "application/json")
    assert 0 < reply.took_s < TOTAL_S


NEVER = {
    "a byte of body now and then": endless(HEAD + b"Content-Length: 1000\r\n\r\n", b"x", 0.05),
    "a byte of head now and then": endless(HEAD + b"X-More: ", b"x", 0.05),
    "nothing at all": endless(b"", b"", 0.05),
    "100 Continue now and then": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n", 0.05),
    "blank chunks now and then": endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunk(b" "), 0.05),
}


@pytest.mark.parametrize("how", NEVER)
def test_what_comes_slowly_ends_with_the_time_out(how: str) -> None:
    with serving(NEVER[how]) as port, client(port) as here, pytest.raises(Unanswered) as raised:
        here.get("/")
    assert raised.value.reason == "timeout"


TOO_MUCH = {
    "head": endless(HEAD, b"X-More: " + b"x" * 1000 + b"\r\n"),
    "one header": endless(HEAD + b"X-More: ", b"x" * 1000),
    "a status line": endless(b"HTTP/1.1 200 ", b"x" * 1000),
    "100 Continue": endless(b"", b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
    "a trailer": endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-More: " + b"x" * 1000 + b"\r\n"),
    "a body without end": endless(HEAD + b"\r\n", b"x" * 65536),
    "chunks without end": endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", chunk(b" " * 65536)),
    "a chunk's extension": endless(HEAD + b"Transfer-Encoding: chunked\r\n\r\n5;", b"x" * 65536),
}


@pytest.mark.parametrize("what", TOO_MUCH)
def test_what_is_too_much_ends_at_once(what: str) -> None:
    with (
        serving(TOO_MUCH[what]) as port,
        client(port, 20) as here,
        pytest.raises(Unanswered, match="of more than") as raised,
    ):
        here.get("/")
    assert raised.value.reason == "protocol"


def test_just_not_too_much_is_read() -> None:
    said = json.dumps({"x": "y" * (CONTROL_BYTES - 1000)}).encode()
    with serving(saying(whole(said, more="X-More: " + "x" * 60_000 + "\r\n"))) as port, client(port, 20) as here:
        assert here.get("/") == json.loads(said)


BAD: dict[str, tuple[bytes, str]] = {
    "deep": (whole(b"[" * 100_000 + b"]" * 100_000), "shape"),
    "a list": (whole(b"[1]"), "shape"),
    "a half": (whole(b'{"a":'), "shape"),
    "a number of 5,000 digits": (whole(b'{"a": NaN, "b": ' + b"9" * 5000 + b"}"), "shape"),
    "an error": (whole(b'{"error": "no"}', "404 Not Found"), "status"),
    "deep error": (whole(b'{"error":' * 100_000, "500 X"), "status"),
    "no HTTP": (b"SSH-2.0-OpenSSH_9\r\n", "protocol"),
    "a half body": (HEAD + b"Content-Length: 10\r\n\r\n{}", "closed"),
    "nothing": (b"", "closed"),
    "a switch": (b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", "protocol"),
    "a bomb": (whole(gzip.compress(b"{}" + b" " * 20_000_000), more="Content-Encoding: gzip\r\n"), "protocol"),
    "brotli that nobody asked for": (whole(b"\x1b\x05", more="Content-Encoding: br\r\n"), "protocol"),
}


@pytest.mark.parametrize("what", BAD)
def test_all_failures_are_one_kind_of_error(what: str) -> None:
    said, reason = BAD[what]
    with serving(saying(said)) as port, client(port) as here, pytest.raises(Unanswered) as raised:
        here.get("/")
    assert raised.value.reason == reason
    assert 0 < len(str(raised.value)) < 300


def test_nobody_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        with client(taken.getsockname()[1]) as here, pytest.raises(Unanswered) as raised:
            here.get("/")
    assert raised.value.reason == "refused"


def test_a_half_emoji_in_an_answer_is_replaced() -> None:
    with serving(saying(whole(b'{"version": "1\\ud83d"}'))) as port, client(port) as here:
        assert here.get("/") == {"version": "1?"}


def test_texts_and_counts_are_read_or_refused() -> None:
    said: dict[str, Any] = {"name": "a:b", "blank": " ", "many": "x\ny", "long": "x" * 1001, "number": 3, "bell": "\a"}
    assert [text_in(said, key) for key in (*said, "none")] == ["a:b", None, None, None, None, None, None]
    counts: dict[str, Any] = {"a": 3, "b": True, "c": -1, "d": 10**400, "e": "3", "f": 2.0}
    assert [count_in(counts, key) for key in (*counts, "none")] == [3, None, None, None, None, None, None]
    assert objects({"a": [None, {"b": 1}, 3]}, "a") == [{"b": 1}]
    assert objects({"a": 3}, "a") == objects({"a": None}, "a") == objects({}, "a") == []
