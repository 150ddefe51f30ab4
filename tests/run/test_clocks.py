"""A worker whose clock is off: no figure of its run is shifted by it."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fast_simulator import FAST
from golden.make import MS
from locust_process import ROOT, Run, command, environment, folder, forked, free_port, headless
from simulator_process import running

from tokenswarm.reports import load

S = 1_000_000_000


@contextmanager
def started_worker(path: Path, port: str, ahead: str = "") -> Iterator[None]:
    """A worker; one on another machine, with its clock so many seconds ahead, where that is given."""
    asked = command("", path / "workers", "--worker", "--master-port", port)
    if ahead:
        asked[1:3] = ["tests/support/shifted_worker.py", ahead]
    else:
        asked = forked(asked)
    with (path / f"worker{ahead}.log").open("w") as log:
        process = subprocess.Popen(asked, cwd=ROOT, env=environment(PYTHONPATH=str(ROOT)), stdout=log, stderr=log)
        try:
            yield
        finally:
            process.kill()
            process.wait()


def with_two_workers(path: Path, ahead: str, *options: str) -> tuple[Run, dict[str, int]]:
    """A run of a worker with the master's clock and one that is off; when the server read each request, by its id."""
    truth, port, runs = path / "truth.jsonl", str(free_port()), path / "runs"
    bound = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "2")
    with running(*FAST, "--truth", str(truth)) as sim, started_worker(path, port), started_worker(path, port, ahead):
        done = headless(
            sim.url, runs, "OllamaChatUser", "--model", "sim", "--stop-timeout", "5", "--no-report", *bound, *options
        )
    assert done.returncode in (0, 1), done.stderr + (path / f"worker{ahead}.log").read_text()
    lines = [json.loads(line) for line in truth.read_text().splitlines()]
    return folder(runs), {line["request_id"]: line["read_ns"] for line in lines if line["request_id"]}


def test_a_worker_whose_clock_is_seconds_ahead_shifts_nothing(tmp_path: Path) -> None:
    """By its own clock, its arrivals would be due 3.2 s early, and its answers come 3.2 s late."""
    run, read_ns = with_two_workers(
        tmp_path, "3.2", "--arrivals", "constant 40/s", "--run-time", "7", "--max-in-flight", "80"
    )
    workers = sorted(run.run["workers"], key=lambda worker: float(worker["clock_ahead_ms"]))
    own = ("clock_ahead_ms", "clock_uncertainty_ms", "clock_shared")
    assert [workers[0][name] for name in own] == [0, 0, True]
    doubt_ms = workers[1]["clock_uncertainty_ms"]
    assert doubt_ms > 0
    assert abs(workers[1]["clock_ahead_ms"] - 3200) <= doubt_ms + 0.01
    assert "clocks apart" in run.rules("remark")
    assert "clocks unknown" not in run.rules()
    frame = load.load(run.path).frame.frame()
    assert len(frame) > 100
    names = run.run["run"] + "-" + frame["worker"].astype(str) + "-" + frame["sequence"].astype(str)
    frame["read_ns"] = [read_ns.get(name) for name in names]
    frame = frame[frame["read_ns"].notna()]
    # The open loop, by the server's own log: the nth arrival n times 25 ms after the beginning, whoever sends it.
    began_ns = (frame["read_ns"] - frame["arrival"].astype("int64") * 25 * MS).groupby(frame["worker"]).median()
    assert len(began_ns) == 2
    assert began_ns.max() - began_ns.min() < S / 2
    # The report: what the server read just now was sent just now, and was due each 25 ms.
    off_ns = (frame["read_ns"] - frame["sent_unix_ns"]).abs().groupby(frame["worker"]).median()
    assert off_ns.max() < S / 2
    due = sorted((frame["scheduled_unix_ns"] - frame["arrival"].astype("int64") * 25 * MS).tolist())
    assert (due[-1] - due[0]) / MS <= 2 * doubt_ms + 5
