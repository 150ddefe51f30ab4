"""What befalls the hosts of a run: drawn at random from a seed, and done at its time."""

import heapq
import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from random import Random
from typing import Any

from bench.hosts.processes import Cast

KINDS = ("worker killed", "master killed", "link cut", "link slow", "clock shifted")
DELAY_MS, LOSS = 200.0, 0.05
_SOONEST_S, _LOOK_S, _MASTER_ALONE_S = 3.0, 0.05, 10.0
_WEIGHTS = {"worker killed": 3, "link cut": 4, "link slow": 3, "clock shifted": 3}


@dataclass(frozen=True, slots=True)
class Mishap:
    """One of KINDS, so long after the run began. `for_s`: of a link, till it is as before; of a killed worker, till
    another one starts on its host (0: none does). `ahead_s`: the clock, from then on. `at_host`: the cut (see Network).
    `thrown`: the killed worker's disk is lost with it.
    """

    kind: str
    at_s: float
    host: str
    for_s: float = 0.0
    ahead_s: float = 0.0
    at_host: bool = False
    thrown: bool = False


@dataclass
class Story:
    """What was really done: the mishaps, and when (wall clock, ns) a host's link was not as it should be."""

    done: list[Mishap] = field(default_factory=list)
    troubles: list[tuple[str, int, int | None]] = field(default_factory=list)
    master_killed_ns: int | None = None

    def row(self) -> list[dict[str, Any]]:
        """The mishaps, as JSON has them."""
        return [asdict(mishap) for mishap in self.done]


def plan(chance: Random, number: int, run_s: float, workers: Sequence[str], *, kill_master: bool) -> list[Mishap]:
    """So many mishaps for a run of that length, the earliest first; the master's death, if any, is the last but one."""
    last_s = run_s - 1.0
    drawn = sorted(round(chance.uniform(_SOONEST_S, last_s), 1) for _ in range(number))
    kinds = chance.choices(list(_WEIGHTS), list(_WEIGHTS.values()), k=number)
    if kill_master:
        kinds[-2:-1] = ["master killed"]
    return [_drawn(chance, kind, at_s, workers) for kind, at_s in zip(kinds, drawn, strict=True)]


def _drawn(chance: Random, kind: str, at_s: float, workers: Sequence[str]) -> Mishap:
    anyone = chance.choice([*workers, *workers, "master", "target"])
    worker = chance.choice(workers)
    if kind == "worker killed":
        comes_back = chance.random() < 0.7
        after_s = round(chance.uniform(0.5, 4), 1) if comes_back else 0.0
        return Mishap(kind, at_s, worker, after_s, thrown=chance.random() < 0.3)
    if kind == "link cut":
        return Mishap(kind, at_s, anyone, round(chance.uniform(1, 20), 1), at_host=chance.random() < 0.5)
    if kind == "link slow":
        return Mishap(kind, at_s, anyone, round(chance.uniform(3, 12), 1))
    if kind == "clock shifted":
        far = chance.choice((0.05, 0.5, 3.0, 20.0))
        return Mishap(kind, at_s, worker, ahead_s=round(chance.uniform(-far, far), 3))
    return Mishap(kind, at_s, "master")


class Fate:
    """Does the mishaps to a cast, and undoes what passes."""

    def __init__(self, cast: Cast, mishaps: Sequence[Mishap]) -> None:
        self.story = Story()
        self._cast = cast
        self._due: list[tuple[float, int, Callable[[], None]]] = []
        self._began_s = time.monotonic()
        self._busy: set[tuple[str, str]] = set()
        for mishap in mishaps:
            self._later(mishap.at_s, partial(self._do, mishap))

    def go(self, over: Callable[[], bool], limit_s: float) -> bool:
        """Do what is due until all is done and `over`; False if that takes longer than `limit_s`."""
        while self._due or not over():
            now_s = time.monotonic() - self._began_s
            if now_s > limit_s:
                return False
            while self._due and self._due[0][0] <= now_s:
                heapq.heappop(self._due)[2]()
            time.sleep(_LOOK_S)
        return True

    def _later(self, at_s: float, action: Callable[[], None]) -> None:
        heapq.heappush(self._due, (at_s, len(self._due) + id(action), action))

    def _do(self, mishap: Mishap) -> None:
        does = {
            "worker killed": self._kill_worker,
            "master killed": self._kill_master,
            "link cut": self._trouble,
            "link slow": self._trouble,
            "clock shifted": self._shift,
        }
        if does[mishap.kind](mishap):
            self.story.done.append(mishap)

    def _kill_worker(self, mishap: Mishap) -> bool:
        worker = self._cast.at(mishap.host)
        if not worker:
            return False
        self._cast.kill(worker)
        # A disk that holds another worker's rows too (it was killed there before) is not thrown away for this one.
        alone = sum(w.run_dir == worker.run_dir for w in self._cast.workers) == 1
        if mishap.thrown and alone:
            worker.thrown = True
            shutil.rmtree(worker.run_dir, ignore_errors=True)
        if mishap.for_s:
            again = f"{mishap.host}-{len(self._cast.workers)}" if worker.thrown else worker.run_dir.name
            self._later(mishap.at_s + mishap.for_s, lambda: self._rejoin(mishap.host, again))
        return True

    def _rejoin(self, host: str, run_dir: str) -> None:
        if not self.story.master_killed_ns and self._cast.master and self._cast.master.poll() is None:
            self._cast.start_worker(host, run_dir)

    def _kill_master(self, mishap: Mishap) -> bool:
        master = self._cast.master
        if not master or master.poll() is not None:
            return False
        master.kill()
        self.story.master_killed_ns = time.time_ns()
        master.wait()
        return True

    def _trouble(self, mishap: Mishap) -> bool:
        key, network = (mishap.kind, mishap.host), self._cast.network
        if key in self._busy:
            return False
        self._busy.add(key)
        place = len(self.story.troubles)
        self.story.troubles.append((mishap.host, time.time_ns(), None))
        if mishap.kind == "link cut":
            network.cut(mishap.host, at_host=mishap.at_host)
        else:
            network.slow(mishap.host, DELAY_MS, LOSS, place)

        def undo() -> None:
            if mishap.kind == "link cut":
                network.mend(mishap.host, at_host=mishap.at_host)
            else:
                network.fast(mishap.host)
            self._busy.discard(key)
            self.story.troubles[place] = (mishap.host, self.story.troubles[place][1], time.time_ns())

        self._later(mishap.at_s + mishap.for_s, undo)
        return True

    def _shift(self, mishap: Mishap) -> bool:
        self._cast.set_clock(mishap.host, mishap.ahead_s)
        return self._cast.at(mishap.host) is not None
