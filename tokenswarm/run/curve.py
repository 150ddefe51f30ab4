"""The sockets between master and workers: sealed by ZeroMQ's CURVE where there is a token, and bounded in any case.

CURVE is ZeroMQ's own security: both sides prove that they hold their key before the first message, and all messages are
encrypted, authenticated and safe from replay, by libsodium in ZeroMQ's own thread. Both key pairs are made from the
token, so that who knows it can be a worker or a master, and nobody else can be either. Who cannot prove it never gets
as far as Locust: the master's socket has no such client, so nothing is sent to it and nothing that it sends is read.
"""

import hashlib
import logging
import os
import socket
import struct
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar

import gevent
import zmq.green as zmq
from locust.exception import RPCError, RPCReceiveError
from locust.rpc import zmqrpc
from locust.runners import MasterRunner
from zmq.utils import z85

from tokenswarm.metrics.validity.rules import make_finding

# A batch of rows has a tenth of it (see tokenswarm/folder/spool.py); ZeroMQ hangs up on a longer message at its header.
MOST_BYTES = 64 << 20
SAY_AGAIN_S, MOST_NAMES = 60.0, 1000
FAILED = zmq.EVENT_HANDSHAKE_FAILED_PROTOCOL | zmq.EVENT_HANDSHAKE_FAILED_AUTH
# A worker with another token is not told why the master hangs up. (A master hears the same of one who only looked
# whether the port is open.)
HUNG_UP = zmq.EVENT_HANDSHAKE_FAILED_NO_DETAIL
EVENT = struct.Struct("=hi")  # in a monitor's message: which, and its value
OF_A_WORKER = HUNG_UP | FAILED | zmq.EVENT_HANDSHAKE_SUCCEEDED | zmq.EVENT_MONITOR_STOPPED
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Keys:
    """Two Curve25519 key pairs, as Z85 text."""

    master: bytes
    worker: bytes

    @property
    def master_public(self) -> bytes:
        return bytes(zmq.curve_public(self.master))

    @property
    def worker_public(self) -> bytes:
        return bytes(zmq.curve_public(self.worker))


@lru_cache
def keys(token: str) -> Keys:
    """Both key pairs of a token; scrypt takes 50 ms, so that a short token is not tried out at leisure."""
    made = hashlib.scrypt(token.encode(), salt=b"tokenswarm worker protocol 1", n=2**14, r=8, p=1, dklen=64)
    return Keys(z85.encode(made[:32]), z85.encode(made[32:]))


class Seal:
    """What holds for the sockets that Locust makes in this process from now on."""

    keys: Keys | None = None
    refused: ClassVar[Counter[str]] = Counter()  # connections to the master, by their address


def install() -> None:
    """Have Locust's sockets sealed as they are made, before they are bound or connected."""
    original = zmqrpc.BaseSocket.__init__

    def init_sealed(self: Any, sock_type: int, ipv4_only: bool) -> None:
        original(self, sock_type, ipv4_only)
        self.socket.setsockopt(zmq.MAXMSGSIZE, MOST_BYTES)
        (_master if sock_type == zmq.ROUTER else _worker)(self.socket, Seal.keys)

    if original.__module__ != __name__:  # Locust loads a locustfile twice where another begins with it
        zmqrpc.BaseSocket.__init__ = init_sealed
        zmqrpc.BaseSocket.recv_from_client = _readable(zmqrpc.BaseSocket.recv_from_client)
        MasterRunner.handle_message = _surviving(MasterRunner.handle_message)


def _readable(receive: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Locust's master hears nobody any more after bytes that are no message; an RPCReceiveError it survives."""

    def receive_readable(self: Any) -> Any:
        try:
            return receive(self)
        except (RPCError, RPCReceiveError):
            raise
        except Exception as error:
            raise RPCReceiveError(f"no message of a worker: {error!r}") from error

    return receive_readable


def _surviving(handle: Callable[[Any, str, Any], None]) -> Callable[[Any, str, Any], None]:
    """The same for a message that holds what no worker says."""

    def handle_all(self: Any, client_id: str, msg: Any) -> None:
        try:
            handle(self, client_id, msg)
        except Exception as error:
            logger.exception(f"The message {msg!r} could not be handled: {error!r}")

    return handle_all


def _master(sock: Any, keys: Keys | None) -> None:
    if not keys:
        return
    sock.curve_server, sock.curve_secretkey = True, keys.master
    # ZeroMQ asks at this address, by its own small protocol (ZAP, RFC 27), about each client that has proved its key.
    door = sock.context.socket(zmq.REP)
    door.bind("inproc://zeromq.zap.01")
    keeper = gevent.spawn(_keep_the_door, door, z85.decode(keys.worker_public))
    gevent.spawn(_watch_master, sock.get_monitor_socket(), keeper)


def _worker(sock: Any, keys: Keys | None) -> None:
    if keys:
        sock.curve_serverkey, sock.curve_publickey, sock.curve_secretkey = (
            keys.master_public,
            keys.worker_public,
            keys.worker,
        )
    gevent.spawn(_watch_worker, sock.get_monitor_socket(OF_A_WORKER))


def _keep_the_door(door: Any, known: bytes) -> None:
    with door:
        while True:
            version, request, *_, mechanism, key = door.recv_multipart()
            status = b"200" if (mechanism, key) == (b"CURVE", known) else b"400"
            door.send_multipart([version, request, status, b"", b"", b""])


def _watch_master(monitor: Any, keeper: gevent.Greenlet) -> None:
    """Count who is turned away; an event of a refusal comes between those of the connection's begin and end."""
    peers: dict[int, str] = {}
    failed, said_s = 0, dict[str, float]()
    for event, value, _ in _events(monitor):
        if event == zmq.EVENT_ACCEPTED:
            peers[value] = _peer(value)
        elif event & FAILED:
            failed += 1
        elif event == zmq.EVENT_DISCONNECTED:
            peer = peers.pop(value, "")
            if failed:
                failed -= 1
                _say_refused(peer or "an address unknown", said_s)
    monitor.close()
    keeper.kill()


def _events(monitor: Any) -> Iterator[tuple[int, int, str]]:
    """(event, value, endpoint) until the monitor stops. zmq.utils.monitor, which reads them, brings asyncio along."""
    while True:
        head, endpoint = monitor.recv_multipart()
        event, value = EVENT.unpack(head)
        if event == zmq.EVENT_MONITOR_STOPPED:
            return
        yield event, value, endpoint.decode()


def _peer(descriptor: int) -> str:
    try:  # it may have been closed again already
        with socket.socket(fileno=os.dup(descriptor)) as connection:
            return str(connection.getpeername()[0]).removeprefix("::ffff:")
    except OSError:
        return ""


def _say_refused(peer: str, said_s: dict[str, float]) -> None:
    peer = peer if peer in Seal.refused or len(Seal.refused) < MOST_NAMES else "further addresses"
    Seal.refused[peer] += 1
    if time.monotonic() - said_s.get(peer, -SAY_AGAIN_S) >= SAY_AGAIN_S:
        said_s[peer] = time.monotonic()
        logger.warning(
            f"Refused a connection to the workers' port from {peer}: no worker token, or another "
            f"({Seal.refused[peer]} so far; said at most once a minute)"
        )


def _watch_worker(monitor: Any) -> None:
    """Say why there is no connection. Where it is certain (and there never was one), the process ends: exit code 2."""
    connected, said_s = False, -SAY_AGAIN_S
    for event, _, master in _events(monitor):
        if event == zmq.EVENT_HANDSHAKE_SUCCEEDED:
            connected = True
        elif event & FAILED and not connected:
            print(f"tokenswarm: error: {master} and this worker have not the same worker token", file=sys.stderr)
            sys.exit(2)
        elif time.monotonic() - said_s >= SAY_AGAIN_S:
            said_s = time.monotonic()
            logger.error(f"{master} hung up before the first word: has it the same worker token? Trying again")
    monitor.close()


def strangers() -> list[dict[str, Any]]:
    """A finding about those turned away since this was last asked."""
    refused, Seal.refused = Seal.refused, Counter()
    if not refused:
        return []
    names = ", ".join(f"{peer} ({times}×)" for peer, times in refused.most_common(5))
    more = f" and {len(refused) - 5} more" if len(refused) > 5 else ""
    what = f"connections to the workers' port were refused, for want of the worker token: from {names}{more}"
    do = "nothing of theirs is in the figures; see whether a worker of yours lacks the token, or who else that is"
    return [make_finding("strangers", "remark", what, do, refused.total(), 0, "connections")]
