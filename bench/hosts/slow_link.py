"""A slow, lossy link where the kernel has no `netem`: a process that takes each frame and sends it on later, or never.

`python -m bench.hosts.slow_link relay LEFT RIGHT DELAY_MS LOSS SEED` joins two interfaces until it is ended.
`python -m bench.hosts.slow_link plain INTERFACE…` has their frames be as they would be on a wire, checksum and all.
"""

import ctypes
import fcntl
import heapq
import random
import select
import socket
import struct
import sys
import time
from contextlib import suppress

_ALL_PROTOCOLS, _LARGEST_FRAME = 0x0003, 65_536
# From linux/ethtool.h and linux/sockios.h.
_SIOCETHTOOL, _SET_TX_CHECKSUM, _SET_GSO, _SET_GRO = 0x8946, 0x17, 0x24, 0x2C


def plain(interface: str) -> None:
    """No checksum is left to the hardware (there is none), no frame is larger than the wire allows."""
    with socket.socket() as sock:
        for command in (_SET_TX_CHECKSUM, _SET_GSO, _SET_GRO):
            value = ctypes.create_string_buffer(struct.pack("=II", command, 0))
            request = struct.pack("16sP", interface.encode(), ctypes.addressof(value))
            fcntl.ioctl(sock, _SIOCETHTOOL, request)


def relay(left: str, right: str, delay_s: float, loss: float, seed: int) -> None:
    """Pass frames between two interfaces for ever; those of an interface that is down are lost."""
    chance = random.Random(seed)
    sockets = {}
    for name in (left, right):
        sockets[name] = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS))
        sockets[name].bind((name, 0))
        sockets[name].setblocking(False)
    other = {sockets[left]: sockets[right], sockets[right]: sockets[left]}
    waiting: list[tuple[float, int, socket.socket, bytes]] = []
    number = 0
    while True:
        patience_s = max(0.0, waiting[0][0] - time.monotonic()) if waiting else None
        for sock in select.select(list(other), [], [], patience_s)[0]:
            with suppress(OSError):
                frame, (_, _, kind, *_) = sock.recvfrom(_LARGEST_FRAME)
                if kind != socket.PACKET_OUTGOING and chance.random() >= loss:
                    number += 1
                    heapq.heappush(waiting, (time.monotonic() + delay_s, number, other[sock], frame))
        while waiting and waiting[0][0] <= time.monotonic():
            _, _, onto, frame = heapq.heappop(waiting)
            with suppress(OSError):
                onto.send(frame)


if __name__ == "__main__":
    if sys.argv[1] == "plain":
        for each in sys.argv[2:]:
            plain(each)
    else:
        relay(sys.argv[2], sys.argv[3], float(sys.argv[4]) / 1000, float(sys.argv[5]), int(sys.argv[6]))
