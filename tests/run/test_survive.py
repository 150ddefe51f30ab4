"""Whatever is killed in the middle of a run: after a merge every request that ended has its row, once."""

import csv
import json
import os
import shutil
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from locust_process import BUSY_MACHINE, ROOT, Run, command, environment, folder, forked, free_port, headless, report
from simulator_process import Simulator, running, stop

# What Locust's workers wait for their master's heartbeat, shorter.
IMPATIENT = """
from locust import runners
from locustfile import *
runners.MASTER_HEARTBEAT_TIMEOUT = 3
"""


@dataclass
class Swarm:
    """A master and two workers, each with a run directory of its own."""

    runs: Path
    master: "subprocess.Popen[str]"
    workers: list["subprocess.Popen[str]"]
    again: list[str]  # the master's command

    @property
    def run(self) -> Path:
        (path,) = (path for path in self.runs.iterdir() if path.name != "spool")
        return path


@contextmanager
def swarm(
    simulator: Simulator, tmp_path: Path, *options: str, locustfile: str = "locustfile.py", themselves: bool = False
) -> Iterator[Swarm]:
    """Wait until requests come in, then leave it to the test; nothing of it stays.

    `themselves`: the processes can be stopped, too, not only be ended.
    """
    port, log = str(free_port()), (tmp_path / "log").open("w")
    bound = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "2")
    load = ("--headless", "--only-summary", "--model", "sim", "OllamaChatUser", "--max-tokens", "10", "--no-report")
    commands = [command(simulator.url, tmp_path / "runs", *bound, *load, *options, locustfile=locustfile)]
    as_worker = ("--worker", "--master-port", port)
    commands += [command("", tmp_path / name, *as_worker, locustfile=locustfile) for name in ("a", "b")]
    if not themselves:
        commands = [forked(one) for one in commands]
    env = environment(PYTHONPATH=str(ROOT))
    processes = [subprocess.Popen(one, cwd=ROOT, env=env, text=True, stdout=log, stderr=log) for one in commands]
    try:
        yield Swarm(tmp_path / "runs", processes[0], processes[1:], commands[0])
    finally:
        for process in processes:
            process.kill()
            process.wait()
        log.close()
        print((tmp_path / "log").read_text())


def merge(run: Path, *dirs: Path) -> Run:
    done = report("merge", run, *dirs)
    assert done.returncode == 0, done.stderr
    return folder(run.parent, killed=True)


def completed(truth: Path, run: str) -> set[tuple[str, str]]:
    """(worker, sequence) of the requests that the server has answered whole, by their X-Request-Id."""
    rows = [json.loads(line) for line in truth.read_text().splitlines()]
    whole = [row["request_id"] or "" for row in rows if row["end"] == "complete"]
    return {tuple(name.rsplit("-", 2)[1:]) for name in whole if name.startswith(run)}  # type: ignore[misc]


def rows_on(path: Path) -> int:
    """Rows in the requests.csv files below a folder."""
    return sum(len(file.read_bytes().splitlines()) - 1 for file in path.rglob("requests.csv"))


def wait_for(what: Any, patience_s: float = 90) -> None:
    until_s = time.monotonic() + patience_s
    while not what():
        assert time.monotonic() < until_s
        time.sleep(0.02)


@pytest.mark.parametrize("load", [("--users", "8", "--spawn-rate", "8"), ("--arrivals", "40/s", "--users", "40")])
def test_a_killed_worker_loses_no_row_that_its_spool_has(load: tuple[str, ...], tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    with running("--parallel", "8", "--load-ms", "0", "--decode-tps", "100", "--truth", str(truth)) as simulator:
        with swarm(simulator, tmp_path, *load, "--run-time", "9s", "--stop-timeout", "5") as started:
            wait_for(lambda: rows_on(tmp_path / "a") > 40)
            started.workers[0].send_signal(signal.SIGKILL)
            assert started.master.wait(180) == 0
            assert started.workers[1].wait(180) == 0
            before = folder(tmp_path / "runs")
        stop(simulator.process)
    assert list((tmp_path / "b").iterdir()) == []  # all of its rows were kept elsewhere
    assert {"workers", "lost workers"} & before.rules("invalid") == {"workers"}
    with (before.path / "locust_stats_history.csv").open(newline="") as file:
        users = [n for row in csv.DictReader(file) if (n := int(row["User Count"]))]
    asked = int(load[load.index("--users") + 1])
    assert max(users) == asked
    fewer = next((at for at, n in enumerate(users) if n < asked and asked in users[:at]), 0)
    assert asked in users[fewer:]  # the other worker has taken them over; at the very end they stop one by one
    assert [one["what"] for one in before.run["attendance"]] == ["joined", "joined", "lost"]
    dead = next(worker for worker in before.run["workers"] if not worker["ended"])
    ended = completed(truth, before.path.name)

    after = merge(before.path, tmp_path / "a", tmp_path / "b")
    ok = {(row["worker"], row["sequence"]) for row in after.rows if row["outcome"] == "ok"}
    (back,) = (worker for worker in after.run["workers"] if not worker["ended"])
    assert ok <= ended
    # An answer that was whole at the server may not have been read when its worker was killed: it was under way.
    assert {worker for worker, _ in ended - ok} <= {str(dead["worker"])}
    assert len(ended - ok) <= 8
    assert back["under_way"] <= 8
    assert len(after.rows) == len(after.identities()) == after.run["rows"]
    assert before.identities() <= after.identities()
    late = [row for row in after.rows if (row["worker"], row["sequence"]) not in before.identities()]
    assert {row["worker"] for row in late} <= {str(dead["worker"])}
    ends = sorted(int(row["ended_unix_ns"]) for row in after.rows if row["worker"] == str(dead["worker"]))
    assert all(ends[-1] - int(row["ended_unix_ns"]) < 5e9 for row in late)  # without the spool, a second or so is lost
    assert not after.rules() & {"workers", "lost rows"}
    due = [row["arrival"] for row in after.rows if row["arrival"]]
    assert len(due) == len(set(due))
    assert ("unsent" in after.rules()) == ("--arrivals" in load)  # its arrivals between its end and the master's notice
    assert "lost workers" in after.rules("remark")

    said = (after.path / "report.md").read_text()
    assert f"worker {dead['worker']} (" in said
    assert ") was lost" in said
    assert f"worker {dead['worker']} lost" in (after.path / "report.html").read_text()

    first = {path.name: path.read_bytes() for path in after.path.iterdir()}
    again = merge(before.path, tmp_path / "b", tmp_path / "a")
    assert {path.name: path.read_bytes() for path in again.path.iterdir()} == first


def test_a_killed_master_is_survived_by_all_rows(tmp_path: Path) -> None:
    truth, impatient = tmp_path / "truth.jsonl", tmp_path / "impatient.py"
    impatient.write_text(IMPATIENT)
    with running("--parallel", "8", "--load-ms", "0", "--decode-tps", "100", "--truth", str(truth)) as simulator:
        load = ("--users", "8", "--spawn-rate", "8", "--run-time", "60s", "--stop-timeout", "5")
        load += ("--api-key", "sk-secret-of-mine")
        with swarm(simulator, tmp_path, *load, locustfile=str(impatient)) as started:
            wait_for(lambda: rows_on(tmp_path / "runs") > 40)
            started.master.send_signal(signal.SIGKILL)
            there = rows_on(tmp_path / "a") + rows_on(tmp_path / "b")
            assert [worker.wait(180) for worker in started.workers] == [0, 0]
            run = started.run
        stop(simulator.process)
    assert rows_on(tmp_path / "a") + rows_on(tmp_path / "b") > there  # they went on for a while
    with (run / "requests.csv").open("ab") as file:
        file.write(b'0,99999,"a row that was c')
    assert report(run).returncode == 0
    aside = tmp_path / "aside" / run.name
    shutil.copytree(run, aside)

    after = merge(run, tmp_path / "a", tmp_path / "b")
    assert completed(truth, run.name) == {(r["worker"], r["sequence"]) for r in after.rows if r["outcome"] == "ok"}
    assert len(after.rows) == len(after.identities())
    assert after.run["state"] == "rebuilt"
    assert "lost master" in after.rules("remark")
    assert after.rules("invalid") <= BUSY_MACHINE

    # In two steps, and from nothing but the spools: the same.
    merge(aside, tmp_path / "b")
    merge(aside, tmp_path / "a")
    nothing = tmp_path / "nothing" / run.name
    merge(nothing, tmp_path / "b", tmp_path / "a")
    for name in ("requests.csv", "run.json", "summary.json", "report.html"):
        assert (aside / name).read_bytes() == (run / name).read_bytes(), name
    for name in ("requests.csv", "run.json"):  # the master's look at the server's memory is lost
        assert (nothing / name).read_bytes() == (run / name).read_bytes(), name
    for path in (path for path in tmp_path.rglob("*") if path.is_file() and path.name != "log"):
        assert b"sk-secret" not in path.read_bytes(), path


def test_a_worker_that_was_away_for_a_while_hands_over_what_it_had(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    with running("--parallel", "8", "--load-ms", "0", "--decode-tps", "100", "--truth", str(truth)) as simulator:
        load = ("--arrivals", "40/s", "--users", "40", "--run-time", "12s", "--stop-timeout", "5")
        with swarm(simulator, tmp_path, *load, themselves=True) as started:
            wait_for(lambda: rows_on(tmp_path / "a") > 20)
            started.workers[0].send_signal(signal.SIGSTOP)
            time.sleep(5.5)
            os.kill(started.workers[0].pid, signal.SIGCONT)
            assert started.master.wait(180) == 1  # what fell due while it stood still was not sent
            assert [worker.wait(180) for worker in started.workers] == [0, 0]
        stop(simulator.process)
    run = folder(tmp_path / "runs")
    assert completed(truth, run.path.name) == {(r["worker"], r["sequence"]) for r in run.rows if r["outcome"] == "ok"}
    assert len(run.rows) == len(run.identities())
    ((_, most),) = Counter(row["worker"] for row in run.rows if row["outcome"] == "dropped").most_common(1)
    assert most > 0.6 * run.outcomes["dropped"]  # its own; on a busy machine perhaps some of the other
    due = [row["scheduled_unix_ns"] for row in run.rows]
    assert len(due) == len(set(due))  # nothing was sent twice
    assert not list((tmp_path / "a").iterdir())


def test_a_disk_that_is_full_is_said_once_and_counted(tmp_path: Path) -> None:
    full = tmp_path / "full.py"
    limit = "import resource\nfrom locustfile import *\nresource.setrlimit(resource.RLIMIT_FSIZE, (9_000, -1))\n"
    full.write_text(limit)
    with running("--load-ms", "0", "--decode-tps", "400") as simulator:
        asked = ("--model", "sim", "OllamaChatUser", "--max-tokens", "5", "--users", "4", "--run-time", "3s")
        done = headless(simulator.url, tmp_path / "runs", *asked, "--no-report", locustfile=str(full), PYTHONPATH=".")
    run = folder(tmp_path / "runs")
    (worker,) = run.run["workers"]
    assert worker["made"] > worker["requests"] == len(run.rows)
    assert "lost rows" in run.rules("invalid")
    assert done.stderr.count("cannot be written to the run folder") == 1
    assert "Traceback" not in done.stderr


def test_workers_of_a_killed_master_end_its_run_and_join_the_next_master(tmp_path: Path) -> None:
    truth = tmp_path / "truth.jsonl"
    with running("--parallel", "8", "--load-ms", "0", "--decode-tps", "100", "--truth", str(truth)) as simulator:
        load = ("--users", "8", "--spawn-rate", "8", "--run-time", "4s")
        with swarm(simulator, tmp_path, *load) as started:
            wait_for(lambda: rows_on(tmp_path / "runs") > 40)
            started.master.send_signal(signal.SIGKILL)
            started.master.wait()
            killed = started.run
            command = [*started.again, "--run-dir", str(tmp_path / "next")]
            done = subprocess.run(
                command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=180, check=False
            )
            assert done.returncode == 0, done.stderr
            assert [worker.wait(180) for worker in started.workers] == [0, 0]
        stop(simulator.process)
    run = folder(tmp_path / "next")
    assert [(worker["worker"], worker["ended"]) for worker in run.run["workers"]] == [(0, True), (1, True)]
    after = merge(killed, tmp_path / "a", tmp_path / "b")
    for each in (run, after):  # what the end cut short may have been whole to the server
        assert completed(truth, each.path.name) <= each.identities()
        assert len(each.rows) == len(each.identities())
    first = min(int(row["sent_unix_ns"]) for row in run.rows)
    assert max(int(row["ended_unix_ns"]) for row in after.rows) <= first  # nobody loaded the server beside the next run
