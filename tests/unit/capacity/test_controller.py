"""The capacity search of a run by a fake cluster: a server that is made up, and what the search says of it."""

import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from capacity_rows import row
from fake_cluster import FakeCluster
from locust.event import Events
from options import parsed

from tokenswarm.capacity import controller
from tokenswarm.capacity import options as searching
from tokenswarm.capacity.controller import Capacity
from tokenswarm.capacity.gate import PARKED, TRIAL, Begin, Trials
from tokenswarm.folder.row import COLUMNS
from tokenswarm.load.pacer import ClosedLoop
from tokenswarm.run.cluster import Worker
from tokenswarm.transport.health import Health


class Made:
    """A run that searches, on a cluster; `answer(users)` says how a request fares where so many users ask."""

    def __init__(
        self,
        cluster: FakeCluster,
        answer: Callable[[int], dict[str, Any]],
        *arguments: str,
        slo: str = "ttft_ms p95 < 500",
    ) -> None:
        self.cluster, self._answer = cluster, answer
        self.options = parsed("--host", "h", "--find-capacity", "--slo", slo, *arguments)
        vars(self.options).update(headless=True)
        found = {searching.NAME: searching.check(self.options)}
        self.events: Any = Events()
        self.told: dict[str, Any] = {}  # the newest, as run.json has it
        self.tellings: list[dict[str, Any]] = []
        health = Health()
        health.stop()
        timeouts = SimpleNamespace(total_s=0.0)
        run_context = SimpleNamespace(
            health=health, settings=SimpleNamespace(timeouts=timeouts), stage=None, pacer=ClosedLoop()
        )
        recorder = SimpleNamespace(tell=self._tell)
        preparation = SimpleNamespace(found=found)
        self.lifecycle = SimpleNamespace(
            trials=[], cluster=cluster, recorder=recorder, watch=None, preparation=preparation
        )
        self.environment = SimpleNamespace(
            events=self.events, parsed_options=self.options, tokenswarm=run_context, process_exit_code=None
        )
        cluster.start = self._start  # type: ignore[method-assign]
        self.capacity = Capacity(self.environment, self.lifecycle)  # type: ignore[arg-type]
        self.capacity.listen()

    def _tell(self, capacity: dict[str, Any]) -> None:
        self.told.update(capacity)
        self.tellings.append(capacity)

    def _start(self, users: int | None = None, per_s: float | None = None) -> None:
        assert users is not None
        self.cluster.target_users = users
        self.events.spawning_complete.fire(user_count=users)

    def ask(self) -> None:
        """Users that ask for as long as the search goes on, all of one trial at once."""
        self.cluster.target_users = 1
        self.events.test_start.fire()
        self.events.spawning_complete.fire(user_count=1)
        with gevent.Timeout(60):
            while ("end",) not in self.cluster.done:
                gevent.sleep(0.001)
                if trial := self.capacity._number:
                    asked = {"stage": trial} | self._answer(self.cluster.target_users)
                    self.lifecycle.watch([dict.fromkeys(COLUMNS) | row(0.0) | asked for _ in range(50)])


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("LOOK_S", "FIRST_S", "SPARE_S"):
        monkeypatch.setattr(controller, name, 0.001)
    # A trial's time passes quickly: what is looked at is how much time a search takes for sure.
    real, began = time.time_ns, time.time_ns()
    monkeypatch.setattr(controller.time, "time_ns", lambda: began + (real() - began) * 300)


def test_the_most_users_for_whom_the_slo_is_met(capsys: pytest.CaptureFixture[str]) -> None:
    made = Made(FakeCluster(), lambda users: {"ttft_ms": 100.0 if users <= 6 else 900.0})
    made.ask()
    assert made.told["answer"] == 6
    assert made.told["state"] == "complete"
    assert {trial["load"]: trial["verdict"] for trial in made.told["trials"]}[7.0] == "crossed"
    assert made.environment.process_exit_code == 0
    said = capsys.readouterr().err
    assert made.told["sentence"] in said


def test_after_each_trial_the_run_folder_has_what_was_found_so_far() -> None:
    """It is what is left if the process is killed."""
    made = Made(FakeCluster(), lambda users: {"ttft_ms": 100.0 if users <= 2 else 900.0})
    made.ask()
    *so_far, _ = made.tellings
    assert [len(one["trials"]) for one in so_far] == list(range(1, len(so_far) + 1))
    for one in so_far:
        assert one["answer"] == max(trial["load"] for trial in one["trials"] if trial["verdict"] == "met")
        assert (one["state"], one["why"]) == ("searching", "the search had not ended")
    assert len(so_far) > 2


def test_the_ceiling_qualifies_the_answer(capsys: pytest.CaptureFixture[str]) -> None:
    made = Made(FakeCluster(), lambda _: {"ttft_ms": 100.0}, "--users", "2")
    made.ask()
    assert (made.told["answer"], made.told["qualifier"], made.told["state"]) == (2, "at least", "complete")
    said = "At least 2 users keep to ttft_ms p95 < 500; the search was to go no further than 2 users"
    assert said in capsys.readouterr().err
    assert made.environment.process_exit_code == 0


NONE: dict[str, tuple[dict[str, Any], tuple[str, ...], list[str]]] = {
    "too slow": ({"ttft_ms": 900.0}, (), ["Not even 1 user keeps to ttft_ms p95 < 500."]),
    "only errors": (
        {"outcome": "http_error", "ttft_ms": None},
        (),
        ["Not even 1 user keeps to ttft_ms p95 < 500.", "Errors came first: 100 % of the requests failed."],
    ),
    "says nothing of it": (
        {"ttft_ms": None},
        (),
        ["No load was found that keeps to ttft_ms p95 < 500: no request says anything of ttft_ms p95 < 500; leave"],
    ),
    "no answer within a trial": (
        {"phase": "ramp-up"},
        (),
        ["a trial of 60 s was over before a request that counts was; give a longer --trial-time"],
    ),
    "no client free": (  # as where the pause between two turns takes one up
        {"outcome": "dropped", "ttft_ms": None, "e2e_ms": None},
        ("--arrivals", "constant 20/s"),
        ["no client was free for the arrivals; allow more in flight (--max-in-flight)"],
    ),
}


@pytest.mark.parametrize("why", NONE)
def test_where_no_load_is_found_it_says_why_and_fails(why: str, capsys: pytest.CaptureFixture[str]) -> None:
    answer, load, sentences = NONE[why]
    made = Made(FakeCluster(), lambda _: answer, *load)
    made.ask()
    assert made.told["answer"] is None
    assert made.environment.process_exit_code == 99
    said = capsys.readouterr().err
    for sentence in sentences:
        assert sentence in said


def test_a_server_that_answers_nothing_any_more_is_named() -> None:
    broken = list[int]()

    def answer(users: int) -> dict[str, Any]:
        if users > 2:
            broken.append(users)
        return {"outcome": "refused", "error": "nobody listens", "e2e_ms": ""} if broken else {"ttft_ms": 100.0}

    made = Made(FakeCluster(), answer)
    made.ask()
    assert "the server answered no request any more (nobody listens)" in made.told["sentence"]
    assert (made.told["answer"], made.told["qualifier"]) == (2, "at least")
    assert made.environment.process_exit_code == 0


@pytest.mark.parametrize("event", ["test_stopping", "quitting"])  # its time was over; a signal
def test_a_run_that_is_stopped_says_what_it_has_found(event: str) -> None:
    made = Made(FakeCluster(), lambda _: {"ttft_ms": 100.0}, "--users", "1000")
    asking = gevent.spawn(made.ask)
    with gevent.Timeout(30):
        while not made.told:
            gevent.sleep(0.001)
    getattr(made.events, event).fire()
    asking.kill()
    assert (made.told["state"], made.told["qualifier"]) == ("broken off", "at least")
    assert made.told["why"] == "the run's time was over, or it was stopped, before the search was"
    assert made.told["why"] in made.told["sentence"]
    assert made.environment.process_exit_code == 0


def parking(cluster: FakeCluster, begun: Callable[[int], None] = lambda _: None) -> FakeCluster:
    """The cluster, whose workers end each trial when they are told to; `begun` hears of each one that begins."""
    send = cluster.send

    def park(name: str, data: Any = None, to: str | None = None) -> None:
        send(name, data, to)
        if name == TRIAL and data["begin"]:
            begun(data["number"])
        elif name == TRIAL:
            for worker in cluster.there:
                parked = {"number": data["number"], "health": {"host": worker.id}}
                gevent.spawn(cluster.hear, PARKED, parked, worker.id)

    cluster.send = park  # type: ignore[method-assign]
    return cluster


def test_each_worker_gets_its_part_of_a_trial_and_the_master_waits_until_all_have_ended_it() -> None:
    cluster = parking(FakeCluster("master", Worker("a"), Worker("b")))
    made = Made(cluster, lambda users: {"ttft_ms": 100.0 if users <= 1 else 900.0}, "--users", "2")
    made.ask()
    begun = [(to, data["begin"]["index"], data["begin"]["of"]) for name, data, to in cluster.sent if to]
    assert begun[:2] == [("a", 0, 2), ("b", 1, 2)]
    assert made.told["answer"] == 1


def test_a_worker_that_dies_spoils_its_trial_and_not_the_answer() -> None:
    def die(trial: int) -> None:
        if trial == 2:
            cluster.there = cluster.there[:1]

    cluster = parking(FakeCluster("master", Worker("a"), Worker("b")), die)
    made = Made(cluster, lambda users: {"ttft_ms": 100.0 if users <= 3 else 900.0})
    made.ask()
    assert (made.told["answer"], made.told["state"], made.told["qualifier"]) == (3, "complete", "")
    numbers = [trial["trial"] for trial in made.told["trials"]]
    assert numbers[:2] == [1, 3]  # what was the second was done again


def test_workers_that_come_and_go_all_the_time_end_the_search() -> None:
    cluster = FakeCluster("master", Worker("a"), Worker("b"))
    made = Made(cluster, lambda _: {"ttft_ms": 100.0})
    there = cluster.workers
    looks = iter(range(10**9))
    # Another one each time that anybody looks.
    cluster.workers = lambda: (*there(), Worker(f"c{next(looks)}"))  # type: ignore[method-assign]
    made.options.request_timeout = 0.0
    made.ask()
    assert made.told["answer"] is None
    assert "came and went too often" in made.told["sentence"]


# The gate that users pass


def test_users_wait_between_two_trials_and_each_ones_first_request_is_not_of_a_steady_load() -> None:
    trials, passed = Trials(), list[str]()
    user = object()

    def ask() -> None:
        while True:
            assert trials.wait(user) is None
            passed.append(trials.phase(user))
            if len(passed) % 3 == 0:
                trials.end()

    asking = gevent.spawn(ask)
    gevent.sleep(0.001)
    assert passed == []
    for number in (1, 2):
        trials.begin(Begin(number, users=1, settle_s=0.0))
        with gevent.Timeout(10):
            while len(passed) < 3 * number:
                gevent.sleep(0)
    gevent.sleep(0.001)
    assert passed == ["ramp-up", "steady", "steady"] * 2
    asking.kill()


def test_what_is_due_while_an_open_loop_settles_is_not_steady() -> None:
    trials = Trials()
    for settle_s, phase in ((1000.0, "ramp-up"), (0.0, "steady")):
        trials.begin(Begin(1, users=0, settle_s=settle_s, arrivals="constant 5/s"))
        assert [trials.phase(object()) for _ in range(2)] == [phase, phase]
