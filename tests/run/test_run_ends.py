"""However a run ends, its folder is complete, and every request has its true outcome."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import gevent
import psutil
import pytest
from gevent.pool import Group
from locust.exception import StopUser
from locust.user.task import LOCUST_STATE_RUNNING
from locust_process import ROOT, Run, command, environment, folder, forked, headless, processes, started
from simulator_process import running

from tokenswarm.users.ollama import OllamaChatUser

SIM = ("--model", "sim")


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_in_the_middle_of_long_generations(workers: int, number: signal.Signals, tmp_path: Path) -> None:
    with running("--parallel", "8", "--output-tokens", "4000", "--output-cv", "0") as simulator:
        options = (
            "--users",
            "6",
            "--spawn-rate",
            "6",
            "--max-tokens",
            "4000",
            *(processes(workers) if workers else ()),
        )
        with started(simulator.url, tmp_path, *SIM, *options, together=number == signal.SIGINT) as process:
            simulator.wait_for(running=6)
            time.sleep(1)
            if number == signal.SIGINT:
                os.killpg(process.pid, number)  # as a terminal does: every process of the run gets it
            else:
                process.send_signal(number)
            said, _ = process.communicate(timeout=180)
        simulator.wait_for(running=0)
    run = folder(tmp_path)
    assert run.outcomes == {"cancelled": 6}, said
    assert run.run["state"] == "complete"
    assert not run.rules() & {"workers", "lost rows"}
    for row in run.rows:  # what was known when it was cut
        assert float(row["ttft_ms"]) > 0
        assert float(row["e2e_ms"]) > 900
        assert int(row["output_chunks"]) > 10
        assert row["output_tokens"] == ""  # the server had not said it: absent, not 0
    report = (run.path / "report.md").read_text()
    assert "cancelled" in report


def test_stages_are_stopped_in_the_middle(tmp_path: Path) -> None:
    with running("--parallel", "4", "--output-tokens", "4000", "--output-cv", "0") as simulator:
        options = ("--stages", "2x60s, 1x60s", "--max-tokens", "4000", "OllamaChatUser", "--no-report", *processes(2))
        with started(simulator.url, tmp_path, *SIM, *options) as process:
            simulator.wait_for(running=2)
            process.send_signal(signal.SIGTERM)
            said, _ = process.communicate(timeout=180)
            assert process.returncode == 1, said
    run = folder(tmp_path)
    assert run.outcomes == {"cancelled": 2}, said
    assert run.run["state"] == "complete"


def test_run_time_ends_in_the_middle_of_long_generations(tmp_path: Path) -> None:
    with running("--parallel", "4", "--output-tokens", "4000", "--output-cv", "0") as simulator:
        options = ("--users", "4", "--spawn-rate", "4", "--max-tokens", "4000", "--model", "sim", "--run-time", "2s")
        done = headless(simulator.url, tmp_path, *options, "--no-report")
    assert done.returncode == 1, done.stderr
    assert folder(tmp_path).outcomes == {"cancelled": 4}


def test_the_server_dies_in_the_middle(tmp_path: Path) -> None:
    with running("--parallel", "4", "--output-tokens", "4000", "--output-cv", "0") as simulator:
        options = ("--users", "4", "--spawn-rate", "4", "--max-tokens", "4000", "--run-time", "6s")
        with started(simulator.url, tmp_path, *SIM, *options) as process:
            simulator.wait_for(running=4)
            time.sleep(0.5)
            simulator.process.kill()
            said, _ = process.communicate(timeout=180)
        assert process.returncode == 1, said  # Locust's own exit code for failures
    run = folder(tmp_path)
    assert run.outcomes["truncated"] == 4
    assert run.outcomes["refused"] >= 4  # and a pause after each: not thousands
    assert run.outcomes["refused"] < 40
    for row in run.rows:
        assert row["error"]
        assert row["e2e_ms"] == "" or float(row["e2e_ms"]) > 0
        if row["outcome"] == "refused":
            assert float(row["connect_ms"]) > 0
            assert row["ttft_ms"] == ""
    report = (run.path / "report.md").read_text()
    assert "truncated" in report
    assert "refused" in report


FAULTS = {
    # model: (outcome, words in the error)
    "fault-truncate": ("truncated", "ended without"),
    "fault-error-object": ("server_error", "an error was encountered"),
    "fault-reset": ("truncated", ""),
    "fault-garbage": ("protocol_error", "not JSON"),
    "fault-503": ("http_error", "HTTP 503"),
    "fault-500": ("http_error", "HTTP 500"),
    "fault-no-done-line": ("truncated", "done:true"),
    "fault-stall": ("timeout", "no end within 2 s"),
    "fault-slow-headers": ("timeout", "no first byte within 1 s"),
    "fault-many-tokens-a-chunk": ("ok", ""),
    "fault-no-usage": ("ok", ""),
    "fault-think-tags": ("ok", ""),
    "fault-empty": ("ok", ""),
}


@pytest.fixture(scope="module")
def faulty_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run on all of the misbehaving models: whoever asks draws one for each request."""
    load = ("--users", "20", "--spawn-rate", "20", "--run-time", "6s", "--max-tokens", "20", "--no-report")
    limits = ("--request-timeout", "2", "--first-byte-timeout", "1", "--pause-after-error", "0.2")
    path = tmp_path_factory.mktemp("faults")
    with running("--load-ms", "0", "--stall-s", "5", "--parallel", "20", "--decode-tps", "100") as simulator:
        headless(simulator.url, path, "OllamaChatUser", "--model", ",".join(FAULTS), *load, *limits)
    return folder(path)


@pytest.mark.parametrize("model", FAULTS)
def test_what_a_misbehaving_server_does_is_data(model: str, faulty_run: Run) -> None:
    outcome, words = FAULTS[model]
    of_model = [row for row in faulty_run.rows if row["model"] == model]
    rows = [row for row in of_model if row["outcome"] == outcome]
    assert len(rows) > 2
    assert {row["outcome"] for row in of_model} <= {outcome, "cancelled"}
    assert all(words in row["error"] for row in rows)
    assert all((row["error"] == "") == (outcome == "ok") for row in rows)
    if model == "fault-many-tokens-a-chunk":
        assert all(float(row["tokens_per_chunk"]) > 2 for row in rows)
    if model == "fault-no-usage":
        assert all(row["output_tokens"] == row["tpot_ms"] == "" for row in rows)
        assert all(row["ttft_ms"] or row["buffered"] == "1" for row in rows)  # a busy machine may hold a stream back
        assert any(row["ttft_ms"] for row in rows)
    if model == "fault-think-tags":
        assert all(int(row["thinking_chars"]) > 0 for row in rows)
        assert any(float(row["ttfa_ms"]) > float(row["ttft_ms"]) for row in rows if row["ttfa_ms"])
    if model == "fault-empty":
        assert all(row["ttft_ms"] == "" and int(row["output_tokens"]) > 0 for row in rows)


def test_a_killed_worker_leaves_the_rows_it_had_sent_and_a_warning(tmp_path: Path) -> None:
    options = ("--users", "4", "--spawn-rate", "4", "--run-time", "12s", "--max-tokens", "10", *processes(2))
    with (
        running("--parallel", "4", "--load-ms", "0") as simulator,
        started(simulator.url, tmp_path, *SIM, *options, itself=True) as process,
    ):
        simulator.wait_for(running=4)
        time.sleep(5)  # Locust's workers report every 3 s
        psutil.Process(process.pid).children()[0].kill()
        said, _ = process.communicate(timeout=180)
    run = folder(tmp_path, killed=True)
    assert run.run["state"] == "complete"
    workers = {row["worker"] for row in run.rows}
    assert workers == {"0", "1"}, said
    assert "workers" in run.rules("invalid")
    assert "INVALID (workers): 1 of the workers did not hand over" in (run.path / "report.md").read_text()


QUITTER = """
import gevent
from locust import events
from locustfile import *

@events.init.add_listener
def on_init(environment, **_):
    @environment.events.generation.add_listener
    def enough(record, **_):
        if record.identity.sequence == 5:
            gevent.spawn(environment.runner.quit)
"""


def test_a_run_that_its_own_listener_quits_is_written_down(tmp_path: Path) -> None:
    own = tmp_path / "quits.py"
    own.write_text(QUITTER)
    with running("--parallel", "4", "--load-ms", "0") as simulator:
        options = ("OllamaChatUser", "--model", "sim", "--users", "4", "--headless", "--only-summary")
        full = command(simulator.url, tmp_path / "runs", *options, locustfile=str(own))
        env = environment(PYTHONPATH=str(ROOT))
        done = subprocess.run(forked(full), env=env, capture_output=True, text=True, timeout=180, check=False)
    run = folder(tmp_path / "runs")
    assert run.run["state"] == "complete", done.stderr
    assert "validity" in run.run
    assert len(run.rows) == len(run.identities()) >= 6
    assert (run.path / "report.md").exists()


def test_a_user_that_wakes_as_it_is_stopped_begins_no_request() -> None:
    """It would be cut at once: a request that nobody let begin, though a stop timeout lets what is under way end."""
    user, began = object.__new__(OllamaChatUser), []

    def live() -> None:
        with suppress(StopUser):
            user.rest(0.0)
            began.append(True)

    user._state, user._group = LOCUST_STATE_RUNNING, Group()
    user._greenlet = user._group.spawn(live)
    gevent.sleep(0)  # it pauses now, and is to go on in the next round of the loop
    assert user.stop()
    assert not began
