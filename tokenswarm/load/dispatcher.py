"""Handing arrivals to users when they are due: one process's share of an open loop."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

import gevent
from gevent.event import AsyncResult

from tokenswarm.load.pacer import Due
from tokenswarm.load.timer import Alarm
from tokenswarm.metrics.record import Phase
from tokenswarm.payloads.prompt import Prompt
from tokenswarm.payloads.seeded import fraction

# A share takes effect this long after the master has told of it; whose an arrival is, is decided a little later than
# that before it is due: then all workers have heard of it.
NOTICE_NS, DECIDE_NS = 600_000_000, 400_000_000
TOO_LATE_NS = 1_000_000_000


class Share(NamedTuple):
    """Every `of`-th arrival, beginning with number `place`, of those due from then to then by the master's clock.

    `places` are (place, of) by class, where they are known.
    """

    from_ns: int
    place: int
    of: int
    places: Mapping[str, tuple[int, int]]
    until_ns: float


class Dispatcher:
    """Walks through all arrivals of the run, as every worker does, and takes those that fall to this process.

    A user without work waits in `wait`. An arrival that finds no user free is told to `drop`, and why, and never sent
    late: a request that waited here would show the server a load that nobody asked for. So is what this process comes
    to a second late or more: it stood still, or it is more than it can send. `ahead_ns` says how far this process's
    clock is ahead of the master's, by which the arrivals are told; `make` makes up the prompt of a trace's arrival, by
    its number. It is the `Pacer` of an open loop.
    """

    scheduled = True

    def __init__(
        self,
        arrivals: Iterator[tuple[float, Prompt | None]],
        seed: int,
        classes: Sequence[Any],
        drop: Callable[[Any, Due, str], None],
        ahead_ns: Callable[[], int] = lambda: 0,
        make: Callable[[Prompt, int], Prompt] = lambda prompt, number: prompt,
    ) -> None:
        self._arrivals, self._seed, self._drop = arrivals, seed, drop
        self._ahead_ns, self._make = ahead_ns, make
        self._classes = [c for c in classes if c.weight > 0]
        self._here: set[Any] = set()  # classes that have a user in this process
        self._free: dict[Any, list[AsyncResult]] = {c: [] for c in classes}
        self._shares: list[Share] = []
        self._greenlet: gevent.Greenlet | None = None

    def share(
        self,
        started_ns: int,
        from_ns: int,
        index: int,
        of: int,
        places: Mapping[str, tuple[int, int]] = MappingProxyType({}),
        until_ns: float = math.inf,
    ) -> None:
        """From then on every `of`-th arrival is this process's, beginning with `index`; ns by the master's clock.

        `places` are the same by class, where the master knows who has users of which. It holds until `until_ns`, or
        longer if it is told again: a worker that hears no more of it may be missed by the master, and its arrivals be
        another's.
        """
        share = Share(from_ns, index, of, places, until_ns)
        if self._shares and self._shares[-1][:4] == share[:4]:
            self._shares.pop()
        self._shares.append(share)
        if self._greenlet is None:
            self._greenlet = gevent.spawn(self._walk, started_ns)

    def restart(self, arrivals: Iterator[tuple[float, Prompt | None]]) -> None:
        """Other arrivals from now on, which nobody has a share in yet; who waits, waits for these."""
        self.stop()
        self._arrivals, self._shares, self._greenlet = arrivals, [], None

    def stop(self) -> None:
        """The run is over: nothing is due any more."""
        if self._greenlet:
            self._greenlet.kill(block=False)

    def wait(self, user: Any, begins: bool = True) -> Due | None:
        """Wait for the next arrival that falls to this user."""
        if not begins:
            return None
        due: AsyncResult = AsyncResult()
        self._here.add(type(user))
        free = self._free[type(user)]
        free.append(due)  # the last one to become free is the first to work: its connection is the warmest
        try:
            found: Due = due.get()
            return found
        finally:
            if due in free:
                free.remove(due)

    def phase(self, user: Any) -> Phase | None:
        """That of the run."""
        return None

    def _walk(self, started_ns: int) -> None:
        alarm = Alarm()
        try:
            for number, (at_s, prompt) in enumerate(self._arrivals):
                told_ns = started_ns + round(at_s * 1e9)
                if told_ns + self._ahead_ns() - time.time_ns() > DECIDE_NS:
                    alarm.sleep_until(told_ns + self._ahead_ns() - DECIDE_NS * 3 // 4)
                if chosen := self._mine(number, told_ns):
                    if prompt and time.time_ns() - told_ns - self._ahead_ns() < TOO_LATE_NS:
                        # 100,000 words take 10 ms: made up before they are due, when the last arrival has been sent.
                        gevent.sleep(0)
                        prompt = self._make(prompt, number)
                    due_ns = told_ns + self._ahead_ns()
                    alarm.sleep_until(due_ns)
                    self._hand(chosen, Due(number, due_ns, prompt))
        finally:
            alarm.close()

    def _mine(self, number: int, told_ns: int) -> Any:
        """The class that an arrival falls to, if that is for this process to ask; else None."""
        held = [share for share in self._shares if share.from_ns <= told_ns]
        if not held or told_ns > held[-1].until_ns:
            return None  # it was due before this worker joined, or is another's by now
        share = held[-1]
        # Where nobody has users of a class, its arrivals would all be dropped: the others share them.
        classes = [c for c in self._classes if (c.__name__ in share.places if share.places else c in self._here)]
        chosen = self._draw(classes or self._classes, number)
        index, of = share.places.get(chosen.__name__, (share.place, share.of))
        return chosen if number % of == index else None

    def _draw(self, classes: Sequence[Any], number: int) -> Any:
        place = fraction(self._seed, "class", number) * sum(c.weight for c in classes)
        for chosen in classes:
            place -= chosen.weight
            if place < 0:
                break
        return chosen

    def _hand(self, chosen: Any, due: Due) -> None:
        late_ns = time.time_ns() - due.ns
        if late_ns >= TOO_LATE_NS:
            self._drop(chosen, due, f"this process came to it {late_ns / 1e9:.0f} s late")
        elif free := self._free[chosen]:
            free.pop().set(due)
        else:
            self._drop(chosen, due, "no client was free")
