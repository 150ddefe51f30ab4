"""`python -m bench.truth_server`: a server that knows to microseconds what it did, and keeps up with 1,000 streams.

It decodes in steps, like an engine with continuous batching: every `--step-ms` all active streams get one token, in one
pass; a request joins at the first step that begins `--prefill-ms` after it was read. `--step-ms 0` answers at once, in
one write. It speaks streamed /api/chat and /v1/chat/completions, and what clients ask before; an answer is as long as
the request allows, else `--output-tokens`. When it listens it prints `truth server: listening on URL`. GET /truth gives
what it did, and forgets it (see `bench.truth_log`).

One thread, plain non-blocking sockets, one `send` a token. Nothing here is shared with the product: the same mistake on
both sides would not be seen.
"""

import argparse
import asyncio
import gc
import signal
import socket
import ssl
from pathlib import Path

from bench.truth_connection import ANCILLARY_BYTES, SO_TIMESTAMPNS, Connection, stamp_ns
from bench.truth_engine import Engine, Settings

LISTENS = "truth server: listening on "
BACKLOG = 4096


def prime(listener: socket.socket, tries: int = 100) -> bool:
    """Ask for stamps on the listener, which every accepted socket inherits, and wait until they come.

    The kernel stamps as long as some socket asks for it, and it switches that on by a deferred call.
    """
    try:
        listener.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    except OSError:
        return False
    with (
        socket.create_server(("127.0.0.1", 0)) as throwaway,
        socket.create_connection(throwaway.getsockname()) as sender,
        throwaway.accept()[0] as receiver,
    ):
        receiver.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
        for _ in range(tries):
            sender.sendall(b"x")
            if stamp_ns(receiver.recvmsg(1, ANCILLARY_BYTES)[1]) is not None:
                return True
    return False


async def serve(listener: socket.socket, settings: Settings, context: ssl.SSLContext | None) -> None:
    """Serve until SIGINT or SIGTERM."""
    loop = asyncio.get_running_loop()
    engine, ended = Engine(loop, settings), asyncio.Event()

    def accept() -> None:
        while True:
            try:
                sock, address = listener.accept()
            except BlockingIOError:
                return
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            Connection(sock, address[1], engine, context)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, ended.set)
    loop.add_reader(listener, accept)
    gc.collect()
    gc.freeze()
    gc.disable()  # connections leave no cycles behind, and a collection would stop all streams
    scheme = "https" if context else "http"
    host, port = listener.getsockname()[:2]
    print(f"{LISTENS}{scheme}://{host}:{port}", flush=True)
    await ended.wait()


def main() -> None:
    """Listen, say where, serve."""
    parser = argparse.ArgumentParser(prog="bench.truth_server", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--step-ms", type=float, default=20.0, help="time of a token; 0: answers at once")
    parser.add_argument("--prefill-ms", type=float, default=20.0)
    parser.add_argument("--output-tokens", type=int, default=200, help="of a request that asks for no limit")
    parser.add_argument("--model", default="sim", help="the model's name in listings; any name is answered")
    parser.add_argument("--keep-no-truth", action="store_true", help="log no requests, for runs of millions")
    parser.add_argument("--tls-cert", type=Path)
    parser.add_argument("--tls-key", type=Path)
    given = parser.parse_args()
    context = None
    if given.tls_cert:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(given.tls_cert, given.tls_key)
    settings = Settings(
        given.step_ms / 1e3, given.prefill_ms / 1e3, given.output_tokens, given.model, not given.keep_no_truth
    )
    with socket.create_server((given.host, given.port), backlog=BACKLOG) as listener:
        listener.setblocking(False)
        if not prime(listener):
            print("truth server: the kernel gives no time stamps; arrivals are dated when they are read", flush=True)
        asyncio.run(serve(listener, settings, context))


if __name__ == "__main__":
    main()
