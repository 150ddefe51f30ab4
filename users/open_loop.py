"""The open loop of a run (`--arrivals`): shared out over the workers, begun when all users are there."""

import time
from typing import Any

import gevent
from locust.runners import STATE_RUNNING, STATE_SPAWNING, MasterRunner, WorkerRunner

from metrics.record import Identity, Record
from users.arrivals import Arrivals, ArrivalsError, parse
from users.base import LLMUser, Work
from users.dispatcher import NOTICE_NS, Dispatcher
from users.errors import UsageError

SHARE = "tokenswarm_share"
MAX_IN_FLIGHT = 1000
LOOK_S = 0.25


def arrivals(options: Any) -> Arrivals | None:
    """The process of `--arrivals`, None for a closed loop. Raises UsageError."""
    try:
        return parse(options.arrivals) if options.arrivals else None
    except ArrivalsError as error:
        raise UsageError(f"--arrivals: {error}") from None


def size(options: Any) -> None:
    """In an open loop users are clients that wait for arrivals: so many as may be in flight, all at once."""
    if not options.arrivals:
        if options.max_in_flight:
            raise UsageError("--max-in-flight bounds an open loop; give --arrivals too, or --users for a closed one")
        return
    if options.max_in_flight and options.num_users and options.max_in_flight != options.num_users:
        raise UsageError(f"--max-in-flight {options.max_in_flight} and --users {options.num_users}: give one of them")
    if not options.num_users:
        options.num_users = options.max_in_flight or MAX_IN_FLIGHT
    options.spawn_rate = options.spawn_rate or options.num_users


class OpenLoop:
    """One process's part in it, from Locust's events; `Swarm` must have heard of them first."""

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._is_worker = isinstance(environment.runner, WorkerRunner)
        self._is_master = isinstance(environment.runner, MasterRunner)
        self._dispatcher: Dispatcher | None = None
        self._sharing: gevent.Greenlet | None = None
        self._process: Arrivals | None = None

    def listen(self) -> None:
        """Connect to Locust's events."""
        events = self._environment.events
        events.test_start.add_listener(self._on_test_start)
        events.spawning_complete.add_listener(self._on_spawning_complete)
        events.test_stopping.add_listener(self._on_end)
        if self._is_worker:
            self._environment.runner.register_message(SHARE, self._on_share)

    def _on_test_start(self, **_: Any) -> None:
        options = self._environment.parsed_options
        self._process, self._dispatcher = arrivals(options), None
        if self._process and not self._is_master:
            work: Work = self._environment.tokenswarm
            classes = [c for c in self._environment.user_classes if issubclass(c, LLMUser)]
            self._dispatcher = work.dispatcher = Dispatcher(self._process, options.seed, classes, self._drop)

    def _on_spawning_complete(self, **_: Any) -> None:
        if not self._process or self._sharing or self._is_worker:
            return
        started_ns = time.time_ns() + NOTICE_NS
        if self._is_master:
            self._sharing = gevent.spawn(self._share_out, started_ns)
        elif self._dispatcher:
            self._sharing = self._dispatcher
            self._dispatcher.share(started_ns, started_ns, 0, 1)

    def _on_end(self, **_: Any) -> None:
        if self._sharing and self._is_master:
            self._sharing.kill(block=False)
        if self._dispatcher:
            self._dispatcher.stop()
        self._sharing = None

    def _share_out(self, started_ns: int) -> None:
        """Tell each worker which arrivals are its own, and again whenever one has come or gone."""
        runner, known = self._environment.runner, ()
        from_ns = started_ns
        while True:
            there = tuple(sorted(c.id for c in runner.clients.all if c.state in (STATE_RUNNING, STATE_SPAWNING)))
            if there and there != known:
                for index, worker in enumerate(there):
                    share = {"started_ns": started_ns, "from_ns": from_ns, "index": index, "of": len(there)}
                    runner.send_message(SHARE, share, worker)
                known = there
            gevent.sleep(LOOK_S)
            from_ns = max(started_ns, time.time_ns() + NOTICE_NS)

    def _on_share(self, environment: Any, msg: Any, **_: Any) -> None:
        if self._dispatcher:
            self._dispatcher.share(**msg.data)

    def _drop(self, user_class: Any, due_ns: int) -> None:
        """An arrival found no client free: it is counted, with when it was due, and not sent."""
        work: Work = self._environment.tokenswarm
        asked = work.settings.ask
        who = Identity(
            work.worker,
            work.next_sequence(),
            user_class.__name__,
            user_class.api.PATH,
            asked.model,
            "",
            asked.max_tokens,
        )
        error = f"no client was free: {work.health.in_flight} in flight on this worker"
        record = Record(who, "dropped", error, scheduled_ns=due_ns, streamed=False, phase=work.phase())
        self._environment.events.generation.fire(record=record, response_bytes=0)
