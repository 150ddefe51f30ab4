"""When requests really left: a packet socket on the loopback interface, with the kernel's own stamps.

The server's word for it would be unfair to a client: a request waits in the server's socket while the server is busy.
Needs Linux and CAP_NET_RAW.
"""

import ctypes
import re
import socket
import struct
import threading

SO_TIMESTAMPNS, SO_ATTACH_FILTER, ETH_P_IP = 35, 26, 0x0800
_REQUEST_ID = re.compile(rb"x-request-id: ([^\r\n]+)", re.IGNORECASE)


def _filter(port: int) -> bytes:
    """Classic BPF: IPv4, TCP to `port`, longer than a bare acknowledgement."""
    instructions = [
        (0x28, 0, 0, 12),  # ethertype
        (0x15, 0, 7, ETH_P_IP),
        (0x30, 0, 0, 23),  # protocol
        (0x15, 0, 5, socket.IPPROTO_TCP),
        (0x28, 0, 0, 16),  # total length
        (0x25, 0, 3, 120),
        (0xB1, 0, 0, 14),  # header length into x
        (0x48, 0, 0, 16),  # destination port
        (0x15, 1, 0, port),
        (0x06, 0, 0, 0),
        (0x06, 0, 0, 65535),
    ]
    return b"".join(struct.pack("HBBI", *instruction) for instruction in instructions)


class Tap:
    """`left_ns` is filled in the background: X-Request-Id → wall-clock ns at which its packet was sent.

    Raises PermissionError without CAP_NET_RAW.
    """

    def __init__(self, port: int) -> None:
        self.left_ns: dict[str, int] = {}
        self._socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
        self._program = ctypes.create_string_buffer(_filter(port))
        count = len(_filter(port)) // 8
        program = struct.pack("HL", count, ctypes.addressof(self._program))
        self._socket.setsockopt(socket.SOL_SOCKET, SO_ATTACH_FILTER, program)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self._socket.bind(("lo", 0))
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        while True:
            packet, ancillary, _, _ = self._socket.recvmsg(4096, 64)
            if found := _REQUEST_ID.search(packet):
                seconds, nanoseconds = struct.unpack_from("@qq", ancillary[0][2])
                # The loopback interface shows each packet twice, going out and coming in: the first counts.
                self.left_ns.setdefault(found[1].decode(), seconds * 1_000_000_000 + nanoseconds)
