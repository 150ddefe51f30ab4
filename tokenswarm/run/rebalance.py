"""Load that follows the workers: on the master, whoever comes or goes in the middle of a run, its totals stay."""

import time
from typing import TYPE_CHECKING, Any

import gevent

if TYPE_CHECKING:
    from tokenswarm.run.lifecycle import RunLifecycle

LOOK_S = 0.25


class Rebalancer:
    """Notes which workers come and go, in run.json at once, and has Locust share its users out again.

    Locust does that by itself only with --enable-rebalancing, and not every time.
    """

    def __init__(self, lifecycle: "RunLifecycle") -> None:
        self._lifecycle, self._cluster = lifecycle, lifecycle.cluster
        self._greenlet: gevent.Greenlet | None = None

    def listen(self, events: Any) -> None:
        """Connect to Locust's events; `RunLifecycle` must have heard of them first."""
        if self._cluster.is_master:
            events.test_start.add_listener(self._on_test_start)
            events.test_stopping.add_listener(self._on_test_stopping)

    def _on_test_start(self, **_: Any) -> None:
        self._attendance: list[dict[str, Any]] = []
        self._there: set[str] = set()
        self._look()  # before the first order to spawn, which tells the workers of it
        self._greenlet = gevent.spawn(self._follow)

    def _on_test_stopping(self, **_: Any) -> None:
        if self._greenlet and self._greenlet is not gevent.getcurrent():
            self._greenlet.kill()
        self._greenlet = None

    def _follow(self) -> None:
        behind = False
        while True:
            gevent.sleep(LOOK_S)
            self._cluster.forget_missing()
            behind = self._look() or behind  # Locust's users do not follow yet
            if behind and self._there and self._cluster.is_settled:
                behind = False
                self._cluster.start()

    def _look(self) -> bool:
        """Has anyone come or gone? Then run.json says so from now on."""
        now = {worker.id for worker in self._cluster.workers() if not worker.missing}
        if now == self._there:
            return False
        self._attendance += self._changes(self._there, now)
        self._there = now
        if self._lifecycle.recorder:
            self._lifecycle.recorder.tell(attendance=self._attendance)
        return True

    def _changes(self, before: set[str], now: set[str]) -> list[dict[str, Any]]:
        connected, at = {worker.id for worker in self._cluster.workers()}, round(time.time(), 3)
        known = {entry["client"] for entry in self._attendance}
        what = {client: "back" if client in known else "joined" for client in now - before}
        what |= {client: "lost" if client in connected else "left" for client in before - now}
        return [
            {"at_unix_s": at, "what": said, "worker": self._cluster.number_of(client), "client": client}
            for client, said in sorted(what.items())
        ]
