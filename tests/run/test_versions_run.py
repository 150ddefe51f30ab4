"""A worker of another version: its rows would be read as something else, so it takes no part."""

import subprocess
from pathlib import Path

from locust_process import ROOT, command, environment, folder, forked, free_port
from simulator_process import running

OTHER = """
from tokenswarm.settings import fingerprint as likeness
likeness.columns = lambda: "of another version"
from locustfile import *
"""


def test_a_worker_whose_rows_have_other_columns_takes_no_part(tmp_path: Path) -> None:
    other, port = tmp_path / "other.py", str(free_port())
    other.write_text(OTHER)
    load = ("--headless", "--only-summary", "--model", "sim", "OllamaChatUser", "--users", "2", "--run-time", "3s")
    load = (*load, "--max-tokens", "5")  # so that some are answered
    bound = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "2")
    as_worker = ("--worker", "--master-port", port)
    with running("--load-ms", "0") as simulator:
        commands = [
            command(simulator.url, tmp_path / "runs", *bound, *load, "--no-report"),
            command("", tmp_path / "a", *as_worker),
            command("", tmp_path / "b", *as_worker, locustfile=str(other)),
        ]
        env = environment(PYTHONPATH=str(ROOT))
        processes = [
            subprocess.Popen(forked(one), cwd=ROOT, env=env, text=True, stderr=subprocess.PIPE) for one in commands
        ]
        try:
            said = [process.communicate(timeout=180)[1] for process in processes]
        finally:
            for process in processes:
                process.kill()
    assert [process.returncode for process in processes] == [0, 0, 2]
    (line,) = [line for line in said[2].splitlines() if line.startswith("tokenswarm: error:")]
    assert "other columns" in line
    run = folder(tmp_path / "runs")
    assert run.rows
    assert {row["worker"] for row in run.rows} <= {"0", "1"}
    assert len({row["worker"] for row in run.rows}) == 1
    assert "workers" in run.rules("invalid")
