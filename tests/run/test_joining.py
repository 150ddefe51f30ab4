"""A worker that joins a run which goes on."""

import subprocess
import time
from collections import Counter
from pathlib import Path

from locust_process import ROOT, command, environment, folder, forked, free_port
from simulator_process import running


def rows_below(path: Path) -> int:
    return sum(len(file.read_bytes().splitlines()) - 1 for file in path.glob("spool/*/*/requests.csv"))


def test_a_worker_that_joins_a_run_takes_part_in_it_from_its_first_request(tmp_path: Path) -> None:
    """Its order to spawn comes with the master's welcome, before Locust has told anybody that the process began."""
    port, runs = str(free_port()), tmp_path / "runs"
    load = ("--users", "4", "--spawn-rate", "4", "--run-time", "120s", "--max-tokens", "5", "--no-report")
    as_master = ("--headless", "--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, *load)
    as_worker = ("--worker", "--master-host", "127.0.0.1", "--master-port", port)

    with running("--load-ms", "0") as simulator:

        def start(*options: str, into: Path = runs) -> "subprocess.Popen[bytes]":
            words = command(simulator.url, into, "--model", "sim", *options)
            return subprocess.Popen(forked(words), cwd=ROOT, env=environment(), stderr=subprocess.DEVNULL)

        processes = [start(*as_master, "--expect-workers", "1"), start(*as_worker)]
        try:
            while not list(runs.glob("*/requests.csv")) and processes[0].poll() is None:
                time.sleep(0.05)
            processes.append(start(*as_worker, into=tmp_path / "own"))
            while rows_below(tmp_path / "own") < 20 and processes[0].poll() is None:
                time.sleep(0.05)
            assert processes[0].poll() is None  # else its rows were spooled in another folder than its own
            processes[0].terminate()
            assert processes[0].wait(180) in (0, 1)  # 1 where its end cut answers off
            for worker in processes[1:]:
                assert worker.wait(180) in (0, 1)
        finally:
            for process in processes:
                process.kill()
                process.wait()
    phases = {
        worker: Counter(row["phase"] for row in folder(runs).rows if row["worker"] == worker) for worker in ("0", "1")
    }
    assert phases["0"]["steady"] > 10
    assert phases["1"]["steady"] > 5
    assert phases["1"]["ramp-up"] == 0
