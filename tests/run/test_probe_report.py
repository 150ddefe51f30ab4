"""A run that probes before its load."""

import json
from pathlib import Path

from locust_process import folder as run_folder
from locust_process import headless
from simulator_process import running


def test_a_run_that_probes_first(tmp_path: Path) -> None:
    server = ("--parallel", "3", "--decode-tps", "400", "--prefill-tps", "8000", "--load-ms", "0")
    with running(*server) as simulator:
        done = headless(simulator.url, tmp_path, "--model", "sim", "--probe", "--users", "6", "--run-time", "4s")
    assert done.returncode == 0, done.stderr
    run = run_folder(tmp_path)
    slots = run.run["probe"]["figures"]["slots"]["value"]
    assert 1 <= slots <= 3  # that it finds them all on a quiet machine: unit/probe/test_questions.py
    assert run.run["probe"]["intrusive"] is False
    many = "s" * (slots > 1)
    said = f"{slots} slot{many} (probed), so beyond {slots} user{many} TTFT is queueing: this run had 6 users."
    assert said in (run.path / "report.md").read_text()
    assert json.loads((run.path / "summary.json").read_text())["probe"] == run.run["probe"]


def test_a_server_that_does_not_answer_the_probe_is_a_remark(tmp_path: Path) -> None:
    with running("--load-ms", "0") as simulator:
        load = ("--model", "fault-500", "--users", "1", "--run-time", "1s", "--no-report")
        done = headless(simulator.url, tmp_path, "--probe", *load)
    assert "does not answer a short request (HTTP 500" in done.stderr
    run = run_folder(tmp_path)
    assert "probe" not in run.run
    assert "probe" in run.rules("remark")
