"""A run's begin and end in one process, by a fake cluster: what is in the run folder, and what is said."""

import json
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import gevent
import pytest
from fake_cluster import FakeCluster
from literals import WHO
from one_process import begin, end, process

from tokenswarm.folder.lines import line
from tokenswarm.folder.row import row
from tokenswarm.metrics.record import Record
from tokenswarm.run import closing
from tokenswarm.run.closing import FINISH
from tokenswarm.run.cluster import Worker
from tokenswarm.run.feature import Feature
from tokenswarm.run.lifecycle import RunLifecycle
from tokenswarm.run.publisher import ACKNOWLEDGE, ROWS
from tokenswarm.run.shared import begin as share
from tokenswarm.run.shared import shared_state
from tokenswarm.run.user_changes import UserChanges
from tokenswarm.settings.errors import UsageError


def answered(sequence: int, **changes: Any) -> Record:
    now_ns = time.time_ns()
    identity = replace(WHO, sequence=sequence)
    return Record(identity, "ok", status=200, sent_ns=now_ns, first_output_ns=now_ns, ended_ns=now_ns, **changes)


def run_json(run_dir: Path) -> dict[str, Any]:
    (path,) = run_dir.glob("*/run.json")
    read: dict[str, Any] = json.loads(path.read_text())
    return read


def sent_rows(run: str, rows: int, *, final: bool = True) -> dict[str, Any]:
    lines = b"".join(line(row(answered(number))) for number in range(rows))
    return {"run": run, "first": 0, "count": rows, "rows": lines, "made": rows, "final": final}


def test_a_run_alone_leaves_a_whole_folder_and_says_what_it_is_worth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with process(FakeCluster(), tmp_path, monkeypatch, "--name", "alone") as lifecycle:
        begin(lifecycle)
        assert run_json(tmp_path)["state"] == "running"
        lifecycle.recorder.tell(capacity={"answer": 3})
        assert run_json(tmp_path)["capacity"] == {"answer": 3}  # at once: the process may be killed
        for number in range(3):
            lifecycle.environment.events.generation.fire(record=answered(number), response_bytes=10)
        end(lifecycle)
    run = run_json(tmp_path)
    assert (run["state"], run["rows"], run["workers"][0]["requests"]) == ("complete", 3, 3)
    assert run["options"]["model"] == "m"
    (folder,) = tmp_path.glob("*-alone")
    assert len((folder / "requests.csv").read_text().splitlines()) == 4
    said = capsys.readouterr().err
    assert f"3 requests in {folder}" in said
    assert run["validity"]["verdict"] in said
    assert lifecycle.verdicts[folder.name].startswith(run["validity"]["verdict"])
    assert lifecycle.environment.process_exit_code is None


def test_a_run_in_which_nothing_was_answered_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with process(FakeCluster(), tmp_path, monkeypatch) as lifecycle:
        begin(lifecycle)
        refused = Record(WHO, "refused", "nobody listens")
        lifecycle.environment.events.generation.fire(record=refused, response_bytes=0)
        end(lifecycle)
    assert lifecycle.environment.process_exit_code == 1
    assert "no request was answered" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("verdict", "slo", "more", "code"),
    [
        ("INVALID", "outcome ok > 50%", (), 3),
        ("INVALID", "outcome http_error > 50%", (), 3),
        ("INVALID", "outcome ok > 50%", ("--invalid-ok",), None),
        ("INVALID", "outcome http_error > 50%", ("--invalid-ok",), 99),
        ("VALID", "outcome http_error > 50%", (), 99),
        ("VALID", "outcome ok > 50%", (), None),
        ("INVALID", "", (), None),  # nothing was asked of it
    ],
)
def test_the_exit_code_tells_slos_that_are_not_met_from_figures_that_may_not_be_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verdict: str, slo: str, more: tuple[str, ...], code: int | None
) -> None:
    monkeypatch.setattr("tokenswarm.run.recorder.validity", lambda *_: {"verdict": verdict, "findings": []})
    slos = [slo] if slo else []
    with process(FakeCluster(), tmp_path, monkeypatch, *(f"--slo={one}" for one in slos), *more) as lifecycle:
        begin(lifecycle)
        lifecycle.environment.events.generation.fire(record=answered(0), response_bytes=0)
        end(lifecycle)
    assert lifecycle.environment.process_exit_code == code
    assert [each["slo"] for each in run_json(tmp_path).get("slos", [])] == slos


def test_what_is_wrong_at_the_beginning_ends_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    with process(FakeCluster("master"), tmp_path / "file", monkeypatch) as lifecycle, pytest.raises(SystemExit) as left:
        lifecycle.on_test_start()
    assert left.value.code == 2
    assert "tokenswarm: error: " in capsys.readouterr().err
    with process(FakeCluster("worker"), tmp_path, monkeypatch) as lifecycle:
        shared_state(lifecycle.options)["columns"] = "of another version"
        with pytest.raises(SystemExit):
            lifecycle.on_test_start()
    assert "bring both to one commit" in capsys.readouterr().err


def test_no_run_begins_while_another_does_or_is_written_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with process(FakeCluster(), tmp_path, monkeypatch) as lifecycle:
        with lifecycle.begin_alone(), pytest.raises(UsageError, match="just beginning"), lifecycle.begin_alone():
            pass
        begin(lifecycle)
        lifecycle.on_test_stopping()
        with pytest.raises(UsageError, match="still being written down"), lifecycle.begin_alone():
            pass
        end(lifecycle)
        with lifecycle.begin_alone():
            pass


# With workers


def master(there: list[str]) -> FakeCluster:
    return FakeCluster("master", *map(Worker, there))


def test_a_master_waits_for_the_last_rows_of_all_workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = master(["a", "b"])
    with process(cluster, tmp_path, monkeypatch) as lifecycle:
        begin(lifecycle)
        run = lifecycle.publisher.run_id
        cluster.hear(ROWS, sent_rows(run, 2, final=False), "a")
        assert cluster.of(ACKNOWLEDGE) == [{"run": run, "up_to": 2, "first": 0, "kept": False}]
        ending = gevent.spawn(end, lifecycle)
        with gevent.Timeout(10):
            while not cluster.of(FINISH):
                gevent.sleep(0)
        assert cluster.of(FINISH) == [{"run": run}]
        assert run_json(tmp_path)["state"] == "running"
        for worker in ("a", "b"):
            cluster.hear(ROWS, sent_rows(run, 3), worker)
        ending.get(timeout=10)
    found = run_json(tmp_path)
    assert (found["state"], found["rows"]) == ("complete", 6)
    assert [(w["client"], w["requests"], w["ended"]) for w in found["workers"]] == [("a", 3, True), ("b", 3, True)]
    assert [answer["kept"] for answer in cluster.of(ACKNOWLEDGE)] == [False, True, True]


def test_of_a_worker_that_is_lost_the_run_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing, "WAIT_FOR_LOST_S", 0.0)
    cluster = FakeCluster("master", Worker("a"), Worker("b"))
    with process(cluster, tmp_path, monkeypatch) as lifecycle:
        begin(lifecycle)
        run = lifecycle.publisher.run_id
        for worker in ("a", "b"):
            cluster.hear(ROWS, sent_rows(run, 2, final=worker == "a"), worker)
        cluster.there = [Worker("a"), Worker("b", missing=True, loaded=False)]
        end(lifecycle)
    found = run_json(tmp_path)
    assert [(w["client"], w["ended"]) for w in found["workers"]] == [("a", True), ("b", False)]
    assert "INVALID" in found["validity"]["verdict"]


def test_a_worker_of_another_run_is_told_to_stop_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cluster = master(["a"])
    with process(cluster, tmp_path, monkeypatch) as lifecycle:
        begin(lifecycle)
        for _ in range(2):
            cluster.hear(ROWS, sent_rows("another", 2, final=False), "a")
        assert [to for name, _, to in cluster.sent if name == "stop"] == ["a"]


def test_a_signal_ends_the_run_and_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closing.interrupt, "be_patient", lambda _: None)
    cluster = FakeCluster()
    with process(cluster, tmp_path, monkeypatch) as lifecycle:
        begin(lifecycle)
        cluster.stop = lambda: end(lifecycle)  # type: ignore[method-assign]
        lifecycle.environment.events.quitting.fire(environment=lifecycle.environment)
    found = run_json(tmp_path)
    assert found["state"] == "complete"
    assert "ended by hand" in [finding["rule"] for finding in found["validity"]["findings"]]


@pytest.mark.parametrize(
    ("users", "options", "said"),
    [
        ([8, 16, 16, 4], (), "8 → 16 (0 s) → 4 (0 s)"),
        ([8, 8, 8], (), None),  # whoever joined was given their share
        ([8, 16], ("--find-capacity", "--slo", "ttft_ms p95 < 500"), None),
        ([1, 2], ("--stages", "1x5s, 2x5s"), None),
    ],
)
def test_users_that_were_changed_by_hand_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, users: list[int], options: tuple[str, ...], said: str | None
) -> None:
    cluster = FakeCluster()
    changes = Feature("changes", join=lambda run: UserChanges(run).listen(run.environment.events))
    with process(cluster, tmp_path, monkeypatch, *options, features=[changes]) as lifecycle:
        events = lifecycle.environment.events
        lifecycle.environment.shape_class = lifecycle.options.stages or None
        for run in range(2):  # of the one before nothing is told
            cluster.target_users = users[0] if run else 3
            events.test_start.fire(environment=lifecycle.environment)
            events.spawning_complete.fire(user_count=cluster.target_users)
            cluster.is_running = True
            for asked in users[1:] if run else ():
                cluster.order(asked)
                events.spawning_complete.fire(user_count=asked)
            cluster.is_running = False
            events.test_stopping.fire(environment=lifecycle.environment)
            cluster.target_users = 0
            events.spawning_complete.fire(user_count=0)
            events.test_stop.fire(environment=lifecycle.environment)
    last = max(tmp_path.glob("*/run.json"))
    told = [one for one in json.loads(last.read_text())["validity"]["findings"] if one["rule"] == "users changed"]
    assert [one["what"] for one in told] == ([f"the number of users was changed by hand: {said}"] if said else [])


@pytest.mark.parametrize(("run_time_s", "after_s", "by_hand"), [(60, 0.2, True), (60, 5, False), (0.5, 0.2, False)])
def test_a_signal_to_all_processes_is_told_though_the_workers_leave_first(
    run_time_s: float, after_s: float, by_hand: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(closing.interrupt, "heard_s", [time.monotonic() + after_s])
    cluster = master(["a"])
    with process(cluster, tmp_path, monkeypatch) as lifecycle:
        lifecycle.options.run_time = run_time_s
        begin(lifecycle)
        cluster.hear(ROWS, sent_rows(lifecycle.publisher.run_id, 2), "a")
        cluster.there = []
        end(lifecycle)
    rules = [finding["rule"] for finding in run_json(tmp_path)["validity"]["findings"]]
    assert ("ended by hand" in rules) == by_hand


def worker_of(lifecycle: RunLifecycle, run: str) -> None:
    """What comes with the master's order to spawn."""
    lifecycle.options.run_id = run
    share(lifecycle.options, {"run": run})


def test_a_worker_hands_all_its_rows_over_when_the_master_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = FakeCluster("worker")
    with process(cluster, tmp_path, monkeypatch) as lifecycle:
        cluster.stop = lambda: end(lifecycle)  # type: ignore[method-assign]
        worker_of(lifecycle, "the-run")
        begin(lifecycle)
        for number in range(3):
            lifecycle.environment.events.generation.fire(record=answered(number), response_bytes=0)
        (spool,) = tmp_path.glob("spool/the-run/*")
        assert json.loads((spool / "worker.json").read_text())["run"] == {"run": "the-run"}
        cluster.hear(FINISH, {"run": "the-run"})
        (report,) = cluster.of("stats")
        assert (report["tokenswarm"]["count"], report["tokenswarm"]["final"]) == (3, True)
        assert lifecycle.health is None
        cluster.hear(ACKNOWLEDGE, {"run": "the-run", "up_to": 3, "first": 0, "kept": True})
        assert not (tmp_path / "spool").exists()


def test_a_worker_that_had_no_part_in_the_run_says_that_it_has_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cluster = FakeCluster("worker")
    with process(cluster, tmp_path, monkeypatch):
        cluster.hear(FINISH, {"run": "unheard-of"})
    (report,) = cluster.of("stats")
    told = report["tokenswarm"]
    assert (told["run"], told["made"], told["final"]) == ("unheard-of", 0, True)
    assert cluster.done == []


def test_a_worker_that_joins_a_run_whose_users_are_all_there_is_not_in_the_ramp_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for there, phase in ((True, "steady"), (False, "ramp-up")):
        with process(FakeCluster("worker"), tmp_path / str(there), monkeypatch) as lifecycle:
            worker_of(lifecycle, "the-run")
            shared_state(lifecycle.options)["all_started"] = there
            lifecycle.on_test_start()
            assert lifecycle.run_context
            assert lifecycle.run_context.phase() == phase
