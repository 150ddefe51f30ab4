"""What sees the answer of one request: the callback of the event loop that reads it."""

import socket
import ssl
import sys
import time
from fcntl import ioctl
from termios import FIONREAD
from typing import Any

from gevent.hub import Waiter, get_hub
from gevent.monkey import get_original

from tokenswarm.transport import kernel_stamps as stamps
from tokenswarm.transport.exchange import Exchange
from tokenswarm.transport.kernel_stamps import ANCILLARY_BYTES
from tokenswarm.transport.room import FREE_BYTES, Room
from tokenswarm.wire.values import FailureKind

READ_BYTES = 65536
RECORD_BYTES = 16384  # the most that a TLS record holds
DRAINED_BYTES = 1024 * 1024
# How long the end of the body is waited for after the answer's own: after a finish reason, after [DONE] or done:true.
GRACES_NS = (1_000_000_000, 500_000_000)
KNOWN_GRACES_NS = (500_000_000, 20_000_000)  # of a server that left the last body open
LOOK_S, TOGETHER_S = 1.0, 0.1
# The class beneath gevent's: its sockets would switch greenlets for every read.
plain_socket: type[socket.socket] = get_original("socket", "socket")


class Receiving:
    """The reads of one exchange. Its methods run in gevent's hub, as callbacks of the event loop: they must not wait.

    Per read there is one `recvmsg`, one pass of llhttp and one append; `waiter` wakes the user's greenlet at the end.
    """

    __slots__ = (
        "_exchange",
        "_graces_ns",
        "_incoming",
        "_loop",
        "_mark",
        "_reader",
        "_sock",
        "_timer",
        "_tls",
        "waiter",
    )

    def __init__(
        self,
        sock: socket.socket,
        exchange: Exchange,
        tls: ssl.SSLObject | None,
        incoming: ssl.MemoryBIO,
        reader: Any,
        leaves_open: bool = False,
    ) -> None:
        self._sock, self._exchange, self._tls, self._incoming = sock, exchange, tls, incoming
        self._reader = reader  # gevent's watcher of the socket
        self._graces_ns = KNOWN_GRACES_NS if leaves_open else GRACES_NS
        # Looked for in each read only where the server is known to leave bodies open: its users lose no time then.
        self._mark = exchange.watch.mark if exchange.watch and leaves_open else None
        self._loop = get_hub().loop
        self._timer: Any = None
        self.waiter = Waiter()

    def on_readable(self) -> None:
        """Bytes, the end of the stream, or an error: take them in with the time they came."""
        exchange = self._exchange
        if exchange.ended_ns is not None:
            return
        try:
            data, ancillary, _, _ = self._sock.recvmsg(READ_BYTES, ANCILLARY_BYTES)
        except BlockingIOError:
            return
        except OSError as error:
            self._finish(time.time_ns(), "closed", f"the connection broke: {error}")
            return
        if not data:
            self._on_end_of_stream()
            return
        response = exchange.response
        ns = stamps.stamp_ns(ancillary)
        if ns is None:
            ns = time.time_ns()
            exchange.clock_stamps += 1
        else:
            exchange.kernel_stamps += 1
            lag_ns = time.time_ns() - ns
            if lag_ns > exchange.noted_lag_ns or ns < response.now_ns:
                ns = exchange.note_lag(ns, lag_ns)
        broken: ssl.SSLError | None = None
        if self._tls is not None:
            data, broken = self._decrypt(self._tls, data)
        try:
            response.feed(ns, data)
        except ValueError as error:
            # After the end of the answer, garbage takes nothing away; but the connection is not used again.
            response.keep_alive = False
            self._finish(ns, *(() if response.complete else ("protocol", str(error))))
            return
        if response.closely and exchange.room and response.body_bytes > FREE_BYTES:
            self._share(exchange.room)
        if response.complete:
            self._finish(ns)
        elif broken is not None:
            if isinstance(broken, ssl.SSLZeroReturnError):
                self._on_end_of_stream()
            else:
                self._finish(ns, "closed", f"TLS broke: {broken}")
        elif self._mark is not None and response.bodies and self._mark in response.bodies[-1]:
            self.look()

    def _share(self, room: Room) -> None:
        """The answer is a long one: it holds some of what is for all."""
        exchange = self._exchange
        if not exchange.share:
            exchange.share = room.enter(self._reader.stop, lambda: self._reader.start(self.on_readable))
        exchange.share.grow(exchange.response.held_bytes - FREE_BYTES - exchange.share.bytes)

    def drain(self) -> None:
        """Take in what the kernel holds by now, and no more than that, however fast the server goes on sending."""
        held = ioctl(self._sock.fileno(), FIONREAD, bytes(4))
        left = min(int.from_bytes(held, sys.byteorder), DRAINED_BYTES)
        reads = -1
        while left >= 0 and self._exchange.ended_ns is None and reads != self._exchange.reads:
            reads, came = self._exchange.reads, self._exchange.response.came_bytes
            self.on_readable()  # also the end of the stream, after the last byte
            left -= max(1, self._exchange.response.came_bytes - came)

    def look(self, patient: bool = True) -> None:
        """Has the answer ended by its own word, though its body goes on? Then it is over, after a moment's grace."""
        exchange = self._exchange
        if exchange.watch is None or exchange.ended_ns is not None:
            return
        end = exchange.watch.end(exchange.response.stamps, exchange.response.bodies)
        if end is None:
            return
        left_ns = end.ns + self._graces_ns[end.firm] - time.time_ns()
        if patient and left_ns > 0:
            self.close()
            self._timer = self._loop.timer(left_ns / 1e9)
            self._timer.start(self.look)
            return
        exchange.response.keep_alive = False
        exchange.response.habits.add("left_open")
        self._finish(end.ns)

    def close(self) -> None:
        """Nothing more will be read: let go of the timer, if there is one."""
        if self._exchange.share:
            self._exchange.share.end_reading()
        if self._timer is not None:
            self._timer.stop()
            self._timer.close()
            self._timer = None

    def on_first_byte_timeout(self, limit_s: float) -> None:
        """Too long without any byte of the body, but for what only keeps a connection alive."""
        if not self._exchange.response.bodies or self._only_kept_alive:
            self._finish(time.time_ns(), "timeout", f"no first byte within {limit_s:g} s{self._kept_alive()}")

    def on_timeout(self, limit_s: float) -> None:
        """Too long altogether."""
        self.look(patient=False)
        why = self._kept_alive() or self._held_back()
        self._finish(time.time_ns(), "timeout", f"no end within {limit_s:g} s{why}")

    def _held_back(self) -> str:
        share = self._exchange.share
        return "; held back by this client, whose memory others' long answers fill" if share and share.waits else ""

    @property
    def _only_kept_alive(self) -> bool:
        exchange = self._exchange
        return bool(exchange.watch and exchange.watch.only_kept_alive(exchange.response.bodies))

    def _kept_alive(self) -> str:
        came = self._exchange.response.bodies
        return f", only keep-alives ({len(came)})" if came and self._only_kept_alive else ""

    def _on_end_of_stream(self) -> None:
        if self._exchange.response.end_of_stream():
            self._finish(time.time_ns())
        elif self._exchange.response.status is None:
            self._finish(time.time_ns(), "closed", "the server closed the connection without an answer")
        else:
            self._finish(time.time_ns(), "closed", "the server closed the connection in the middle of the answer")

    def _decrypt(self, tls: ssl.SSLObject, data: bytes) -> tuple[bytes, ssl.SSLError | None]:
        """What the records hold, and what came after them: nothing yet, the end of the stream, or an error."""
        self._incoming.write(data)
        return decrypt(tls, self._incoming)

    def _finish(self, ended_ns: int, kind: FailureKind | None = None, text: str = "") -> None:
        if self._exchange.ended_ns is None:
            self._exchange.end(ended_ns, kind, text)
            self.waiter.switch(None)


def decrypt(tls: ssl.SSLObject, incoming: ssl.MemoryBIO) -> tuple[bytes, ssl.SSLError | None]:
    """See `Receiving._decrypt`; nothing of the records that are there whole is left behind."""
    clear = []
    try:
        while part := tls.read(RECORD_BYTES):
            clear.append(part)
            if not incoming.pending and not tls.pending():  # as for nearly each token: an exception would say the same
                return b"".join(clear), None
    except ssl.SSLWantReadError:
        return b"".join(clear), None
    except ssl.SSLError as error:
        return b"".join(clear), error
    return b"".join(clear), ssl.SSLZeroReturnError()
