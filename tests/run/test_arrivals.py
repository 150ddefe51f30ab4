"""Open-loop arrivals: what a run really sends."""

import itertools
from pathlib import Path

import pytest
from fast_simulator import FAST
from locust_process import ROOT, Run, folder, headless, processes
from simulator_process import running, stop
from truth_log import read_truth, row_ids

from tokenswarm.load.arrivals import parse


def run(tmp_path: Path, arrivals: str, *options: str, sim: tuple[str, ...] = FAST) -> Run:
    with running(*sim) as it:
        asked = ("OllamaChatUser", "--model", "sim", "--arrivals", arrivals, "--stop-timeout", "5", *options)
        done = headless(it.url, tmp_path / "runs", *asked)
        stop(it.process)
    assert done.returncode in (0, 1), done.stderr
    return folder(tmp_path / "runs")


def test_two_workers_together_send_the_process_that_was_asked_for(tmp_path: Path) -> None:
    """How late they are sent is for the run to say; how gaps are spread, for tests/unit/load/test_arrivals.py."""
    limits, log = ("--run-time", "6", "--max-in-flight", "80", "--no-report"), tmp_path / "truth.jsonl"
    found = run(tmp_path, "gamma 100/s cv=2", *processes(2), *limits, sim=(*FAST, "--truth", str(log)))
    # The two need not end in the same moment: what was due before the first of them ended must be there.
    last = {row["worker"]: int(row["scheduled_unix_ns"]) for row in sorted(found.rows, key=due_ns)}
    assert set(last) == {"0", "1"}
    due = sorted(at_ns for at_ns in map(due_ns, found.rows) if at_ns <= min(last.values()))
    assert len(due) > 100
    times_s = list(itertools.islice(parse("gamma 100/s cv=2").times_s(0), len(due)))
    started_ns = due[0] - round(times_s[0] * 1e9)
    # Each arrival by exactly one of the two, none left out, and at its very time.
    assert due == [started_ns + round(at_s * 1e9) for at_s in times_s]
    # The server had each that was sent, once, and none before it was due or is said to be sent.
    asked, sent = read_truth(log), {name: row for name, row in row_ids(found).items() if row["sent_unix_ns"]}
    assert sorted(one["request_id"] for one in asked if one["request_id"].startswith(found.path.name)) == sorted(sent)
    read_ns = {one["request_id"]: one["read_ns"] for one in asked}
    assert all(due_ns(row) <= int(row["sent_unix_ns"]) <= read_ns[name] for name, row in sent.items())
    assert all(float(row["lateness_ms"]) >= 0 for row in found.rows if row["lateness_ms"])


def due_ns(row: dict[str, str]) -> int:
    return int(row["scheduled_unix_ns"])


def test_what_finds_no_client_is_dropped_counted_and_never_sent_late(tmp_path: Path) -> None:
    slow = ("--decode-tps", "10", "--load-ms", "1", "--output-tokens", "20", "--output-cv", "0", "--parallel", "64")
    found = run(tmp_path, "constant 20/s", "--run-time", "4", "--max-in-flight", "4", sim=slow)
    assert found.outcomes["dropped"] > 20
    dropped = [row for row in found.rows if row["outcome"] == "dropped"]
    assert not any(row["sent_unix_ns"] or row["e2e_ms"] for row in dropped)
    # An answer takes 2 s: who had waited for a client would be so late.
    assert all(float(row["lateness_ms"]) < 1500 for row in found.rows if row["lateness_ms"])
    assert "dropped" in found.rules("invalid")
    loop = found.summary()["open_loop"]
    assert (loop["due"], loop["dropped"]) == (len(found.rows), len(dropped))
    assert loop["offered_per_s"] == pytest.approx(20, rel=0.01)
    assert "Open loop" in (found.path / "report.md").read_text()


def test_far_more_than_can_be_handed_out_still_lets_the_run_end(tmp_path: Path) -> None:
    found = run(tmp_path, "constant 1000000/s", "--run-time", "2s", "--max-in-flight", "2", "--no-report")
    assert any(row["outcome"] == "ok" for row in found.rows)


OWN = """
from locustfile import *
from locust import constant, task
from tokenswarm.payloads.prompt import Prompt

class Mine(OllamaChatUser):
    wait_time = constant(60)

    @task
    def mine(self):
        self.generate(Prompt("mine", (("user", "Hi."),)))
        self.converse(Prompt("mine", (("user", "Hi, all."),)))
"""


def test_each_request_of_a_task_of_ones_own_waits_for_an_arrival_and_no_wait_time_keeps_a_client(
    tmp_path: Path,
) -> None:
    (tmp_path / "own.py").write_text(OWN)
    load = ("Mine", "--model", "sim", "--arrivals", "constant 20/s", "--max-in-flight", "20", "--run-time", "4s")
    with running(*FAST) as sim:
        headless(
            sim.url, tmp_path / "runs", *load, "--no-report", locustfile=str(tmp_path / "own.py"), PYTHONPATH=str(ROOT)
        )
    found = folder(tmp_path / "runs")
    assert "mine" in {row["prompt_id"] for row in found.rows}
    assert len({row["arrival"] for row in found.rows}) == len(found.rows) > 20
    assert found.outcomes["dropped"] == 0
    assert all(row["scheduled_unix_ns"] for row in found.rows)


def test_bad_input(tmp_path: Path) -> None:
    with running(*FAST) as sim:
        for options, said in (
            (("--arrivals", "poisson 5/q"), "--arrivals: poisson ▸5/q◂"),
            (("--max-in-flight", "5"), "--max-in-flight is for an open loop"),
            (("--arrivals", "5/s", "--speed", "2x"), "--speed is for a trace; give --trace, or leave it out"),
            (("--arrivals", "5/s", "--users", "3", "--max-in-flight", "5"), "give one of them"),
            (("--arrivals", "5/s", "OllamaLifecycleUser"), "--arrivals: OllamaLifecycleUser has its own pace"),
        ):
            done = headless(sim.url, tmp_path, "--model", "sim", *options)
            assert (done.returncode, said in done.stderr) == (2, True), done.stderr
        assert sim.stats()["complete"] == 0
