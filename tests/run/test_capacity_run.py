"""The capacity search by real processes, on the simulator: the answer, and the run folder.

What else may come of one: tests/unit/capacity. How near the answer comes: `make bench-capacity`.
"""

import itertools
import subprocess
from pathlib import Path

from locust_process import ROOT, command, environment, folder, forked, headless, processes
from simulator_process import running
from web_form import start, wait_for_runs
from web_run import web

SERVER = ("--parallel", "3", "--decode-tps", "300", "--output-tokens", "12", "--output-cv", "0.3", "--no-prompt-cache")
WAITS = ("--parallel", "2", "--decode-tps", "50", "--output-tokens", "20", "--output-cv", "0.3", "--no-prompt-cache")
ASKED = ("OllamaChatUser", "--model", "sim", "--unique-prompts", "--find-capacity", "--trial-time", "4s")


def test_the_most_users_whose_requests_do_not_wait(tmp_path: Path) -> None:
    """Two slots and a limit that no request keeps which waits for a slot: three users are too many.

    An answer takes so long that the third one finds all slots taken, also where the machine is busy between requests.
    """
    slo = ("--slo", "queue_ms p50 < 80", "--slo", "outcome ok > 90%")
    with running(*WAITS, "--load-ms", "0") as simulator:
        done = headless(simulator.url, tmp_path, *ASKED, *slo, "--no-report", *processes(2))
    run = folder(tmp_path)
    found = run.run["capacity"]
    assert (found["unit"], found["state"]) == ("users", "complete"), done.stderr
    assert done.returncode == 0, done.stderr
    assert f"{found['answer']:g} users" in done.stderr
    loads = {str(trial["trial"]): int(trial["load"]) for trial in found["trials"]}
    assert 1 <= found["answer"] <= 2
    if not found["qualifier"]:  # this machine could tell
        assert found["answer"] == 2, found["trials"]
        assert {1, 2, 3, 4} <= set(loads.values())
        assert found["gave_way"]["what"] == "queue"
        assert "The queue gave way first" in done.stderr
    stages = {row["stage"] for row in run.rows}
    assert all(stages)  # each row bears its trial's number
    assert stages >= set(loads) or found["qualifier"]  # what a busy machine spoilt was done again, by another number
    assert run.outcomes == {"ok": len(run.rows)}  # nobody was cut
    assert len(run.identities()) == len(run.rows)
    spans = {}
    for trial, users in loads.items():
        if not (rows := [row for row in run.rows if row["stage"] == trial]):
            continue  # no request began in its time
        assert sum(row["phase"] == "ramp-up" for row in rows) == users  # the first request of each
        spans[int(trial)] = (
            min(int(row["sent_unix_ns"]) for row in rows),
            max(int(row["ended_unix_ns"]) for row in rows),
        )
    ends = [spans[trial] for trial in sorted(spans)]
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(ends))  # drained between


def test_the_highest_rate(tmp_path: Path) -> None:
    """One slot that takes 50 ms a request, at constant gaps: beyond 20 a second there is a queue that only grows.

    How near the answer comes is for `make bench-capacity`.
    """
    server = ("--parallel", "1", "--decode-tps", "200", "--output-tokens", "200", "--prefill-tps", "100000")
    slos = ("response_ms p50 < 500", "response_ms mean < 700", "outcome ok > 90%")
    options = (*(word for slo in slos for word in ("--slo", slo)), "--max-tokens", "11", "--trial-time", "1s")
    arrivals = ("--arrivals", "constant 12/s", "--max-in-flight", "100", *processes(2))
    with running(*server, "--output-cv", "0", "--load-ms", "0") as simulator:
        done = headless(simulator.url, tmp_path, *ASKED, *options, *arrivals, "--no-report")
    run = folder(tmp_path)
    found = run.run["capacity"]
    assert (found["unit"], found["mode"], done.returncode) == ("requests/s", "open", 0), done.stderr
    assert 3 < found["answer"] < 40, done.stderr
    assert f"{found['answer']:g} requests/s" in done.stderr
    assert all(row["scheduled_unix_ns"] and row["stage"] for row in run.rows)
    assert {row["worker"] for row in run.rows} == {"0", "1"}


def test_the_exit_code_of_a_search_that_is_told_to_end(tmp_path: Path) -> None:
    options = (*ASKED, "--trial-time", "60s", "--slo", "e2e_ms mean < 5000", "--no-report")
    with running(*SERVER, "--load-ms", "0") as simulator:
        full = command(simulator.url, tmp_path, "--headless", "--only-summary", *options)
        process = subprocess.Popen(forked(full), cwd=ROOT, env=environment(), text=True, stderr=subprocess.PIPE)
        assert process.stderr is not None
        while "Ramping to 1 users" not in process.stderr.readline():
            assert process.poll() is None
        process.terminate()
        said = process.communicate()[1]
    assert "No load was found that keeps to e2e_ms mean < 5000" in said
    assert process.returncode == 99
    assert folder(tmp_path).run["capacity"]["state"] == "broken off"


def test_from_the_web_form_the_number_of_users_is_the_ceiling(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    asked = {"find_capacity": "true", "trial_time": "10s", "run_time": "", "user_count": "2", "max_tokens": "6"}
    with running(*WAITS, "--load-ms", "0") as simulator, web(simulator, runs, "--no-report") as url:
        refused = start(url, model="sim", **asked)
        assert "--find-capacity: keep to what?" in refused["message"]
        assert start(url, model="sim", slo="e2e_ms mean < 5000; outcome ok > 50%", **asked)["success"]
        wait_for_runs(runs, 1)
    run = folder(runs)
    found = run.run["capacity"]
    assert (found["answer"], found["qualifier"], found["slos"]) == (
        2,
        "at least",
        ["e2e_ms mean < 5000", "outcome ok > 50%"],
    )
    assert {row["stage"] for row in run.rows} == {str(trial["trial"]) for trial in found["trials"]}
