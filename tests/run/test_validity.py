"""The verdict of real runs, a healthy and a hindered one; and the warm-up, which is left out."""

from collections import Counter
from pathlib import Path
from subprocess import run as run_process

from locust_process import BUSY_MACHINE, ROOT, command, environment, forked, headless
from locust_process import folder as run_folder
from simulator_process import running

LOAD = ("OllamaChatUser", "--model", "sim", "--users", "8", "--spawn-rate", "8", "--max-tokens", "20")

BUSY = """
import time
import gevent
from locust import events
from locustfile import *

@events.test_start.add_listener
def hinder(**_):
    def spin():
        while True:
            until = time.monotonic() + 0.08
            while time.monotonic() < until:
                pass
            gevent.sleep(0.02)
    gevent.spawn(spin)
"""


def test_a_run_says_its_verdict_everywhere(tmp_path: Path) -> None:
    """A healthy one: VALID, or not for what this machine does beside it."""
    with running("--parallel", "8", "--load-ms", "0") as simulator:
        done = headless(simulator.url, tmp_path, *LOAD, "--run-time", "6s", "--stop-timeout", "5")
    run = run_folder(tmp_path)
    verdict = run.run["validity"]["verdict"]
    assert run.rules("invalid") <= BUSY_MACHINE, run.run["validity"]
    assert verdict == ("INVALID" if run.rules("invalid") else "VALID")
    assert f"tokenswarm: {verdict}" in done.stderr
    assert any(line.startswith(verdict) and run.path.name in line for line in done.stdout.splitlines())
    assert (run.path / "report.md").read_text().startswith(f"# {verdict}: ")
    assert f'<span class="{verdict.lower()}">{verdict}</span>' in (run.path / "report.html").read_text()


def test_a_hindered_client_is_found_out(tmp_path: Path) -> None:
    own = tmp_path / "busy.py"
    own.write_text(BUSY)
    with running("--parallel", "8", "--load-ms", "0") as simulator:
        full = command(simulator.url, tmp_path / "runs", "--headless", "--only-summary", *LOAD, locustfile=str(own))
        env = environment(PYTHONPATH=str(ROOT))
        done = run_process(forked([*full, "--run-time", "5s"]), env=env, capture_output=True, text=True, check=False)
    run = run_folder(tmp_path / "runs")
    assert {"late reads", "loop lag"} <= run.rules("invalid"), (run.run["validity"], done.stderr)
    assert (run.path / "report.md").read_text().startswith("# INVALID: ")
    assert "INVALID (late reads)" in done.stdout


def test_the_warm_up_is_kept_marked_and_left_out(tmp_path: Path) -> None:
    with running("--parallel", "8", "--load-ms", "0") as simulator:
        asked = (*LOAD[:-3], "2", "--max-tokens", "20", "--run-time", "8s", "--warmup", "2s")
        headless(simulator.url, tmp_path, *asked, "--stop-timeout", "5")
    run = run_folder(tmp_path)
    phases = Counter(row["phase"] for row in run.rows)
    # 8 users at 2 a second: the ramp-up lasts 3.5 s, so it is seen after the warm-up.
    assert set(phases) == {"warm-up", "ramp-up", "steady", "drain"}
    summary = run.summary()
    assert summary["overall"]["requests"]["total"] == len(run.rows) - phases["warm-up"]
    assert {phase["phase"]: phase["requests"] for phase in summary["phases"]} == phases
    begins_ns = min(int(row["sent_unix_ns"]) for row in run.rows if row["phase"] != "warm-up")
    assert summary["window"]["first_sent_unix_ns"] == begins_ns
    assert f"without the warm-up ({phases['warm-up']} requests)" in (run.path / "report.md").read_text()
