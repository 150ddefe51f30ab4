"""Where a run is, for whoever watches it: its state, what is left, the stage or the trial, by a fake cluster."""

import time
from collections import Counter
from pathlib import Path

import pytest
from fake_cluster import FakeCluster
from one_process import begin, end, process

from tokenswarm.metrics.live_view import Count
from tokenswarm.run import progress as module
from tokenswarm.run.lifecycle import RunLifecycle
from tokenswarm.run.progress import Progress, progress
from tokenswarm.run.shared import shared_state


def at(lifecycle: RunLifecycle, seconds: float, monkeypatch: pytest.MonkeyPatch) -> Progress:
    """So long after the run began."""
    assert lifecycle.recorder
    began_s = float(lifecycle.recorder.circumstances["started_unix_s"])
    with monkeypatch.context() as patched:
        patched.setattr(module.time, "time", lambda: began_s + seconds)
        return progress(lifecycle)


def test_a_run_is_known_by_its_folder_and_counts_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with process(
        FakeCluster(), tmp_path, monkeypatch, "--warmup", "5s", "--run-time", "60", "--name", "x"
    ) as lifecycle:
        assert progress(lifecycle)[:2] == ("", "")
        lifecycle.environment.events.test_start.fire(environment=lifecycle.environment)
        warming = at(lifecycle, 2, monkeypatch)
        assert (warming.state, warming.elapsed_s, warming.left_s) == ("warm-up", pytest.approx(2), pytest.approx(58))
        assert at(lifecycle, 6, monkeypatch).state == "ramp-up"
        lifecycle.environment.events.spawning_complete.fire(user_count=1)
        assert at(lifecycle, 6, monkeypatch).state == "running"
        assert at(lifecycle, 70, monkeypatch).left_s == 0
        lifecycle.environment.events.test_stopping.fire(environment=lifecycle.environment)
        ending = at(lifecycle, 61, monkeypatch)
        assert (ending.state, ending.left_s) == ("ending", None)
        lifecycle.environment.events.test_stop.fire(environment=lifecycle.environment)
        after = progress(lifecycle)
        (folder,) = tmp_path.glob("*-x")
        assert (after.run, after.state) == (folder.name, "ended")
        assert after.verdict.startswith("INVALID")


def test_without_a_run_time_nobody_knows_how_long(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with process(FakeCluster(), tmp_path, monkeypatch) as lifecycle:
        begin(lifecycle)
        assert at(lifecycle, 3, monkeypatch).left_s is None
        end(lifecycle)


def test_a_stage_says_what_is_left_of_it_and_of_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with process(FakeCluster(), tmp_path, monkeypatch) as lifecycle:
        begin(lifecycle)
        assert lifecycle.recorder
        spans = (("2x10s", 10.0), ("2..6x5s", 5.0), ("6x20s", 20.0))
        stages: list[dict[str, object]] = [{"text": text, "span_s": span_s} for text, span_s in spans]
        began_s = float(lifecycle.recorder.circumstances["started_unix_s"])
        stages[1]["began_unix_s"] = began_s + 11
        lifecycle.recorder.circumstances["stages"] = stages
        shared_state(lifecycle.options)["stage"] = (2, True, False)
        now = at(lifecycle, 12, monkeypatch)
        assert now.doing == "stage 2 of 3: 2..6x5s, 4 s left"
        assert now.left_s == pytest.approx(24, abs=0.01)
        shared_state(lifecycle.options)["stage"] = (None, False, False)
        lifecycle.trial = "trial 3: 8 users"
        assert (at(lifecycle, 12, monkeypatch).doing, at(lifecycle, 12, monkeypatch).left_s) == (
            "trial 3: 8 users",
            None,
        )
        end(lifecycle)


def test_a_run_of_so_many_requests_says_how_many_there_were(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with process(FakeCluster(), tmp_path, monkeypatch, "--requests", "1500") as lifecycle:
        begin(lifecycle)
        lifecycle.live.take("", 0, {("/api/chat", "m"): Count(outcomes=Counter(ok=7, http_error=2))}, 1.0)
        assert at(lifecycle, 3, monkeypatch).doing == "9 of 1,500 requests"
        end(lifecycle)


def test_users_that_were_changed_by_hand_are_a_stage_of_unknown_length(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with process(FakeCluster(), tmp_path, monkeypatch, "--run-time", "60") as lifecycle:
        begin(lifecycle)
        assert lifecycle.recorder
        stages = [{"text": text, "by_hand": True} for text in ("2", "5")]
        lifecycle.recorder.circumstances["stages"] = stages
        shared_state(lifecycle.options)["stage"] = (2, False, True)
        now = at(lifecycle, 12, monkeypatch)
        assert (now.doing, now.left_s) == ("stage 2: 5 users, changed by hand", pytest.approx(48))
        end(lifecycle)


def test_rows_that_cannot_be_written_are_a_warning_while_it_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with process(FakeCluster(), tmp_path, monkeypatch) as lifecycle:
        begin(lifecycle)
        lifecycle.findings.append({"level": "remark", "what": "the model was loaded first"})
        assert progress(lifecycle).findings == [("remark", "the model was loaded first")]
        with monkeypatch.context() as patched:
            patched.setattr(type(lifecycle.publisher), "stuck_s", 3.0)
            level, what = progress(lifecycle).findings[1]
        assert (level, "free its disk" in what) == ("warning", True)
        end(lifecycle)


def test_what_it_says_is_of_now(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with process(FakeCluster(), tmp_path, monkeypatch) as lifecycle:
        before_s = time.time()
        begin(lifecycle)
        assert 0 <= progress(lifecycle).elapsed_s <= time.time() - before_s + 0.001
        end(lifecycle)
