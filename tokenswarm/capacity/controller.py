"""The capacity search of a run (`--find-capacity`), in the process that has the run folder: trial after trial."""

import sys
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict, replace
from typing import Any

import gevent
from gevent.event import Event

from tokenswarm.capacity.answer import load, result, trial_line
from tokenswarm.capacity.gate import PARKED, TRIAL, Begin, Trials
from tokenswarm.capacity.load_curve import figures
from tokenswarm.capacity.options import NAME, at, trial_s
from tokenswarm.capacity.search import SearchResult, Tried, Try, best, next_step
from tokenswarm.capacity.stopping import TrialEnd, include_drain, judge_trial, slos_without_requests, trial_end
from tokenswarm.capacity.trial import Trial
from tokenswarm.folder.row import Row
from tokenswarm.load.dispatcher import Dispatcher
from tokenswarm.metrics.validity.client_limit import limits as client_limits
from tokenswarm.metrics.validity.evidence import Evidence
from tokenswarm.metrics.validity.rules import Facts
from tokenswarm.run.lifecycle import RunLifecycle
from tokenswarm.run.slo_gate import CROSSED, slos
from tokenswarm.transport.health import Mark
from tokenswarm.users.context import RunContext

LOOK_S, NOTICE_S, SPAWN_S, SPARE_S = 0.25, 0.7, 60.0, 5.0
FIRST_S, LONGEST_SETTLING_S, LEAST_SETTLING_S, TIMES_E2E = 0.3, 20.0, 0.5, 3
MOST_DISTURBED = 3
SETTLING_SHARE = 0.1  # of a firm trial of an open loop
MOST_SPAWN_PER_S = 100  # more than that Locust warns of


class Capacity:
    """Runs the search of each run that asks for one; `RunLifecycle` must have heard of Locust's events first."""

    def __init__(self, environment: Any, lifecycle: RunLifecycle) -> None:
        self._environment, self._lifecycle, self._cluster = environment, lifecycle, lifecycle.cluster
        self._greenlet: gevent.Greenlet | None = None
        self._mark: Mark | None = None
        self._gate: Trials | None = None  # where users run
        self._spawned = Event()
        self._parked: dict[str, Mapping[str, Any]] = {}

    def listen(self) -> None:
        """Connect to Locust's events."""
        events = self._environment.events
        events.test_start.add_listener(self._on_test_start)
        events.spawning_complete.add_listener(lambda **_: self._spawned.set())
        events.test_stopping.add_listener(self._on_test_stopping)
        # On a signal Locust chooses its exit code after this event, and stops the run only then.
        events.quitting.add_listener(self._on_test_stopping)
        if self._cluster.is_worker:
            self._cluster.on(TRIAL, self._on_trial)
        if self._cluster.is_master:
            self._cluster.on(PARKED, self._on_parked)

    # On workers

    def _on_trial(self, message: Any, _: str) -> None:
        """A trial begins or ends."""
        if self._gate:
            self._told(message)
            if not message["begin"]:
                gevent.spawn(self._hand_over, message["number"])

    def _hand_over(self, number: int) -> None:
        """All that was under way has ended: the master gets the rows, then hears of it."""
        self._wait_for_the_last()
        self._lifecycle.publisher.report()
        self._cluster.send(PARKED, {"number": number, "health": self._health()})

    # Where users run

    def _told(self, message: Mapping[str, Any]) -> None:
        run_context, begin = self._environment.tokenswarm, message["begin"]
        assert self._gate
        if begin:
            self._mark, run_context.stage = run_context.health.mark(), begin["number"]
            self._gate.begin(Begin(**begin))
        else:
            self._gate.end()

    def _wait_for_the_last(self) -> None:
        run_context = self._environment.tokenswarm
        until_s = time.monotonic() + run_context.settings.timeouts.total_s + SPARE_S
        while run_context.health.in_flight and time.monotonic() < until_s:
            gevent.sleep(0.01)

    def _health(self) -> Mapping[str, Any]:
        health = self._environment.tokenswarm.health
        return health.snapshot(self._mark) if health and self._mark else {}

    # The search

    def _on_test_start(self, **_: Any) -> None:
        options = self._environment.parsed_options
        self._greenlet = self._gate = None
        if not options.find_capacity:
            return
        if not self._cluster.is_master:
            run_context: RunContext = self._environment.tokenswarm
            paced = run_context.pacer
            run_context.pacer = self._gate = Trials(paced if isinstance(paced, Dispatcher) else None)
        if self._cluster.is_worker:
            return
        self._field = self._lifecycle.preparation.found[NAME]
        self._slos, self._limit_s = slos(options.slo), trial_s(options)
        self._tried: list[Tried] = []
        self._trials: list[dict[str, Any]] = []
        self._rows: list[Row] = []
        self._number, self._e2e_s, self._answered = 0, FIRST_S, False
        self._lifecycle.watch = self._take
        self._spawned.clear()
        self._greenlet = gevent.spawn(self._search)
        self._greenlet.link_exception(lambda _: self._end(None, "the search itself failed"))

    def _on_test_stopping(self, **_: Any) -> None:
        if self._greenlet and not self._answered:
            self._greenlet.kill(block=False)
            self._finish(None, "the run's time was over, or it was stopped, before the search was")

    def _take(self, rows: list[Row]) -> None:
        """Rows came: those of this trial are judged."""
        for row in rows:
            if row["stage"] == self._number:
                self._rows.append(row)
                self._trial.add(row)

    def _search(self) -> None:
        self._spawned.wait()
        disturbed = 0
        while isinstance(step := next_step(self._tried, self._field), Try):
            match self._try(step):
                case str() as broken:
                    self._end(None, broken)
                    return
                case None if (disturbed := disturbed + 1) > MOST_DISTURBED:
                    self._end(None, "workers came and went too often")
                    return
        gone = f"the server answered no request any more ({self._rows[-1]['error']})" if step.above == "gone" else ""
        self._end(step, gone)

    def _try(self, step: Try) -> Tried | str | None:
        """One trial; None if a worker that came or went spoiled it; a sentence if it ends the search."""
        users = 0 if self._field.open else int(step.load)
        if users:
            self._ask_for(users)
        self._number, self._rows, self._trial = self._number + 1, [], Trial(self._slos)
        self._lifecycle.trial = f"trial {self._number}: {load(step.load, self._field.open)}"
        workers, began_ns = self._workers(), time.time_ns()
        begin = self._begin(step, users, began_ns)
        self._tell(begin)
        from_ns = began_ns + round((begin.settle_s + (self._e2e_s if users else 0)) * 1e9)
        end = None
        while end is None and self._workers() == workers:
            gevent.sleep(LOOK_S)
            spent_s = (time.time_ns() - from_ns) / 1e9
            end = trial_end(self._trial, spent_s, self._limit_s, users, firm=step.firm)
        to_ns = time.time_ns()
        health = self._end_trial(workers)
        if end is None or self._workers() != workers or len(health) < len(workers):
            return None
        outcomes = Counter(row["outcome"] for row in self._rows)
        dead = not outcomes["ok"] and outcomes.total() > outcomes["dropped"]  # who was not asked did not fail to answer
        if not self._trial.n and not dead:
            time_s = f"{self._limit_s:g} s"
            if outcomes["dropped"]:
                return "no client was free for the arrivals; allow more in flight (--max-in-flight)"
            return f"a trial of {time_s} was over before a request that counts was; give a longer --trial-time"
        end = include_drain(end, self._trial, users, firm=step.firm)
        if not dead and (unknown := slos_without_requests(end)):
            return f"no request says anything of {' and '.join(unknown)}; leave that out"
        limits = client_limits(_facts(self._rows, health), self._slos)
        tried = judge_trial(step, end, limits, self._trial.mean_ms, pooled=self._field.pooled)
        tried = replace(tried, dead=dead)
        seconds = {"seconds": round((time.time_ns() - began_ns) / 1e9, 3)}
        self._keep(tried, end, limits, figures(self._rows, self._slos, from_ns, to_ns) | seconds)
        if end.state == "met" and self._trial.mean_ms:
            self._e2e_s = self._trial.mean_ms / 1e3
        return tried

    def _begin(self, step: Try, users: int, began_ns: int) -> Begin:
        settle_s = min(LONGEST_SETTLING_S, self._e2e_s)
        if not self._field.open:
            return Begin(self._number, users, settle_s)
        options, notice_s = self._environment.parsed_options, NOTICE_S if self._cluster.is_master else 0.0
        least_s = SETTLING_SHARE * self._limit_s if step.firm else LEAST_SETTLING_S
        return Begin(
            self._number,
            users,
            settle_s=notice_s + max(least_s, TIMES_E2E * settle_s),
            arrivals=at(options, step.load),
            seed=options.seed * 1000 + self._number,
            started_ns=began_ns + round(notice_s * 1e9),
        )

    def _ask_for(self, users: int) -> None:
        if self._cluster.target_users != users:
            self._spawned.clear()
            self._cluster.start(users, min(MOST_SPAWN_PER_S, max(1, users, self._cluster.target_users)))
            self._spawned.wait(SPAWN_S)

    def _workers(self) -> tuple[str, ...]:
        if not self._cluster.is_master:
            return ("local",)
        return tuple(sorted(worker.id for worker in self._cluster.workers() if worker.loaded))

    def _tell(self, begin: Begin) -> None:
        if not self._cluster.is_master:
            self._told({"number": begin.number, "begin": asdict(begin)})
            return
        for index, worker in enumerate(there := self._workers()):
            own = asdict(replace(begin, index=index, of=len(there)))
            self._cluster.send(TRIAL, {"number": begin.number, "begin": own}, worker)

    def _end_trial(self, workers: tuple[str, ...]) -> list[Mapping[str, Any]]:
        """No new requests, and wait until none is under way: nobody is cut. Gives how well the clients kept up."""
        self._parked.clear()
        if not self._cluster.is_master:
            self._told({"number": self._number, "begin": None})
            self._wait_for_the_last()
            return [self._health()]
        self._cluster.send(TRIAL, {"number": self._number, "begin": None})
        until_s = time.monotonic() + self._environment.parsed_options.request_timeout + 2 * SPARE_S
        while set(self._parked) < set(workers) & set(self._workers()) and time.monotonic() < until_s:
            gevent.sleep(0.02)
        return list(self._parked.values())

    def _on_parked(self, message: Any, worker: str) -> None:
        if message["number"] == self._number:
            self._parked[worker] = message["health"]

    # What came of it

    def _keep(self, tried: Tried, end: TrialEnd, limits: list[str], seen: Mapping[str, Any]) -> None:
        self._tried.append(tried)
        judge_trial = {"verdict": tried.verdict, "firm": tried.firm, "sure": end.sure, "why": end.why, "client": limits}
        standings = [asdict(one) for one in end.standings]
        self._trials.append({"trial": self._number, "load": tried.load, **judge_trial, **seen, "standings": standings})
        self._tell_run({**self._so_far(None, "the search had not ended"), "state": "searching"})
        self._lifecycle.trials.append(trial_line(self._trials[-1], self._field))
        print(f"tokenswarm: {self._lifecycle.trials[-1]}", file=sys.stderr)

    def _so_far(self, answer: SearchResult | None, broken: str) -> dict[str, Any]:
        met = best(self._tried) if answer is None else None
        answer = answer or SearchResult(met.load if met else None, "end")
        return result(answer, self._field, self._slos, self._trials, broken)

    def _tell_run(self, capacity: dict[str, Any]) -> None:
        if self._lifecycle.recorder:
            self._lifecycle.recorder.tell(capacity=capacity)

    def _finish(self, answer: SearchResult | None, broken: str) -> None:
        self._answered = True
        capacity = self._so_far(answer, broken)
        self._tell_run({**capacity, "state": "complete" if not broken else "broken off"})
        for line in (capacity["sentence"], capacity["gave_way"]["sentence"], capacity["knee"]["sentence"]):
            if line:
                print(f"tokenswarm: {line}", file=sys.stderr)
        self._environment.process_exit_code = 0 if capacity["answer"] is not None else CROSSED

    def _end(self, answer: SearchResult | None, broken: str) -> None:
        """The search ends the run."""
        self._finish(answer, broken)
        gevent.spawn(self._cluster.end)


def _facts(rows: list[Row], health: list[Mapping[str, Any]]) -> Facts:
    evidence = Evidence()
    for row in rows:
        evidence.add(row)
    return Facts(evidence, health)
