"""The measuring transport: one connection a user, reads in the event loop's own callback, stamps from the kernel.

Per read there is one `recvmsg`, one pass of llhttp and one append; no greenlet runs until the answer is whole. JSON is
read afterwards (see `users.base`). gevent's own sockets would switch to the greenlet for every token and try a second
read that fails.
"""

import contextlib
import errno
import socket
import ssl
import time
from dataclasses import dataclass

import gevent.socket
from gevent import GreenletExit, Timeout, get_hub

from tokenswarm.transport import kernel_stamps as stamps
from tokenswarm.transport.exchange import Exchange
from tokenswarm.transport.receiving import LOOK_S, TOGETHER_S, Receiving, plain_socket


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds; `first_byte_s` and `total_s` count from when the request was sent."""

    connect_s: float = 10.0
    first_byte_s: float = 300.0
    total_s: float = 300.0


# A close this soon after sending met an idle connection that was being closed; later, the server had the request.
RESEND_WITHIN_NS = 100_000_000
WRITE_CHECK_S = 0.25
OWN_LIMITS = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)


class Transport:
    """A user's way to one server: connects when needed, keeps the connection, sends requests one after the other."""

    def __init__(
        self, host: str, port: int, timeouts: Timeouts, tls: ssl.SSLContext | None = None, new_connection: bool = False
    ) -> None:
        self._address = (host, port)
        self._timeouts = timeouts
        self._context = tls
        self._new_connection = new_connection
        self._leaves_open = False  # did the server leave the last body open?
        self._sock: socket.socket | None = None
        self._tls: ssl.SSLObject | None = None
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()

    def close(self) -> None:
        """Drop the connection, if there is one."""
        if self._sock is not None:
            self._sock.close()
            self._sock = self._tls = None

    def run(self, exchange: Exchange, request: bytes) -> None:
        """Send the request and wait until its answer has ended, one way or the other; failures end up in `exchange`.

        What is raised in the waiting greenlet (GreenletExit at the end of a run) ends the exchange as cancelled and
        goes on. An idle connection that the server had closed meanwhile is replaced once, as HTTP clients do.
        """
        try:
            reused = self._usable()
            if not reused and not self._open(exchange):
                return
            self._send_and_receive(exchange, request)
            if reused and self._met_a_closing_connection(exchange):
                exchange.again()
                if self._open(exchange):
                    self._send_and_receive(exchange, request)
        except BaseException as error:
            why = "its user was stopped" if isinstance(error, GreenletExit) else f"interrupted by {error!r}"
            exchange.end(time.time_ns(), "cancelled", f"cut: {why}")
            raise
        finally:
            exchange.response.release()
            self._leaves_open = "left_open" in exchange.response.habits
            if exchange.failure or self._new_connection or not exchange.response.keep_alive:
                self.close()

    def _met_a_closing_connection(self, exchange: Exchange) -> bool:
        failure, ended_ns, sent_ns = exchange.failure, exchange.ended_ns, exchange.sent_ns
        if not failure or failure.kind != "closed" or exchange.reads or ended_ns is None or sent_ns is None:
            return False
        return ended_ns - sent_ns < RESEND_WITHIN_NS

    def _usable(self) -> bool:
        """Is there an open connection that the server has not closed (or written to) while it was idle?"""
        if self._sock is None:
            return False
        try:
            self._sock.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        self.close()
        return False

    def _open(self, exchange: Exchange) -> bool:
        self.close()
        started_ns, started_monotonic_ns = time.time_ns(), time.monotonic_ns()
        timeout = Timeout(self._timeouts.connect_s)
        try:
            with timeout:
                connected = gevent.socket.create_connection(self._address)
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                family, kind, protocol = connected.family, connected.type, connected.proto
                self._sock = plain_socket(family, kind, protocol, fileno=connected.detach())
                self._sock.setblocking(False)
                stamps.enable(self._sock)
                if self._context is not None:
                    self._shake_hands(self._context)
            return True
        except Timeout as expired:
            if expired is not timeout:
                raise
            exchange.end(time.time_ns(), "timeout", f"no connection within {self._timeouts.connect_s:g} s")
        except OSError as error:  # ssl.SSLError is one
            exchange.tls_failed = isinstance(error, ssl.SSLError)
            if error.errno in OWN_LIMITS:
                exchange.end(
                    time.time_ns(), "dropped", f"not sent: this client's own limit ({error.strerror}, ulimit -n)"
                )
            else:
                exchange.end(time.time_ns(), "refused", f"no connection: {error}")
        finally:
            # The monotonic clock, since a duration must not jump; `started_ns` only dates a request that never left.
            exchange.connect_ns = time.monotonic_ns() - started_monotonic_ns
            if exchange.sent_ns is None and exchange.ended_ns is not None:
                exchange.ended_ns = started_ns + exchange.connect_ns
        self.close()
        return False

    def _shake_hands(self, context: ssl.SSLContext) -> None:
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_hostname=self._address[0])
        assert self._sock is not None
        while True:
            try:
                self._tls.do_handshake()
            except ssl.SSLWantReadError:
                self._write(self._outgoing.read())
                gevent.socket.wait_read(self._sock.fileno())
                data = self._sock.recv(65536)
                if not data:
                    raise ConnectionResetError("the server closed the connection during the TLS handshake") from None
                self._incoming.write(data)
            else:
                self._write(self._outgoing.read())
                return

    def _write(self, data: bytes, exchange: Exchange | None = None) -> None:
        """Send all, or until the exchange has ended (timed out, answered early) before all was sent."""
        assert self._sock is not None
        view = memoryview(data)
        while view and (exchange is None or exchange.ended_ns is None):
            try:
                view = view[self._sock.send(view) :]
            except BlockingIOError:
                with contextlib.suppress(TimeoutError):
                    gevent.socket.wait_write(self._sock.fileno(), timeout=WRITE_CHECK_S)
        if view and exchange is not None:
            exchange.response.keep_alive = False

    def _send_and_receive(self, exchange: Exchange, request: bytes) -> None:
        assert self._sock is not None
        loop = get_hub().loop
        reader = loop.io(self._sock.fileno(), 1)
        receiving = Receiving(self._sock, exchange, self._tls, self._incoming, reader, self._leaves_open)
        first_byte, total = loop.timer(self._timeouts.first_byte_s), loop.timer(self._timeouts.total_s)
        # Many streams' looks at one time: each alone would wake the process for itself.
        look = loop.timer(LOOK_S + -loop.now() % TOGETHER_S, LOOK_S)
        try:
            reader.start(receiving.on_readable)
            exchange.begin()
            first_byte.start(receiving.on_first_byte_timeout, self._timeouts.first_byte_s)
            total.start(receiving.on_timeout, self._timeouts.total_s)
            if exchange.watch is not None:
                look.start(receiving.look)
            try:
                self._write(request if self._tls is None else self._encrypt(request), exchange)
            except OSError as error:
                exchange.end(time.time_ns(), "closed", f"the connection broke while sending: {error}")
            if exchange.ended_ns is None:
                receiving.waiter.get()
        except BaseException:
            # The run cuts it here; but what the kernel has got by now did arrive, be it the end of the answer.
            receiving.drain()
            raise
        finally:
            receiving.close()
            for watcher in (reader, first_byte, total, look):
                watcher.stop()
                watcher.close()

    def _encrypt(self, request: bytes) -> bytes:
        assert self._tls is not None
        self._tls.write(request)
        return self._outgoing.read()
