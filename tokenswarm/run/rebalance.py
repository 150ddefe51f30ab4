"""Load that follows the workers: on the master, whoever comes or goes in the middle of a run, its totals stay."""

import time
from typing import TYPE_CHECKING, Any

import gevent
from locust.runners import HEARTBEAT_DEAD_INTERNAL, STATE_MISSING, STATE_RUNNING

if TYPE_CHECKING:
    from tokenswarm.run.lifecycle import RunLifecycle

LOOK_S = 0.25
# Locust forgets a worker that has been missing for a minute, and then begins all its users anew, as if there were none.
FORGET_BEFORE = 3


class Rebalancer:
    """Notes which workers come and go, in run.json at once, and has Locust share its users out again.

    Locust does that by itself only with --enable-rebalancing, and not every time.
    """

    def __init__(self, environment: Any, lifecycle: "RunLifecycle") -> None:
        self._environment, self._lifecycle = environment, lifecycle
        self._greenlet: gevent.Greenlet | None = None

    def listen(self) -> None:
        """Connect to Locust's events; `RunLifecycle` must have heard of them first."""
        self._environment.events.test_start.add_listener(self._on_test_start)
        self._environment.events.test_stopping.add_listener(self._on_test_stopping)

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
        runner, behind = self._environment.runner, False
        while True:
            gevent.sleep(LOOK_S)
            self._forget()
            behind = self._look() or behind  # Locust's users do not follow yet
            if behind and self._there and runner.state == STATE_RUNNING and runner.spawning_completed:
                behind = False
                runner.start(runner.target_user_count, runner.spawn_rate)

    def _look(self) -> bool:
        """Has anyone come or gone? Then run.json says so from now on."""
        now = {client.id for client in self._environment.runner.clients.all if client.state != STATE_MISSING}
        if now == self._there:
            return False
        self._attendance += self._changes(self._there, now)
        self._there = now
        if self._lifecycle.recorder:
            self._lifecycle.recorder.tell(attendance=self._attendance)
        return True

    def _changes(self, before: set[str], now: set[str]) -> list[dict[str, Any]]:
        runner, at = self._environment.runner, round(time.time(), 3)
        known = {entry["client"] for entry in self._attendance}
        what = {client: "back" if client in known else "joined" for client in now - before}
        what |= {client: "lost" if client in runner.clients else "left" for client in before - now}
        return [
            {"at_unix_s": at, "what": said, "worker": runner.get_worker_index(client), "client": client}
            for client, said in sorted(what.items())
        ]

    def _forget(self) -> None:
        runner = self._environment.runner
        for client in runner.clients.missing:
            if client.heartbeat <= HEARTBEAT_DEAD_INTERNAL + FORGET_BEFORE:
                del runner.clients[client.id]
