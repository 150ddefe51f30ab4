"""One process's part in a capacity search: users are let go for a trial, and held back between two."""

import itertools
import time
from dataclasses import asdict, dataclass
from typing import Any

import gevent
from gevent.event import Event

from tokenswarm.load.arrivals import parse
from tokenswarm.load.dispatcher import Dispatcher
from tokenswarm.load.pacer import Due
from tokenswarm.metrics.record import Phase

TRIAL, PARKED = "tokenswarm_trial", "tokenswarm_parked"


@dataclass(frozen=True, slots=True)
class Begin:
    """What a process is told at a trial's beginning: its number, and its part of the load.

    This process is number `index` of `of`. Closed loop: `users` in all, who begin one after the other over `settle_s`.
    Open loop (`arrivals` is not empty): what is due from `started_ns` on, by the master's clock; what is sent in the
    first `settle_s` after this does not count.
    """

    number: int
    users: int
    settle_s: float
    index: int = 0
    of: int = 1
    arrivals: str = ""
    seed: int = 0
    started_ns: int = 0

    def as_message(self) -> dict[str, Any]:
        """As it goes to a worker."""
        return asdict(self)


class Trials:
    """The gate that the users of one process pass before each request of theirs: the `Pacer` of a capacity search.

    In an open loop (`dispatcher`) those pass that have an arrival.
    """

    def __init__(self, dispatcher: Dispatcher | None = None) -> None:
        self.scheduled, self._dispatcher = dispatcher is not None, dispatcher
        self._open = Event()
        self._now: Begin | None = None
        self._entered: set[int] = set()
        self._asked: set[int] = set()
        self._places = itertools.count()
        self._began_s = 0.0

    def begin(self, now: Begin) -> None:
        """A trial begins."""
        self._now, self._places, self._began_s = now, itertools.count(), time.monotonic()
        self._entered.clear()
        self._asked.clear()
        if now.arrivals and self._dispatcher:
            self._dispatcher.restart((at_s, None) for at_s in parse(now.arrivals).times_s(now.seed))
            self._dispatcher.share(now.started_ns, now.started_ns, now.index, now.of)
        self._open.set()

    def end(self) -> None:
        """No further requests; those under way come to their ends."""
        self._open.clear()
        if self._dispatcher:
            self._dispatcher.stop()

    def wait(self, user: Any, begins: bool = True) -> Due | None:
        """Wait until a trial goes on; in a closed loop users begin one after the other, not as one burst."""
        if self._dispatcher and begins:
            return self._dispatcher.wait(user)
        while not (self._open.is_set() and id(user) in self._entered):
            self._open.wait()
            now = self._now
            assert now is not None
            if id(user) in self._entered or now.arrivals:
                break
            self._entered.add(id(user))
            place = next(self._places) * now.of + now.index
            gevent.sleep(now.settle_s * place / max(1, now.users))
        return None

    def phase(self, user: Any) -> Phase:
        """Of the request that begins now: each user's first one, and what is due in an open loop's settling, are not
        of a steady load."""
        if self._now and self._now.arrivals:
            return "ramp-up" if time.monotonic() < self._began_s + self._now.settle_s else "steady"
        first = id(user) not in self._asked
        self._asked.add(id(user))
        return "ramp-up" if first else "steady"
