"""`python -m bench.capacity_virtual`: the capacity search against the simulator's engine in virtual time.

The same search, verdicts, servers and truths as in `bench.capacity_trial`, but without sockets, processes and
a noisy machine: what the statistics alone are worth. Some seconds a search instead of minutes; no client is ever late.
"""

import argparse
from pathlib import Path
from typing import Any

from bench import results
from bench.capacity_draw import Case
from bench.capacity_trial import START_PER_S, TRIAL_S, error, is_hit, known_truth, summary
from bench.virtual import World
from tokenswarm.capacity.controller import FIRST_S, LEAST_SETTLING_S, LOOK_S, SETTLING_SHARE, TIMES_E2E
from tokenswarm.capacity.search import SearchRange, SearchResult, Tried, Try, next_step
from tokenswarm.capacity.stopping import Ended, drained, judge_trial, trial_end
from tokenswarm.capacity.trial import Trial
from tokenswarm.metrics.slo.language import parse
from tokenswarm.simulator.settings import NS_PER_S


class Search:
    """One search: what `capacity.controller` does, in virtual time."""

    def __init__(self, case: Case, seed: int) -> None:
        self._case, self._limit_s = case, float(TRIAL_S[case.open].removesuffix("s"))
        self._world = World(case.settings(), case.asks, seed=seed + 1_000)
        self._e2e_s = FIRST_S
        self._asked: set[int] = set()
        self.tried: list[Tried] = []
        self.seconds: list[float] = []

    def answer(self) -> SearchResult:
        """The end of the search."""
        start = START_PER_S if self._case.open else 1.0
        field = SearchRange(self._case.open, start, 0.01 if self._case.open else 1.0, 1000.0, self._case.open)
        while isinstance(step := next_step(self.tried, field), Try):
            self._try(step)
        return step

    def _try(self, step: Try) -> None:
        case, world = self._case, self._world
        trial, began_ns = Trial([parse(case.slo)]), world.now_ns
        users = 0 if case.open else int(step.load)
        self._asked.clear()
        if case.open:
            least_s = SETTLING_SHARE * self._limit_s if step.firm else LEAST_SETTLING_S
            settle_s = max(least_s, TIMES_E2E * self._e2e_s)
            world.arrivals(step.load, self._limit_s + settle_s + 1, case.cv)
        else:
            settle_s = self._e2e_s
            world.closed(users, round(settle_s * NS_PER_S))
        from_ns = began_ns + round((settle_s + (self._e2e_s if users else 0)) * NS_PER_S)
        end: Ended | None = None
        while end is None:
            world.run_until(world.now_ns + round(LOOK_S * NS_PER_S))
            self._add(trial, began_ns + round(settle_s * NS_PER_S))
            spent_s = (world.now_ns - from_ns) / NS_PER_S
            end = trial_end(trial, spent_s, self._limit_s, users, firm=step.firm)
        world.drain()
        self._add(trial, began_ns + round(settle_s * NS_PER_S))
        end = drained(end, trial, users, firm=step.firm)
        tried = judge_trial(step, end, (), trial.mean_ms, pooled=case.open)
        self.tried.append(tried)
        self.seconds.append((world.now_ns - began_ns) / NS_PER_S)
        if tried.verdict == "met" and trial.mean_ms:
            self._e2e_s = trial.mean_ms / 1e3

    def _add(self, trial: Trial, steady_ns: int) -> None:
        for row in self._world.taken():
            counts = row["sent_unix_ns"] >= steady_ns if self._case.open else row["user"] in self._asked
            self._asked.add(row["user"])
            if counts:
                trial.add(row)


def one(case: Case, place: int, truth: float, seed: int) -> dict[str, Any]:
    """What was found of a case, as a row of `bench.capacity_trial`."""
    search = Search(case, seed)
    answer = search.answer()
    trials = [{"load": t.load, "verdict": t.verdict, "firm": t.firm} for t in search.tried]
    off = error(case.as_json(), truth, answer.load)
    told = {"answer": answer.load, "qualifier": "", "error": off, "seconds": round(sum(search.seconds), 1)}
    return {"place": place, "seed": seed, "case": case.as_json(), "truth": truth, **told, "trials": trials}


def main() -> None:
    """Search all servers of the trial, several times, and print the table."""
    parser = argparse.ArgumentParser(prog="bench.capacity_virtual", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--servers", type=int, default=50)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--times", type=int, default=3, help="searches of each server")
    parser.add_argument("--truths", type=Path, default=results.CAPACITY, help="the file of the trial, for its truths")
    given = parser.parse_args()
    truths = {row["of"]: row for row in results.read(given.truths) if "of" in row}
    rows = []
    for at in range(given.servers):
        known = truths.get(at) or known_truth(given.seed, at)
        case = Case.of_json(known["case"])
        found = [one(case, at, known["truth"], seed) for seed in range(given.times)]
        rows += found
        said = ", ".join(f"{row['error']:+.3g}{'' if is_hit(row) else ' ✗'}" for row in found)
        print(f"{at:>3} {case.slo}: truth {known['truth']:g}: {said}", flush=True)
    print(summary(rows))


if __name__ == "__main__":
    main()
