"""The processes of a run behind one interface: the only file that knows Locust's runners (see `tests/unit/test_rooms`).

Tests of what is above it have a `FakeCluster` (tests/support/fake_cluster.py), without processes and ports.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
import zmq.green as zmq
from locust import runners
from locust.exception import RPCError
from locust.rpc import Message, zmqrpc
from locust.runners import (
    HEARTBEAT_DEAD_INTERNAL,
    STATE_MISSING,
    STATE_RUNNING,
    STATE_SPAWNING,
    MasterRunner,
    Runner,
    WorkerRunner,
)

NotSent = RPCError  # a message found no way; Locust connects anew by itself
Handler = Callable[[Any, str], None]  # a message's data, and the id of who sent it
RUNNING = STATE_RUNNING  # as Locust's page is told
LOADED = (STATE_RUNNING, STATE_SPAWNING)
# Locust forgets a worker that has been missing for a minute, and then begins all its users anew, as if there were none.
FORGET_BEFORE = 3


def forget_who_stops() -> None:
    """Have Locust's runners not look for who called their `stop`, for a line of the debug log.

    The first such look goes through all modules: 30 ms. The line says that they could not find out.
    """
    runners.inspect = None


@dataclass(frozen=True, slots=True)
class Worker:
    """A worker as its master sees it; `heartbeat` counts down from 3, once a second, while nothing is heard of it.

    `loaded`: its users run, or are being started; `classes`: those of which it has users, as it said last.
    """

    id: str
    missing: bool = False
    loaded: bool = True
    heartbeat: int = 3
    classes: tuple[str, ...] = ()


def clean_messages(clean: Callable[[Any], Any], redact: Callable[[str], str]) -> None:
    """Have what workers send, and the exceptions that are counted, cleaned.

    What a master sends are the options that its workers need.
    """
    send, log_exception = zmqrpc.BaseSocket.send, Runner.log_exception
    zmqrpc.BaseSocket.send = lambda self, msg: send(self, Message(msg.type, clean(msg.data), msg.node_id))
    Runner.log_exception = lambda self, node, msg, text: log_exception(self, node, redact(msg), redact(text))


class Cluster:
    """One process's place in it: on the master, on a worker, or alone (then both)."""

    def __init__(self, environment: Any) -> None:
        self._environment, self._runner = environment, environment.runner
        self.is_master = isinstance(self._runner, MasterRunner)
        self.is_worker = isinstance(self._runner, WorkerRunner)

    # Messages, and who is there

    def on(self, name: str, handle: Handler, *, concurrent: bool = False) -> None:
        """Have messages of that name handled, one after the other; `concurrent`: each in a greenlet of its own."""
        self._runner.register_message(name, lambda environment, msg, **_: handle(msg.data, msg.node_id), concurrent)

    def send(self, name: str, data: Any = None, to: str | None = None) -> None:
        """A message to the master, or from it to one worker, or to all. Raises NotSent."""
        self._runner.send_message(name, data, to)

    def workers(self) -> tuple[Worker, ...]:
        """On the master: all that have not said goodbye; those that are not heard of any more are `missing`."""
        return tuple(
            Worker(
                client.id,
                client.state == STATE_MISSING,
                client.state in LOADED,
                client.heartbeat,
                tuple(sorted(name for name, users in client.user_classes_count.items() if users)),
            )
            for client in self._runner.clients.all
        )

    def number_of(self, worker_id: str) -> int:
        """On the master: a worker's number, which stays its own when it has gone."""
        return int(self._runner.get_worker_index(worker_id))

    def forget_missing(self) -> None:
        """On the master: forget, before Locust does, the workers that have been missing for long."""
        for client in self._runner.clients.missing:
            if client.heartbeat <= HEARTBEAT_DEAD_INTERNAL + FORGET_BEFORE:
                del self._runner.clients[client.id]

    @property
    def id(self) -> str:
        """A worker's own id."""
        return str(self._runner.client_id)

    @property
    def number(self) -> int:
        """A worker's own number; 0 for any other process."""
        return max(0, self._runner.worker_index) if self._runner else 0

    @property
    def master_silent_s(self) -> float:
        """On a worker: since when nothing was heard of the master."""
        return time.time() - (self._runner.last_heartbeat_timestamp or 0)

    def expect_master(self) -> None:
        """On a worker: count from now on. Else Locust waits for ever for a master that dies just after its welcome."""
        self._runner.last_heartbeat_timestamp = self._runner.last_heartbeat_timestamp or time.time()

    @property
    def is_sealed(self) -> bool:
        """On the master: do only workers with the token reach it (see `run.curve`)?"""
        return bool(self._runner.server.socket.getsockopt(zmq.MECHANISM) == zmq.CURVE)

    # Load

    @property
    def is_running(self) -> bool:
        """Does a run go on?"""
        return self._runner is None or self._runner.state in LOADED  # run_single_user has none

    @property
    def is_settled(self) -> bool:
        """On the master: are all users there that were asked for?"""
        return self._runner.state == STATE_RUNNING and self._runner.spawning_completed

    @property
    def joins_late(self) -> bool:
        """On a worker, before it has heard of any event: did the order to spawn come with the master's welcome?"""
        return bool(self._runner.worker_state == STATE_SPAWNING)

    @property
    def users(self) -> int:
        """How many run now."""
        return int(self._runner.user_count) if self._runner else 1

    @property
    def target_users(self) -> int:
        """How many are to run."""
        return int(self._runner.target_user_count) if self._runner else 1

    def start(self, users: int | None = None, per_s: float | None = None) -> None:
        """Have so many users run, so many more (or fewer) a second; without numbers share the same out again."""
        users = self._runner.target_user_count if users is None else users
        self._runner.start(users, self._runner.spawn_rate if per_s is None else per_s)

    def before_start(self, heard: Callable[[int], None]) -> None:
        """Have it told, just before, whenever so many users are to run, whoever asks for them."""
        if self._runner is None:  # run_single_user
            return
        start = self._runner.start

        def tell_and_start(user_count: int, *more: Any, **named: Any) -> Any:
            heard(int(user_count))
            return start(user_count, *more, **named)

        self._runner.start = tell_and_start

    def stop(self) -> None:
        """End the run in this process (on the master: in all)."""
        self._runner.stop()

    def end(self) -> None:
        """End the run; without a web UI, in which another may follow, the process with it."""
        (self._runner.quit if self._environment.parsed_options.headless else self._runner.stop)()

    @property
    def may_wait(self) -> bool:
        """May this greenlet wait, or is it a user's, or the one that takes in the workers' messages?"""
        here, runner = gevent.getcurrent(), self._runner
        listens = self.is_master and here in runner.greenlet and here is not runner.shape_greenlet
        return here not in runner.user_greenlets and not listens
