"""The capacity search by real processes, on the simulator: the answer, the run folder, and what is refused."""

import itertools
import json
import subprocess
from pathlib import Path

import psutil
import pytest
from gevent.pool import Pool
from locust_process import ROOT, command, environment, folder, forked, headless, processes
from simulator_process import running
from web_form import start, wait_for_runs
from web_run import web

SERVER = ("--parallel", "3", "--decode-tps", "300", "--output-tokens", "12", "--output-cv", "0.3", "--no-prompt-cache")
WAITS = ("--parallel", "3", "--decode-tps", "50", "--output-tokens", "12", "--output-cv", "0.3", "--no-prompt-cache")
ASKED = ("OllamaChatUser", "--model", "sim", "--unique-prompts", "--find-capacity", "--trial-time", "4s")


def both(url: str, parent: Path, **searches: tuple[str, ...]) -> list[subprocess.CompletedProcess[str]]:
    """Searches that do not mind each other, at once."""
    return Pool(2).map(lambda name: headless(url, parent / name, *searches[name]), searches)


def test_the_most_users_whose_requests_do_not_wait(tmp_path: Path) -> None:
    """Three slots and a limit that no request keeps which waits for a slot: four users are too many."""
    slo = ("--slo", "queue_ms p50 < 40", "--slo", "outcome ok > 90%")
    with running(*WAITS, "--load-ms", "0") as simulator:
        done = headless(simulator.url, tmp_path, *ASKED, *slo, "--no-report", *processes(2))
    run = folder(tmp_path)
    found = run.run["capacity"]
    assert (found["unit"], found["state"]) == ("users", "complete"), done.stderr
    assert done.returncode == 0, done.stderr
    assert f"{found['answer']:g} users" in done.stderr
    loads = {str(trial["trial"]): int(trial["load"]) for trial in found["trials"]}
    assert 1 <= found["answer"] <= 3
    if not found["qualifier"]:  # this machine could tell
        assert found["answer"] == 3, found["trials"]
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


def test_the_ceiling_qualifies_the_answer_and_nothing_met_is_exit_code_99(tmp_path: Path) -> None:
    with running(*SERVER, "--load-ms", "0") as simulator:
        options = (*ASKED, "--slo", "e2e_ms mean < 5000", "--users", "2")
        never = (*ASKED, "--slo", "ttft_ms p90 < 0.1", "--no-report")
        done, none = both(simulator.url, tmp_path, most=options, none=never)
    found = folder(tmp_path / "most").run["capacity"]
    assert (found["answer"], found["qualifier"]) == (2, "at least"), done.stderr
    assert "At least 2 users keep to e2e_ms mean < 5000; the search was to go no further than 2 users" in done.stderr
    assert done.returncode == 0
    assert none.returncode == 99, none.stderr
    assert "Not even 1 user keeps to ttft_ms p90 < 0.1" in none.stderr
    assert folder(tmp_path / "none").run["capacity"]["answer"] is None


def test_run_time_ends_the_search_with_what_was_found(tmp_path: Path) -> None:
    with running(*SERVER, "--load-ms", "0") as simulator:
        options = (*ASKED, "--trial-time", "60s", "--slo", "e2e_ms max < 60000", "--run-time", "6s", "--no-report")
        done = headless(simulator.url, tmp_path, *options)
    run = folder(tmp_path)
    assert run.run["capacity"]["state"] == "broken off"
    assert run.run["capacity"]["qualifier"] in ("at least", "")
    assert "before the search was" in run.run["capacity"]["why"], done.stderr
    assert json.dumps(run.run["validity"])


def test_a_server_that_dies_is_no_load_that_was_too_much(tmp_path: Path) -> None:
    full = command("", tmp_path, "--headless", "--only-summary", *ASKED, "--slo", "e2e_ms mean < 5000", "--no-report")
    with running(*SERVER, "--load-ms", "0") as simulator:
        process = subprocess.Popen(
            forked([*full, "--host", simulator.url]), cwd=ROOT, env=environment(), text=True, stderr=subprocess.PIPE
        )
        assert process.stderr is not None
        tried, met = 0, list[float]()
        while tried < 2 or not met:  # a client on a busy machine may have to try the first ones again
            while not process.stderr.readline().startswith("tokenswarm: trial "):
                assert process.poll() is None
            tried += 1
            (path,) = tmp_path.iterdir()
            so_far = json.loads((path / "run.json").read_text())["capacity"]  # what is left if this process is killed
            assert len(so_far["trials"]) == tried
            met = [trial["load"] for trial in so_far["trials"] if trial["verdict"] == "met"]
        assert so_far["answer"] == max(met)
        assert (so_far["state"], so_far["why"]) == ("searching", "the search had not ended")
    process.communicate()
    found = folder(tmp_path).run["capacity"]
    assert found["answer"] >= max(met)
    assert found["qualifier"] == "at least"
    assert "the server answered no request any more (no connection" in found["why"]
    assert process.returncode == 0


def test_a_trial_too_short_for_an_answer_judges_nobody(tmp_path: Path) -> None:
    slow = ("--decode-tps", "3", "--output-tokens", "12", "--output-cv", "0", "--load-ms", "0")
    with running(*slow) as simulator:
        done = headless(simulator.url, tmp_path, *ASKED, "--trial-time", "1s", "--slo", "e2e_ms mean < 5000")
    found = folder(tmp_path).run["capacity"]
    assert found["answer"] is None or found["qualifier"] == "at least"
    assert "give a longer --trial-time" in found["sentence"], done.stderr


def test_a_server_that_only_fails_and_an_slo_that_nothing_is_known_of(tmp_path: Path) -> None:
    embeds = ("OllamaEmbedUser", "--model", "sim-embed", "--find-capacity", "--trial-time", "2s", "--no-report")
    fails = (*ASKED, "--model", "fault-503", "--pause-after-error", "0", "--no-report", "--slo", "e2e_ms p95 < 5000")
    with running(*SERVER, "--load-ms", "0") as simulator:
        none, failed = both(simulator.url, tmp_path, none=(*embeds, "--slo", "tpot_ms p95 < 50"), failed=fails)
    assert (
        "No load was found that keeps to tpot_ms p95 < 50: no request says anything of tpot_ms p95 < 50; leave"
        in none.stderr
    )
    assert "Not even 1 user keeps to e2e_ms p95 < 5000." in failed.stderr
    assert "Errors came first: 100 % of the requests failed." in failed.stderr
    assert (none.returncode, failed.returncode) == (99, 99)
    # No trial was met, so all requests count: there were enough that ended ok.
    assert not folder(tmp_path / "none").rules("invalid") & {"samples", "errors"}
    assert folder(tmp_path / "failed").rules("invalid") >= {"errors"}


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


def test_clients_that_are_all_busy_are_no_server_that_is_gone(tmp_path: Path) -> None:
    """In an open loop the pause between two turns takes up a client."""
    (tmp_path / "talk.jsonl").write_text('{"prompt": "hello", "then": [{"prompt": "well?", "delay_s": 60}]}')
    talk = ("--payloads", str(tmp_path / "talk.jsonl"), "--no-report", "--slo", "e2e_ms p95 < 5000")
    arrivals = ("--arrivals", "constant 20/s", "--max-in-flight", "2", "--trial-time", "2s")
    with running(*SERVER, "--load-ms", "0") as simulator:
        done = headless(simulator.url, tmp_path / "runs", *ASKED, *talk, *arrivals)
    assert "no client was free for the arrivals; allow more in flight (--max-in-flight)" in done.stderr
    assert done.returncode == 99


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "--find-capacity: keep to what?"),
        (("--slo", "goodput > 3/s"), "--slo 'goodput > 3/s': more load gives more of it"),
        (("--slo", "response_ms p95 < 500"), "--slo 'response_ms p95 < 500': in a closed loop nothing is due"),
        (("--slo", "ttft_ms p95 < 500", "--stages", "1x5s"), "--stages and --find-capacity"),
        (("--slo", "ttft_ms p95 < 500", "--arrivals", "ramp 1/s..5/s over 1m"), "the search changes the rate itself"),
        (("--slo", "ttft_ms p95 < 500", "--trace", "x.csv"), "--trace and --find-capacity"),
        (("--slo", "ttft_ms p95 < 500", "--trial-time", "0s"), "--trial-time 0s is too short"),
        (("--slo", "ttft_ms p95 < 500", "--warmup", "5s"), "--warmup and --find-capacity"),
    ],
)
def test_what_does_not_go_with_a_search_is_one_line(options: tuple[str, ...], said: str, tmp_path: Path) -> None:
    done = headless("http://127.0.0.1:9", tmp_path, "--find-capacity", *options)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("tokenswarm")]
    assert said in line


def test_from_the_web_form_the_number_of_users_is_the_ceiling(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    asked = {"find_capacity": "true", "trial_time": "10s", "run_time": "", "user_count": "2", "max_tokens": "6"}
    with running(*SERVER, "--load-ms", "0") as simulator, web(simulator, runs, "--no-report") as url:
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


def test_a_worker_that_dies_spoils_its_trial_and_not_the_answer(tmp_path: Path) -> None:
    slo = ("--slo", "queue_ms p50 < 40", "--no-report", *processes(2))
    full = command("", tmp_path, "--headless", "--only-summary", *ASKED, *slo)
    with running(*WAITS, "--load-ms", "0") as simulator:
        full += ["--host", simulator.url]
        process = subprocess.Popen(full, cwd=ROOT, env=environment(), text=True, stderr=subprocess.PIPE)
        assert process.stderr is not None
        heard, killed = [], False
        for line in process.stderr:
            heard.append(line)
            # The first that is said to be over: trial 1 itself may have been done again, without a word.
            if line.startswith("tokenswarm: trial ") and not killed:
                killed = True
                psutil.Process(process.pid).children()[1].kill()
        process.wait()
    run = folder(tmp_path, killed=True)
    found = run.run["capacity"]
    assert found["state"] == "complete", heard
    assert found["answer"] == 3 or (1 <= found["answer"] < 3 and found["qualifier"]), heard
    kept = {str(trial["trial"]) for trial in found["trials"]}
    assert kept < {row["stage"] for row in run.rows}  # one trial was done again
    assert "workers" in run.rules("invalid")
