"""How a run ends: its exit code, what it says, and that no signal costs it its rows or shows a traceback."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from locust_process import ROOT, command, environment, folder, forked, free_port, headless, processes
from simulator_process import Simulator, running

LOAD = ("OllamaChatUser", "--users", "4", "--spawn-rate", "4", "--max-tokens", "8")


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running("--parallel", "4", "--output-tokens", "6", "--load-ms", "0", "--stall-s", "5") as started:
        yield started


def test_a_run_without_any_answer_does_not_exit_0(simulator: Simulator, tmp_path: Path) -> None:
    load = ("OllamaChatUser", "--model", "fault-stall", "--users", "2", "--run-time", "2s", "--no-report")
    done = headless(simulator.url, tmp_path / "runs", *load)
    assert done.returncode == 1, done.stderr
    assert "tokenswarm: no request was answered" in done.stderr


def test_slos_of_figures_that_may_not_be_believed(tmp_path: Path) -> None:
    """Two answers are too few for a median: the run is INVALID, whatever its SLOs say."""
    load = ("OllamaChatUser", "--users", "1", "--model", "sim", "--run-time", "2s", "--stop-timeout", "9")
    asked = (*load, "--no-report", "--max-tokens", "40", "--slo", "outcome ok > 1%")
    with running("--decode-tps", "30", "--output-tokens", "40", "--load-ms", "0") as slow:
        done = headless(slow.url, tmp_path, *asked)
    assert folder(tmp_path).run["validity"]["verdict"] == "INVALID"
    assert done.returncode == 3
    assert "exit code 3 (see --invalid-ok)" in done.stderr


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--users", "-2"), "--users ▸-2◂: give a number from 0"),
        (("--run-time", "99999999999999999999h"), "▸99999999999999999999h◂ is no time span, or too long"),
        (("--run-time", "2s", "--stop-timeout", "1e30"), "▸1e30◂ is no time span"),
        (("--run-time", "2s", "--tags", "nope"), "--tags and --exclude-tags leave no task of any class"),
    ],
)
def test_what_locust_would_answer_with_a_traceback(
    simulator: Simulator, tmp_path: Path, wrong: tuple[str, ...], said: str
) -> None:
    done = headless(simulator.url, tmp_path / "runs", "--model", "sim", *wrong)
    assert done.returncode == 2, done.stderr
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_ports_that_somebody_else_has(simulator: Simulator, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        bound = ("--processes", "2", "--master-bind-host", "127.0.0.1", "--master-bind-port", port)
        workers = headless(simulator.url, tmp_path / "runs", *LOAD, "--run-time", "2s", *bound)
        full = command(simulator.url, tmp_path / "runs", "--web-host", "127.0.0.1", "--web-port", port)
        web = subprocess.run(
            forked(full), cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=180, check=False
        )
    for done, name in ((workers, "--master-bind-port"), (web, "--web-port")):
        assert done.returncode == 2, done.stderr
        assert f"{name} ▸{port}◂ cannot be had for" in done.stderr
        assert "Traceback" not in done.stderr


@pytest.mark.parametrize("signals", [(signal.SIGINT, signal.SIGINT), (signal.SIGTERM,), (signal.SIGHUP,)])
def test_a_signal_to_all_of_a_runs_processes(
    simulator: Simulator, tmp_path: Path, signals: tuple[signal.Signals, ...]
) -> None:
    load = (*LOAD, "--model", "sim", "--headless", "--only-summary", "--run-time", "60s", *processes(2))
    full = forked(command(simulator.url, tmp_path / "runs", *load), together=True)
    with (tmp_path / "said").open("w") as said:
        process = subprocess.Popen(full, cwd=ROOT, env=environment(), stdout=said, stderr=said, start_new_session=True)
        try:
            _wait_for_rows(tmp_path / "runs", 20)
            for number in signals:
                os.killpg(process.pid, number)
                while process.poll() is None and " requests in /" not in (tmp_path / "said").read_text():
                    time.sleep(0.05)  # until it says where the rows are: the report is next
            code = process.wait(180)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
    text = (tmp_path / "said").read_text()
    assert "Traceback" not in text, text
    assert code == 0, text
    run = folder(tmp_path / "runs")
    assert run.run["state"] == "complete"
    assert run.run["rows"] == len(run.rows) >= 20
    assert "ended by hand" in run.rules("remark")
    assert (run.path / "report.html").exists(), text
    if len(signals) > 1:
        assert "a moment" in text


def _wait_for_rows(runs: Path, count: int) -> None:
    until_s = time.monotonic() + 60
    while time.monotonic() < until_s:
        for path in runs.glob("*/requests.csv"):
            if path.read_bytes().count(b"\n") > count:
                return
        time.sleep(0.05)
    raise AssertionError("no rows came")


def test_a_free_port_is_no_mistake(simulator: Simulator, tmp_path: Path) -> None:
    bound = ("--processes", "2", "--master-bind-host", "127.0.0.1", "--master-bind-port", str(free_port()))
    port = bound[-1]
    done = headless(
        simulator.url, tmp_path / "runs", *LOAD, "--model", "sim", "--run-time", "2s", *bound, "--master-port", port,
        "--no-report",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
