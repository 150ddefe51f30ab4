"""A cluster without processes: what a test has it see, and what was done to it."""

from collections.abc import Callable
from typing import Any

import gevent

from tokenswarm.run.cluster import Cluster, Handler, Worker


class FakeCluster(Cluster):
    """The cluster of one process: `sent` are (name, data, to), `done` are the starts and ends of load asked for."""

    is_running = is_settled = False
    joins_late = is_sealed = False
    may_wait = True
    id, number, users, target_users = "", 0, 0, 0
    master_silent_s = 0.0

    def __init__(self, role: str = "alone", *there: Worker) -> None:
        self.is_master, self.is_worker = role == "master", role == "worker"
        self.id = "me" if self.is_worker else ""
        self.there = list(there)
        self.sent: list[tuple[str, Any, str | None]] = []
        self.done: list[tuple[object, ...]] = []
        self._handlers: dict[str, Handler] = {}
        self._numbers: dict[str, int] = {}

    def hear(self, name: str, data: Any, sender: str = "master") -> None:
        """A message comes in."""
        self._handlers[name](data, sender)

    def of(self, name: str) -> list[Any]:
        """The data of all messages of that name that were sent."""
        return [data for sent, data, _ in self.sent if sent == name]

    def on(self, name: str, handle: Handler, *, concurrent: bool = False) -> None:
        self._handlers[name] = handle

    def send(self, name: str, data: Any = None, to: str | None = None) -> None:
        self.sent.append((name, data, to))

    def workers(self) -> tuple[Worker, ...]:
        return tuple(self.there)

    def number_of(self, worker_id: str) -> int:
        return self._numbers.setdefault(worker_id, len(self._numbers))

    def forget_missing(self) -> None:
        """Nobody is missing for long in a test."""

    def expect_master(self) -> None:
        """It is there."""

    def start(self, users: int | None = None, per_s: float | None = None) -> None:
        self.done.append(("start", users, per_s))
        self.target_users = self.target_users if users is None else users

    def before_start(self, heard: Callable[[int], None]) -> None:
        self._heard = heard

    def order(self, users: int) -> None:
        """Somebody asks for so many users."""
        self._heard(users)
        self.target_users = users

    def stop(self) -> None:
        self.done.append(("stop",))

    def end(self) -> None:
        self.done.append(("end",))


def wait_until(true: Callable[[], object]) -> None:
    """Let the greenlets go on until it is so; gevent.Timeout after 10 s."""
    with gevent.Timeout(10):
        while not true():
            gevent.sleep(0.001)
