"""A proxy between a load and a server, that keeps what was asked and said: read with nothing of ours."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager

import gevent
from gevent import socket
from gevent.server import StreamServer


class Tape:
    """A proxy that keeps what was asked and what the server said, by the request's own id."""

    def __init__(self, url: str) -> None:
        host, _, port = url.removeprefix("http://").rpartition(":")
        self._target = (host, int(port))
        self.said: dict[str, bytes] = {}
        self.asked: dict[str, bytes] = {}
        self.asked_s: dict[str, float] = {}
        self.headed_s: dict[str, float] = {}  # when an answer began: its headers, whatever follows them

    def handle(self, client: socket.socket, _address: object) -> None:
        """One connection: pass on both ways, and note which answer followed which request."""
        upstream = socket.create_connection(self._target)
        for one in (client, upstream):
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        current = ""

        def back() -> None:
            while data := upstream.recv(65536):
                self.headed_s.setdefault(current, time.monotonic())
                self.said[current] = self.said.get(current, b"") + data
                client.sendall(data)
            client.close()

        answers = gevent.spawn(back)
        try:
            while data := client.recv(1 << 20):
                if found := re.search(rb"X-Request-Id: (\S+)", data):
                    current = found[1].decode()
                    self.asked_s[current] = time.monotonic()
                self.asked[current] = self.asked.get(current, b"") + data
                upstream.sendall(data)
        except OSError:
            pass
        answers.kill()
        upstream.close()


@contextmanager
def taped(url: str) -> Iterator[tuple[str, Tape]]:
    """The proxy on a free port, and its tape."""
    tape = Tape(url)
    proxy = StreamServer(("127.0.0.1", 0), tape.handle)
    proxy.start()
    try:
        yield f"http://127.0.0.1:{proxy.server_port}", tape
    finally:
        proxy.stop(timeout=0.5)
