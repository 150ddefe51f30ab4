"""Calls the engine when something is due: one timer of the event loop for all streams."""

import asyncio
import gc
import time

from tokenswarm.simulator.engine.schedule import Engine
from tokenswarm.simulator.settings import NS_PER_S
from tokenswarm.simulator.truth import Ledger

_HOUSEKEEPING_S = 0.5
_COLLECT_S = 300.0


class EngineTimer:
    """The engine's timer. asyncio's selector waits in whole milliseconds: a step is up to 1 ms late even when idle."""

    def __init__(self, engine: Engine, ledger: Ledger) -> None:
        self._engine, self._ledger = engine, ledger
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._due_ns: int | None = None
        self._collected_s = 0.0
        self._served = 0

    def arm(self) -> None:
        """Set the timer to what is due next; to be called whenever a job came or went."""
        due_ns = self._engine.next_due_ns()
        if self._timer is not None and due_ns == self._due_ns:
            return
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._loop is None:
            self._loop = asyncio.get_running_loop()
            self._collected_s = self._loop.time()
            self._loop.call_later(_HOUSEKEEPING_S, self._keep_house)
        self._due_ns = due_ns
        if due_ns is not None:
            # asyncio's clock is time.monotonic, the engine's time.monotonic_ns: the same one.
            self._timer = self._loop.call_at(due_ns / NS_PER_S, self._wake)

    def _wake(self) -> None:
        self._timer = None
        try:
            self._engine.advance()
        finally:
            self.arm()

    def _keep_house(self) -> None:
        """Flush the log, and collect garbage while nobody waits for a token.

        Python's own collector is off (see `__main__`): a full collection with 300 streams takes 22 ms, in
        which every token is late. Hardly anything here needs it, so under load that never ends it may wait for minutes.
        """
        assert self._loop is not None
        self._ledger.flush()
        idle = self._engine.accepted == 0
        served = self._ledger.count_served()
        if served != self._served and (idle or self._loop.time() - self._collected_s > _COLLECT_S):
            gc.collect()
            self._collected_s, self._served = self._loop.time(), served
        self._loop.call_later(_HOUSEKEEPING_S, self._keep_house)


def wall_minus_clock_ns() -> int:
    """What to add to the engine's clock to get wall-clock ns: read for each request, as the wall clock is steered."""
    return time.time_ns() - time.monotonic_ns()
