"""When bytes arrived, by the kernel's own stamp (Linux) or, elsewhere, by the clock at the callback.

SO_TIMESTAMPNS gives the arrival even if Python was busy, on TCP too; its clock is CLOCK_REALTIME. When the kernel has
merged several unread segments, the stamp is the last one's.
"""

import contextlib
import socket
import struct
import sys
from collections.abc import Iterable

SUPPORTED = sys.platform == "linux"
# From asm-generic/socket.h; Python has no name for it. The control message has the same number and holds two int64.
SO_TIMESTAMPNS = 35
ANCILLARY_BYTES = socket.CMSG_SPACE(16)
_SECONDS_NANOSECONDS = struct.Struct("@qq")
_unpack, _BYTES = _SECONDS_NANOSECONDS.unpack_from, _SECONDS_NANOSECONDS.size
_keeping: list[int] = []  # the descriptor of the socket that keeps stamping switched on


def enable(sock: socket.socket) -> None:
    """Ask for a stamp with every read, where there are any; where not, the reads are dated by the clock."""
    if SUPPORTED:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)


def stamp_ns(ancillary: Iterable[tuple[int, int, bytes]]) -> int | None:
    """The kernel's arrival time in what `recvmsg` gave beside the data, wall-clock ns; None if it bore none."""
    for _, kind, data in ancillary:
        if kind == SO_TIMESTAMPNS and len(data) >= _BYTES:
            seconds, nanoseconds = _unpack(data)
            ns: int = seconds * 1_000_000_000 + nanoseconds
            return ns
    return None


def prime(original_socket: type[socket.socket], tries: int = 50) -> bool:
    """Switch stamping on in the kernel, for as long as this process lives; say whether stamps come.

    Segments that arrive while no socket of the machine asks for stamps bear none, and the kernel turns them on by a
    deferred call: without a socket that keeps asking, the first read of every new connection could go without.
    The returned truth goes into the run's circumstances.
    """
    if _keeping:
        return True
    if not SUPPORTED:
        return False
    with original_socket() as listener, original_socket() as sender:
        listener.bind(("127.0.0.1", 0))
        listener.listen(1)
        sender.connect(listener.getsockname())
        receiver, _ = listener.accept()
        enable(receiver)
        for _ in range(tries):
            sender.sendall(b"x")
            _, ancillary, _, _ = receiver.recvmsg(1, ANCILLARY_BYTES)
            if stamp_ns(ancillary) is not None:
                _keeping.append(receiver.detach())
                return True
        receiver.close()
    return False
