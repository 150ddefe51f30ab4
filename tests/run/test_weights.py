"""Weights of User classes: who gets how much of the load."""

from collections import Counter
from pathlib import Path

from locust_process import Run, folder, headless, processes
from simulator_process import running

SIM = ("--load-ms", "1", "--decode-tps", "400", "--parallel", "32", "--slowdown", "0", "--output-cv", "0")

LOAD = (
    "OllamaChatUser",
    "OllamaGenerateUser",
    "--model",
    "sim",
    "--max-tokens",
    "8",
    "--no-report",
    "--stop-timeout",
    "5",
)


def share(run: Run) -> float:
    seen = Counter(row["user_class"] for row in run.rows)
    return seen["OllamaChatUser"] / seen.total()


def test_users_of_a_closed_loop_and_arrivals_of_an_open_one_are_shared_by_weight(tmp_path: Path) -> None:
    closed = ("--users", "8", "--spawn-rate", "8", "--think-time", "40ms")
    opened = ("--arrivals", "constant 120/s", "--users", "80", *processes(2))
    with running(*SIM) as simulator:
        for name, options in (("closed", closed), ("open", opened)):
            options = (*LOAD, *options, "--weights", "OllamaChatUser=3", "--run-time", "4s")
            done = headless(simulator.url, tmp_path / name, *options)
            assert done.returncode == 0, done.stderr
    found = [folder(tmp_path / name) for name in ("closed", "open")]
    assert [run.run["weights"] for run in found] == [{"OllamaChatUser": 3, "OllamaGenerateUser": 1}] * 2
    assert [len(run.rows) > 60 for run in found] == [True, True]
    assert all(0.6 < share(run) < 0.9 for run in found)  # by default one half
