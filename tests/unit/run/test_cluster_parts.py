"""What processes of a run tell each other, by fake clusters: workers that come and go, clocks, rows, SLOs."""

import inspect
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from fake_cluster import FakeCluster, wait_until
from locust import runners
from locust.event import Events

from tokenswarm.folder.row import COLUMNS
from tokenswarm.folder.spool import Outbox
from tokenswarm.run import clock_sync, handover, rebalance
from tokenswarm.run.clock_sync import ANSWER, ASK, ClockSync
from tokenswarm.run.cluster import Cluster, Worker, forget_who_stops
from tokenswarm.run.handover import Spooling
from tokenswarm.run.publisher import ROWS, Publisher
from tokenswarm.run.rebalance import Rebalancer
from tokenswarm.run.slo_gate import Gate

# Workers that come and go


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[FakeCluster, list[dict[str, Any]]]]:
    """A run that began with worker a, and what run.json says of who was there."""
    monkeypatch.setattr(rebalance, "LOOK_S", 0.001)
    cluster, told = FakeCluster("master", Worker("a")), list[dict[str, Any]]()
    cluster.is_settled = True
    recorder = SimpleNamespace(tell=lambda attendance: told.__setitem__(slice(None), attendance))
    events: Any = Events()
    Rebalancer(SimpleNamespace(cluster=cluster, recorder=recorder)).listen(events)  # type: ignore[arg-type]
    events.test_start.fire()
    yield cluster, told
    events.test_stopping.fire()


def test_whoever_joins_or_goes_in_a_run_is_told_and_the_users_are_shared_out_again(
    followed: tuple[FakeCluster, list[dict[str, Any]]],
) -> None:
    cluster, told = followed
    assert cluster.done == []  # the first workers are no change
    cluster.there = [Worker("a"), Worker("b")]
    wait_until(lambda: len(cluster.done) == 1)
    cluster.there = [Worker("a", missing=True), Worker("b")]
    wait_until(lambda: len(cluster.done) == 2)
    cluster.there = [Worker("a"), Worker("b")]
    wait_until(lambda: len(cluster.done) == 3)
    cluster.there = [Worker("a")]
    wait_until(lambda: len(cluster.done) == 4)
    said = [(entry["client"], entry["what"]) for entry in told]
    assert said == [("a", "joined"), ("b", "joined"), ("a", "lost"), ("a", "back"), ("b", "left")]
    assert set(cluster.done) == {("start", None, None)}


def test_while_users_are_being_started_none_are_shared_out(followed: tuple[FakeCluster, list[dict[str, Any]]]) -> None:
    cluster, told = followed
    cluster.is_settled = False
    cluster.there = [Worker("a"), Worker("b")]
    wait_until(lambda: len(told) == 2)
    assert cluster.done == []
    cluster.is_settled = True
    wait_until(lambda: cluster.done)


# Clocks


def clocks(monkeypatch: pytest.MonkeyPatch, *boots: str) -> tuple[FakeCluster, ClockSync]:
    """A worker that hears its master at once; `boots` are the master's and the worker's."""
    names = iter(boots)
    monkeypatch.setattr(clock_sync, "boot_id", names.__next__)
    monkeypatch.setattr(clock_sync, "LOOK_S", 0.001)
    master, worker = FakeCluster("master"), FakeCluster("worker")
    events: Any = Events()
    ClockSync(master).listen(events)
    synced = ClockSync(worker)
    synced.listen(events)

    def deliver(name: str, data: Any = None, to: str | None = None) -> None:
        master.hear(name, data, worker.id)
        _, answer, asker = master.sent[-1]
        assert asker == worker.id
        worker.hear(ANSWER, answer)

    worker.send = deliver  # type: ignore[method-assign]
    return master, synced


def test_processes_of_one_boot_have_one_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    _, synced = clocks(monkeypatch, "boot", "boot")
    wait_until(lambda: synced.as_run_json()["clock_ahead_ms"] is not None)
    assert synced.ahead_ns == 0
    assert synced.as_run_json()["clock_shared"] is True


def test_a_worker_whose_clock_is_ahead_knows_by_how_much(monkeypatch: pytest.MonkeyPatch) -> None:
    master, synced = clocks(monkeypatch, "boot", "another boot")
    hear = master.hear
    real_ns = time.time_ns

    def a_second_behind(name: str, data: Any, sender: str = "master") -> None:
        assert name == ASK
        with monkeypatch.context() as patched:
            patched.setattr(time, "time_ns", lambda: real_ns() - 1_000_000_000)
            hear(name, data, sender)

    master.hear = a_second_behind  # type: ignore[method-assign]
    wait_until(lambda: synced.as_run_json()["clock_ahead_ms"] is not None)
    told = synced.as_run_json()
    assert abs(synced.ahead_ns - 1_000_000_000) < 50_000_000
    assert told["clock_shared"] is False


def test_without_an_answer_nothing_is_claimed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clock_sync, "PATIENCE_S", 0.001)
    synced = ClockSync(FakeCluster("worker"))
    synced._measure()
    assert synced.as_run_json() == {"clock_ahead_ms": None}
    assert synced.ahead_ns == 0
    assert ClockSync(FakeCluster("master")).as_run_json() == {}


# A worker's rows


def spooling(tmp_path: Path, cluster: FakeCluster, monkeypatch: pytest.MonkeyPatch) -> tuple[Spooling, Publisher]:
    monkeypatch.setattr(handover, "SEND_EVERY_S", 0.001)
    hook = SimpleNamespace(fire=lambda **_: None)
    publisher = Publisher(SimpleNamespace(events=SimpleNamespace(report_to_master=hook)), cluster, dict)
    return Spooling(cluster, SimpleNamespace(), publisher, str(tmp_path)), publisher


def test_rows_are_sent_again_until_the_master_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = FakeCluster("worker")
    ours, publisher = spooling(tmp_path, cluster, monkeypatch)
    publisher.reset("run", ours.begin("run"))
    publisher.outbox.add(b"0\n")
    publisher.outbox.add(b"1\n")
    ours.start()
    wait_until(lambda: cluster.of(ROWS))
    assert cluster.of(ROWS)[0]["rows"] == b"0\n1\n"
    publisher.on_acknowledge({"run": "run", "up_to": 0, "first": 1, "kept": False}, "master")  # its message was lost
    wait_until(lambda: any(sent["first"] == 0 for sent in cluster.of(ROWS)[1:]))
    publisher.on_acknowledge({"run": "run", "up_to": 2, "first": 0, "kept": True}, "master")
    assert not (tmp_path / "spool").exists()


@pytest.mark.parametrize("silent_s", [0.0, 60.0])
def test_a_worker_waits_for_the_masters_word_while_the_master_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, silent_s: float
) -> None:
    cluster = FakeCluster("worker")
    cluster.master_silent_s = silent_s
    ours, publisher = spooling(tmp_path, cluster, monkeypatch)
    publisher.reset("run", ours.begin("run"))
    publisher.outbox.add(b"0\n")
    ending = gevent.spawn(ours.end)
    gevent.sleep(0.001)
    assert bool(ending) is not bool(silent_s)
    publisher.on_acknowledge({"run": "run", "up_to": 1, "first": 0, "kept": not silent_s}, "master")
    ending.get(timeout=10)
    assert (tmp_path / "spool" / "run" / "me" / "requests.csv").exists() is bool(silent_s)  # can still be merged


# SLOs while the run goes on


def test_a_run_ends_once_an_slo_is_surely_crossed(capsys: pytest.CaptureFixture[str]) -> None:
    cluster = FakeCluster()
    options = SimpleNamespace(invalid_ok=False)
    environment = SimpleNamespace(parsed_options=options, process_exit_code=None)
    row = dict.fromkeys(COLUMNS) | {"outcome": "ok", "phase": "steady", "e2e_ms": 900.0, "worker": 0}
    for abort, ends in ((False, []), (True, [("end",)])):
        cluster.done.clear()
        gate = Gate(environment, cluster, "e2e_ms p50 < 500", abort)
        for at_ns in range(0, 500 * 10**9, 10**9):  # one after the other
            gate.judge.add(row | {"sent_unix_ns": at_ns, "ended_unix_ns": at_ns + 900_000_000})
        for _ in range(2):
            gate.look()
            gevent.sleep(0)
        assert cluster.done == ends
    assert capsys.readouterr().err.count("ending the run: ") == 1
    gate.close("INVALID")
    assert environment.process_exit_code == 99  # a run that was ended for it is short, and so may be invalid


# The real one, of a process alone


def test_a_process_alone_starts_and_ends_its_load_by_locust(monkeypatch: pytest.MonkeyPatch) -> None:
    from locust import User, task
    from locust.env import Environment

    class Idle(User):
        @task
        def rest(self) -> None:
            gevent.sleep(60)

    monkeypatch.setattr(runners, "inspect", inspect)
    monkeypatch.setattr(inspect, "stack", lambda: pytest.fail("it looks through all modules, amid the load"))
    forget_who_stops()
    environment = Environment(user_classes=[Idle], events=Events())
    environment.parsed_options = SimpleNamespace(headless=False)  # type: ignore[assignment]
    environment.create_local_runner()
    cluster, heard = Cluster(environment), list[tuple[Any, str]]()
    assert (cluster.is_master, cluster.is_worker, cluster.number, cluster.is_running) == (False, False, 0, False)
    cluster.start(2, 100)
    wait_until(lambda: cluster.users == 2)
    assert (cluster.is_running, cluster.target_users, cluster.may_wait) == (True, 2, True)
    cluster.on("hello", lambda data, sender: heard.append((data, sender)))
    cluster.send("hello", 7)
    assert heard == [(7, "local")]
    cluster.end()
    assert (cluster.is_running, cluster.users) == (False, 0)
    environment.runner.quit()  # type: ignore[union-attr]


def test_a_spool_is_of_no_other_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, publisher = spooling(tmp_path, FakeCluster("worker"), monkeypatch)
    publisher.reset("run", ours.begin("run"))
    assert isinstance(publisher.outbox, Outbox)
    with pytest.raises(FileExistsError):
        ours.begin("run")
