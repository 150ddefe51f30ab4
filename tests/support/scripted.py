"""A server that says exactly what a test wants, on a real socket: a function of the connection, in a greenlet."""

import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import gevent
from gevent.server import StreamServer

Script = Callable[[socket.socket], None]
CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n"


def chunk(data: bytes) -> bytes:
    """One HTTP chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def whole(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    """A whole response with its length."""
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\n{more}\r\n".encode() + body


def request(sock: socket.socket) -> bytes:
    """Read one request with a Content-Length, head and body; b"" if the client has closed."""
    data = b""
    while b"\r\n\r\n" not in data:
        if not (more := sock.recv(65536)):
            return b""
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    length = next((int(x.split(b":")[1]) for x in head.split(b"\r\n") if x.lower().startswith(b"content-length")), 0)
    while len(body) < length:
        body += sock.recv(65536)
    return head + b"\r\n\r\n" + body


@contextmanager
def serving(*scripts: Script, tls: ssl.SSLContext | None = None) -> Iterator[int]:
    """The port of a server whose nth connection is handled by the nth script (the last one for all further ones)."""
    count = 0

    def handle(sock: socket.socket, _address: object) -> None:
        nonlocal count
        script = scripts[min(count, len(scripts) - 1)]
        count += 1
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            script(sock)
        except (OSError, gevent.GreenletExit):
            pass
        finally:
            sock.close()

    server = StreamServer(("127.0.0.1", 0), handle, **({"ssl_context": tls} if tls else {}))
    server.start()
    try:
        yield server.server_port
    finally:
        server.stop(timeout=0.1)
