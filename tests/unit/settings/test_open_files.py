"""Connections are open files: too many users for this system are refused before any load, and never called refused."""

import os
import resource
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from types import SimpleNamespace

import pytest

from tokenswarm.settings import open_files
from tokenswarm.settings.errors import UsageError
from tokenswarm.transport.connection import Timeouts, Transport
from tokenswarm.transport.exchange import Exchange
from tokenswarm.transport.http1 import request_bytes
from tokenswarm.transport.target import Target
from tokenswarm.wire.values import Call


@contextmanager
def only(files: int) -> Iterator[None]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_what_the_system_lets_us_raise_is_raised() -> None:
    with only(100):
        open_files.allow(200, "200 users")
        assert resource.getrlimit(resource.RLIMIT_NOFILE)[0] == 264


def test_where_it_does_not_let_us_one_line_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (64, 256))
    monkeypatch.setattr(resource, "setrlimit", lambda *_: (_ for _ in ()).throw(ValueError("not allowed")))
    options = SimpleNamespace(processes=None, master=False, worker=False)
    with pytest.raises(
        UsageError, match=r"200 users need 264 open files, and this system allows 256: .* ulimit -n 264"
    ):
        open_files.check_users(options, 200)
    open_files.check_users(SimpleNamespace(processes=None, master=True, worker=False), 200)  # its workers' business
    open_files.check_users(SimpleNamespace(processes=4, master=False, worker=False), 0)


def test_a_request_for_which_no_file_is_left_was_not_refused_by_the_server() -> None:
    call = request_bytes(Call("GET", "/", (), b""), Target("http", "127.0.0.1", 80), ())
    with socket.create_server(("127.0.0.1", 0)) as server:
        transport, exchange = Transport("127.0.0.1", server.getsockname()[1], Timeouts(5, 1, 1)), Exchange()
        Transport("127.0.0.1", 1, Timeouts(1, 1, 1)).run(Exchange(), call)  # has what looks names up open its files
        taken: list[int] = []
        with only(max(map(int, os.listdir("/proc/self/fd"))) + 1):
            with suppress(OSError):
                while True:
                    taken.append(os.open("/dev/null", os.O_RDONLY))
            transport.run(exchange, call)
        for one in taken:
            os.close(one)
    assert exchange.failure
    assert exchange.failure.kind == "dropped"
    assert exchange.failure.text == "not sent: this client's own limit (Too many open files, ulimit -n)"
