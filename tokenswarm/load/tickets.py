"""Tickets: a run that ends after so many requests, or asks each prompt once, deals them out to its processes."""

import time
from collections import deque
from collections.abc import Callable
from itertools import chain, islice
from typing import Any

from gevent.event import Event

from tokenswarm.load.pacer import Due
from tokenswarm.metrics.record import Phase

AGAIN_S = 1.0  # after which a process that got no tickets asks again: a message may have been lost


class Over(Exception):
    """There are no more tickets, nor will there be: the run ends."""


class Desk:
    """Where a run's tickets, 0 to `total` - 1, are dealt out: on the master, or in the one process there is.

    `key` is what a ticket is known by when it is done: its prompt's id, or nothing where one is as good as another.
    """

    def __init__(self, total: int, key: Callable[[int], str] = lambda _: "") -> None:
        self.total, self.done = total, 0
        self._key = key
        self._left = total
        self._fresh, self._back = iter(range(total)), deque[int]()
        self._dealt: dict[str, list[int]] = {}
        self._open: dict[str, list[int]] = {}

    @property
    def over(self) -> bool:
        """Have all tickets been used, and their requests ended?"""
        return self.done >= self.total

    def deal(self, who: str, up_to: int, among: int) -> list[int]:
        """All tickets that a process has got, now `up_to` of them, or fewer: the last ones are for all, `among` many.

        The same question gets the same answer, so that a message may be lost.
        """
        dealt = self._dealt.setdefault(who, [])
        most = max(1, self._left // (2 * among))
        new = list(islice(chain(self._returned(), self._fresh), max(0, min(up_to - len(dealt), most))))
        self._left -= len(new)
        dealt += new
        self._open.setdefault(who, []).extend(new)
        return dealt

    def _returned(self) -> Any:
        while self._back:
            yield self._back.popleft()

    def end(self, who: str, key: str = "") -> None:
        """A process has used a ticket: the row of its request is here."""
        held = self._open.get(who, [])
        ticket = next((one for one in held if self._key(one) == key), None)
        if ticket is not None:
            held.remove(ticket)
            self.done += 1

    def forget(self, who: str) -> bool:
        """A process is gone: what it had not used is others'. Was there any?"""
        held = self._open.pop(who, [])
        self._back.extend(held)
        self._left += len(held)
        return bool(held)


class Stock:
    """The tickets of one process. `ask` tells the desk how many it wants to have had, all told."""

    def __init__(self, ask: Callable[[int], None]) -> None:
        self._ask = ask
        self._numbers, self._came = deque[int](), Event()
        self._had = self._taken = self._waiting = self._asked = self._busiest = 0
        self._asked_s, self._closed = 0.0, False

    def add(self, dealt: list[int]) -> None:
        """All that the desk has dealt to this process so far."""
        self._numbers.extend(dealt[self._had :])
        self._had = max(self._had, len(dealt))
        self._came.set()

    def take(self, stops: Callable[[], bool]) -> int:
        """The next ticket, waiting for it if need be. Raises Over, also if who waited is to stop."""
        self._waiting += 1
        self._busiest = max(self._busiest, self._waiting)
        try:
            self._want()
            while not self._numbers:
                if self._closed:
                    raise Over
                self._came.clear()
                if not self._came.wait(AGAIN_S) and time.monotonic() > self._asked_s + AGAIN_S:
                    self._ask_now()
            if stops():
                raise Over
            self._taken += 1
            return self._numbers.popleft()
        finally:
            self._waiting -= 1

    def give_back(self, number: int) -> None:
        """A ticket was not used to its end: the next one who waits has it."""
        if not self._closed:
            self._numbers.appendleft(number)
            self._came.set()

    def close(self) -> None:
        """The run ends."""
        self._closed = True
        self._numbers.clear()
        self._came.set()

    def _want(self) -> None:
        """Ask before the last one is gone, for as many as are wanted at once when most users wait."""
        wanted = self._taken + self._waiting + self._busiest
        if self._asked < wanted - self._busiest // 2:
            self._asked = wanted
            self._ask_now()

    def _ask_now(self) -> None:
        self._asked_s = time.monotonic()
        self._ask(self._asked)


class OneEach:
    """The pacer of a closed loop in which each request needs a ticket."""

    scheduled = False

    def __init__(self, stock: Stock, stops: Callable[[Any], bool]) -> None:
        self._stock, self._stops = stock, stops

    def wait(self, user: Any, begins: bool = True) -> Due | None:
        """Until there is a ticket. Raises Over."""
        self._stock.take(lambda: self._stops(user))
        return None

    def phase(self, user: Any) -> Phase | None:
        """That of the run."""
        return None
