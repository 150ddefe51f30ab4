"""`make bench-capacity`: does `--find-capacity` find what a server can take? The simulator, drawn at random.

Half of the cases are closed loops (users), half open ones (requests a second); see bench/capacity_draw.py for what is
drawn, and how the true capacity is computed. The search, its verdicts and its estimates are the product's; the server
is the simulator's engine in virtual time, so what is measured is what the statistics alone are worth, in seconds a
search.
"""

import argparse
from dataclasses import dataclass
from statistics import median

from bench.capacity_draw import Case, capacity, draw
from bench.markdown import number, table
from bench.virtual import World
from tokenswarm.capacity.controller import FIRST_S, LEAST_SETTLING_S, LOOK_S, SETTLING_SHARE, TIMES_E2E
from tokenswarm.capacity.search import SearchRange, Tried, Try, next_step
from tokenswarm.capacity.stopping import TrialEnd, include_drain, judge_trial, trial_end
from tokenswarm.capacity.trial import Trial
from tokenswarm.metrics.slo.language import parse
from tokenswarm.simulator.settings import NS_PER_S

USERS, RATE_PERCENT = 1, 5.0
TRIAL_S = {False: 12.0, True: 40.0}
START_PER_S = 8.0
HEADS = ("", "hits", "median error", "worst error", "qualified or none", "trials", "seconds: median (range)")


@dataclass(frozen=True, slots=True)
class Found:
    """What a search found, its answer None if it has none; `truth`: users or requests a second."""

    case: Case
    truth: float
    answer: float | None
    trials: int
    seconds: float
    qualifier: str = ""

    @property
    def error(self) -> float | None:
        """How far the answer is off: in users, or in %."""
        if self.answer is None:
            return None
        return 100 * (self.answer / self.truth - 1) if self.case.open else self.answer - self.truth

    @property
    def hit(self) -> bool:
        """Is it as good as the goal asks, and unqualified?"""
        limit = RATE_PERCENT if self.case.open else USERS
        return self.error is not None and not self.qualifier and abs(self.error) <= limit


class Search:
    """One search: what `capacity.controller` does, in virtual time."""

    def __init__(self, case: Case, seed: int) -> None:
        self._case, self._world = case, World(case.settings, case.asks, seed=seed + 1_000)
        self._e2e_s = FIRST_S
        self._asked: set[int] = set()
        self._tried: list[Tried] = []
        self._seconds = 0.0

    def found(self, truth: float) -> Found:
        """The end of the search."""
        is_open = self._case.open
        field = SearchRange(is_open, START_PER_S if is_open else 1.0, 0.01 if is_open else 1.0, 1000.0, is_open)
        while isinstance(step := next_step(self._tried, field), Try):
            self._try(step)
        qualifier = "" if step.above == "crossed" else step.above
        return Found(self._case, truth, step.load, len(self._tried), self._seconds, qualifier)

    def _try(self, step: Try) -> None:
        case, world, limit_s = self._case, self._world, TRIAL_S[self._case.open]
        trial, began_ns = Trial([parse(case.slo)]), world.now_ns
        users = 0 if case.open else int(step.load)
        self._asked.clear()
        if case.open:
            least_s = SETTLING_SHARE * limit_s if step.firm else LEAST_SETTLING_S
            settle_s = max(least_s, TIMES_E2E * self._e2e_s)
            world.arrivals(step.load, limit_s + settle_s + 1, case.cv)
        else:
            settle_s = self._e2e_s
            world.closed(users, round(settle_s * NS_PER_S))
        from_ns = began_ns + round((settle_s + (self._e2e_s if users else 0)) * NS_PER_S)
        end: TrialEnd | None = None
        while end is None:
            world.run_until(world.now_ns + round(LOOK_S * NS_PER_S))
            self._add(trial, began_ns + round(settle_s * NS_PER_S))
            spent_s = (world.now_ns - from_ns) / NS_PER_S
            end = trial_end(trial, spent_s, limit_s, users, firm=step.firm)
        world.drain()
        self._add(trial, began_ns + round(settle_s * NS_PER_S))
        end = include_drain(end, trial, users, firm=step.firm)
        tried = judge_trial(step, end, (), trial.mean_ms, pooled=case.open)
        self._tried.append(tried)
        self._seconds += (world.now_ns - began_ns) / NS_PER_S
        if tried.verdict == "met" and trial.mean_ms:
            self._e2e_s = trial.mean_ms / 1e3

    def _add(self, trial: Trial, steady_ns: int) -> None:
        for row in self._world.taken():
            counts = row["sent_unix_ns"] >= steady_ns if self._case.open else row["user"] in self._asked
            self._asked.add(row["user"])
            if counts:
                trial.add(row)


def summary(found: list[Found]) -> str:
    """The table, as Markdown."""
    cells = []
    for is_open, what in ((False, "closed loop, within 1 user"), (True, f"open loop, within {RATE_PERCENT:g} %")):
        part = [one for one in found if one.case.open == is_open]
        known = [one.error for one in part if one.error is not None]
        if not known:
            continue
        seconds, unit = sorted(one.seconds for one in part), " %" if is_open else ""
        qualified = sum(bool(one.qualifier) or one.error is None for one in part)
        hits, middle = f"{sum(one.hit for one in part)} / {len(part)}", number(median(map(abs, known)), 2) + unit
        trials = number(median(one.trials for one in part), 1)
        took = f"{median(seconds):.0f} ({seconds[0]:.0f}–{seconds[-1]:.0f})"
        cells.append((what, hits, middle, f"{max(known, key=abs):+.3g}{unit}", str(qualified), trials, took))
    return table(HEADS, cells)


def main() -> None:
    """Search one server after the other, print a line each, then the table."""
    parser = argparse.ArgumentParser(prog="bench.capacity_trial", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--servers", type=int, default=50)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--times", type=int, default=3, help="searches of each server")
    given = parser.parse_args()
    found: list[Found] = []
    for place in range(given.servers):
        case = draw(given.seed, place)
        truth = capacity(case)
        some = [Search(case, search).found(truth) for search in range(given.times)]
        said = ", ".join(f"{one.error:+.3g}" if one.hit else f"{one.qualifier} {one.answer} ✗" for one in some)
        print(f"{place:>3} {case.slo}: truth {truth:.4g}: off by {said}", flush=True)
        found += some
    print(summary(found))


if __name__ == "__main__":
    main()
