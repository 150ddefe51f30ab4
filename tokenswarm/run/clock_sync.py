"""A worker's clock against the master's, measured at its join and every few seconds over Locust's own messages.

A worker asks, the master answers with its wall clock. What is compared is the worker's monotonic clock, so that a step
of its own wall clock takes effect at once, and not with the next answer. Processes of one boot of one system have one
clock: they are ahead by exactly 0, unless the answers cannot be true then (copies of a virtual machine share its boot).
"""

import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import gevent
from gevent.event import Event

from tokenswarm.metrics.clock import ClockOffset, ClockSample, as_run_json, best, extend, take_sample, with_new
from tokenswarm.run.cluster import Cluster, NotSent

ASK, ANSWER = "tokenswarm_clock_ask", "tokenswarm_clock_answer"
BURST, EVERY_S, LOOK_S, PATIENCE_S = 8, 5.0, 0.5, 1.0
_BOOT = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Which boot of which system this process runs on; "" where that is not known."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


def _wall_less_monotonic_ns() -> int:
    """Of a few tries the quickest: between two looks at clocks another process may have its turn."""
    tries = []
    for _ in range(3):
        before_ns, wall_ns, after_ns = time.monotonic_ns(), time.time_ns(), time.monotonic_ns()
        tries.append((after_ns - before_ns, wall_ns - (before_ns + after_ns) // 2))
    return min(tries)[1]


class ClockSync:
    """One process's part in it. `ahead_ns` is that of this process's wall clock, 0 where it is the master's."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._boot = boot_id()
        self._readings: tuple[ClockSample, ...] = ()  # of the monotonic clock
        self._burst_of: list[ClockSample] = []
        self._answered, self._begun = Event(), Event()
        self._shared = self._same_boot = False
        self._new_run()

    def listen(self, events: Any) -> None:
        """Connect to Locust's events and messages."""
        if self._cluster.is_master:
            self._cluster.on(ASK, self._on_ask)
        if self._cluster.is_worker:
            self._cluster.on(ANSWER, self._on_answer)
            events.test_start.add_listener(self._on_test_start)
            gevent.spawn(self._watch)

    @property
    def ahead_ns(self) -> int:
        """How far this process's wall clock is ahead of the master's now."""
        if self._shared or not self._readings:
            return 0
        return best(self._readings, time.monotonic_ns()).ahead_ns + _wall_less_monotonic_ns()

    def as_run_json(self) -> dict[str, Any]:
        """What run.json says of a worker's clock."""
        if not self._cluster.is_worker:
            return {}
        self._look()
        return as_run_json(self._track, self._doubt_ns, self._round_trip_ns, shared=self._shared)

    def _new_run(self) -> None:
        self._track: tuple[ClockOffset, ...] = ()
        self._doubt_ns, self._round_trip_ns = 0.0, 0

    def _on_test_start(self, **_: Any) -> None:
        self._new_run()
        self._begun.set()

    def _watch(self) -> None:
        due_s = 0.0
        while True:
            if self._begun.wait(LOOK_S) or time.monotonic() >= due_s:
                self._begun.clear()
                self._measure()
                due_s = time.monotonic() + EVERY_S
            self._look()

    def _measure(self) -> None:
        """A burst of questions; the answer that came back the fastest counts."""
        self._burst_of = []
        for _ in range(BURST):
            self._answered.clear()
            with suppress(NotSent):
                self._cluster.send(ASK, {"asked_ns": time.monotonic_ns()})
            self._answered.wait(PATIENCE_S)
        if self._burst_of:
            self._go_by(min(self._burst_of, key=lambda each: each.round_trip_ns))

    def _go_by(self, new: ClockSample) -> None:
        self._readings = with_new(self._readings, new)
        wall_ahead_ns = new.ahead_ns + _wall_less_monotonic_ns()
        self._shared = self._same_boot and abs(wall_ahead_ns) <= new.doubt_ns(time.monotonic_ns())

    def _look(self) -> None:
        """Note how far ahead the wall clock is: between two bursts it may be set."""
        if self._readings:
            known = best(self._readings, now_ns := time.monotonic_ns())
            self._track = extend(self._track, ClockOffset(time.time_ns(), self.ahead_ns))
            self._doubt_ns = max(self._doubt_ns, 0.0 if self._shared else known.doubt_ns(now_ns))
            self._round_trip_ns = min(each.round_trip_ns for each in self._readings)

    # As near to the messages as can be: what comes between counts as a delay of one way only.

    def _on_ask(self, asked: Any, worker: str) -> None:
        answer = {"master_ns": time.time_ns(), "asked_ns": asked["asked_ns"], "boot": self._boot}
        self._cluster.send(ANSWER, answer, worker)

    def _on_answer(self, answer: Any, _: str) -> None:
        back_ns = time.monotonic_ns()
        self._burst_of.append(take_sample(answer["asked_ns"], answer["master_ns"], back_ns))
        self._same_boot = bool(self._boot) and answer["boot"] == self._boot
        if not self._readings:
            self._go_by(self._burst_of[-1])  # any is better than none: a run may be about to begin
        self._answered.set()
