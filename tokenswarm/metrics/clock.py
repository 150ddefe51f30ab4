"""Clocks of several machines: how far each worker's is ahead of the master's, from messages there and back.

All times are ns. `ahead` is the worker's clock less the master's, so a moment by the worker's clock less it is the
moment by the master's.
"""

from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

DRIFT = 50e-6  # what a quartz clock may gain or lose, s a second
KEPT = 16
TOLERANCE_NS = 200_000
MOST_POINTS = 100


class ClockSample(NamedTuple):
    """What one round trip said: ahead by so much when the answer was back, by the clock of the one who asked."""

    back_ns: int
    ahead_ns: int
    round_trip_ns: int

    def doubt_ns(self, now_ns: int) -> float:
        """The farthest that it can be off by then: half the round trip, and what clocks drift meanwhile."""
        return self.round_trip_ns / 2 + DRIFT * abs(now_ns - self.back_ns)


def take_sample(asked_ns: int, master_ns: int, back_ns: int) -> ClockSample:
    """Round-trip halving (Cristian, 1989): the master read its clock at some time between `asked` and `back`."""
    return ClockSample(back_ns, (asked_ns + back_ns) // 2 - master_ns, back_ns - asked_ns)


def best(readings: Sequence[ClockSample], now_ns: int) -> ClockSample:
    """The reading that can be off the least now: with the smallest round trip, but not too old."""
    return min(readings, key=lambda each: each.doubt_ns(now_ns))


def with_new(readings: Sequence[ClockSample], new: ClockSample) -> tuple[ClockSample, ...]:
    """The readings to go by from now on; those before are void where the new one cannot be true with them."""
    if not readings:
        return (new,)
    known = best(readings, new.back_ns)
    if abs(new.ahead_ns - known.ahead_ns) > known.doubt_ns(new.back_ns) + new.doubt_ns(new.back_ns):
        return (new,)  # one of the clocks was set
    return (*readings[1 - KEPT :], new)


class ClockOffset(NamedTuple):
    """How far a worker's clock was ahead at a moment by that clock."""

    worker_ns: int
    ahead_ns: int


def extend(track: Sequence[ClockOffset], new: ClockOffset, tolerance_ns: int = TOLERANCE_NS) -> tuple[ClockOffset, ...]:
    """A worker's clock over the run with one more point, where it adds something: between points it is a line.

    Where the clock stays within the tolerance, only the ends are kept, so that a step stays as sharp as it was seen.
    """
    if len(track) > 1 and all(abs(new.ahead_ns - point.ahead_ns) <= tolerance_ns for point in track[-2:]):
        track = track[:-1]
    longer = (*track, new)
    if len(longer) <= MOST_POINTS:
        return longer
    coarse: tuple[ClockOffset, ...] = ()
    for point in longer:
        coarse = extend(coarse, point, 2 * tolerance_ns)
    return coarse


def ahead_ns(track: Sequence[ClockOffset], worker_ns: int) -> int:
    """How far the worker's clock was ahead when it showed `worker_ns`."""
    at = bisect_right(track, worker_ns, key=lambda point: point.worker_ns)
    if at in (0, len(track)):
        return track[max(0, at - 1)].ahead_ns
    before, after = track[at - 1 : at + 1]
    part = (worker_ns - before.worker_ns) / (after.worker_ns - before.worker_ns)
    return before.ahead_ns + round((after.ahead_ns - before.ahead_ns) * part)


def as_run_json(track: Sequence[ClockOffset], doubt_ns: float, round_trip_ns: int, *, shared: bool) -> dict[str, Any]:
    """A worker's clock as run.json has it, ms; of one that could not be compared `clock_ahead_ms` is None."""
    if not track:
        return {"clock_ahead_ms": None}
    aheads = [point.ahead_ns for point in track]
    facts = {
        "ahead": aheads[-1],
        "ahead_first": aheads[0],
        "moved": max(aheads) - min(aheads),
        "uncertainty": doubt_ns,
        "round_trip": round_trip_ns,
    }
    said = {f"clock_{name}_ms": round(value / 1e6, 6) for name, value in facts.items()}
    return {**said, "clock_shared": shared, "clock_track": [list(point) for point in track]}


Tracks = Mapping[int, Sequence[ClockOffset]]
TIMES = ("scheduled_unix_ns", "sent_unix_ns", "ended_unix_ns")


def tracks(workers: Iterable[Mapping[str, Any]]) -> Tracks:
    """By worker, the clocks of run.json's workers that are not the master's own."""
    found: dict[int, Sequence[ClockOffset]] = {}
    for worker in workers:
        points = sorted(ClockOffset(*map(int, point)) for point in worker.get("clock_track") or ())
        if any(point.ahead_ns for point in points):
            found[int(worker["worker"])] = points
    return found


def onto_master(row: dict[str, Any], clocks: Tracks) -> None:
    """Have the times of a row of requests.csv by the master's clock."""
    if clocks and (track := clocks.get(row["worker"] or 0)):
        for name in TIMES:
            if row[name] is not None:
                row[name] -= ahead_ns(track, row[name])


class Window:
    """When a run's requests were sent and had ended: the first and the last, by the clock of each worker."""

    def __init__(self) -> None:
        self._spans: dict[int, tuple[int | None, int]] = {}

    def add(self, row: Mapping[str, Any]) -> None:
        """Take in a row of requests.csv."""
        worker = row["worker"] or 0
        first_ns, last_ns = self._spans.get(worker, (None, 0))
        if (sent_ns := row["sent_unix_ns"]) is not None:
            first_ns = sent_ns if first_ns is None else min(first_ns, sent_ns)
        self._spans[worker] = first_ns, max(last_ns, row["ended_unix_ns"] or 0)

    def length_s(self, clocks: Tracks = MappingProxyType({})) -> float:
        """First sent to last ended, by the master's clock; 0 where nothing was sent."""

        def on_master(worker: int, ns: int) -> int:
            return ns - ahead_ns(clocks[worker], ns) if worker in clocks else ns

        firsts = [on_master(worker, first) for worker, (first, _) in self._spans.items() if first is not None]
        lasts = [on_master(worker, last) for worker, (_, last) in self._spans.items()]
        return (max(lasts) - min(firsts)) / 1e9 if firsts else 0.0
