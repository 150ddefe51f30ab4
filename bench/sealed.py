"""`python -m bench.sealed`: what it costs to seal what master and workers say to each other (tokenswarm/run/curve.py).

Both ends of Locust's own sockets in this process, so its CPU time is that of both, ZeroMQ's threads included. Sealed
and plain take turns; the figure is the median of the rounds.
"""

import time
from statistics import median
from typing import Any

import gevent
from locust.rpc import Message, zmqrpc

from bench.markdown import table
from tokenswarm.run import curve as sealed

ROUNDS = 7
# Name: (bytes of rows in a message, messages a round). A row of requests.csv has some 500 bytes.
MESSAGES = {"a heartbeat": (0, 4000), "100 rows": (50_000, 1000), "4,000 rows": (2_000_000, 60)}


def cpu_us(size_bytes: int, times: int) -> float:
    """CPU of both ends for one message from a worker to the master and its acknowledgement, µs."""
    server: Any = zmqrpc.Server("127.0.0.1", 0)
    client: Any = zmqrpc.Client("127.0.0.1", server.port, "w")
    message = Message("stats", {"rows": b"x" * size_bytes}, "w")

    def answer() -> None:
        for _ in range(times + 1):
            server.recv_from_client()
            server.send_to_client(Message("heartbeat", None, "w"))

    answering = gevent.spawn(answer)
    client.send(message)
    client.recv()  # connected
    began_ns = time.process_time_ns()
    for _ in range(times):
        client.send(message)
        client.recv()
    spent_ns = time.process_time_ns() - began_ns
    answering.join()
    client.close(linger=0)
    server.close(linger=0)
    return spent_ns / times / 1e3


def main() -> None:
    """The table."""
    sealed.install()
    rows = []
    for name, (size_bytes, times) in MESSAGES.items():
        spent: dict[bool, list[float]] = {False: [], True: []}
        for _ in range(ROUNDS):
            for on in (False, True):
                sealed.Seal.keys = sealed.keys("a token for this benchmark") if on else None
                spent[on].append(cpu_us(size_bytes, times))
        plain_us, sealed_us = median(spent[False]), median(spent[True])
        more = f"{(sealed_us - plain_us) / (size_bytes / 500):.2f}" if size_bytes else "–"
        rows.append((name, f"{plain_us:.0f}", f"{sealed_us:.0f}", f"{sealed_us / plain_us:.2f}", more))
    print(table(("message", "plain, µs", "sealed, µs", "ratio", "more per row, µs"), rows))


if __name__ == "__main__":
    main()
