"""A server that stands still now and then: its tokens are counted in the window in which they came."""

import random
import signal
import threading
from pathlib import Path

import pytest
import simulator_process
from locust_process import folder, headless
from simulator_process import Simulator, running, stop
from truth_log import read_truth

ANSWERS = ("--output-tokens", "400", "--output-cv", "0.4", "--merge", "0")  # a chunk a token
SERVER = ("--parallel", "4", "--decode-tps", "200", "--load-ms", "1", *ANSWERS)
SEARCH = ("OllamaChatUser", "--model", "sim", "--no-report", "--find-capacity", "--users", "4", "--trial-time", "6s")


def stall(simulator: Simulator, over: threading.Event) -> None:
    """Stop its process for more than a second, after which it goes on from there, again and again."""
    chance = random.Random(7)
    while not over.wait(chance.uniform(0.6, 2.0)):
        simulator.process.send_signal(signal.SIGSTOP)
        over.wait(chance.uniform(1.1, 1.5))
        simulator.process.send_signal(signal.SIGCONT)


def test_a_trial_has_the_tokens_that_were_sent_in_its_window(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(simulator_process, "forked", lambda full: full)  # else a signal would reach the relay alone
    log, over = tmp_path / "truth.jsonl", threading.Event()
    with running(*SERVER, "--truth", str(log)) as simulator:
        stalls = threading.Thread(target=stall, args=(simulator, over))
        stalls.start()
        try:
            done = headless(simulator.url, tmp_path / "runs", *SEARCH, "--slo", "outcome ok > 50%")
        finally:
            over.set()
            stalls.join()
        stop(simulator.process)
    assert done.returncode == 0, done.stderr
    run = folder(tmp_path / "runs")
    chunks = [(ns, tokens) for answer in read_truth(log) for ns, _, _, tokens, _ in answer["chunks"]]
    trials = [trial for trial in run.run["capacity"]["trials"] if trial["output_tokens_per_s"]]
    assert trials
    assert sum(row["moment2_ms"] != "" for row in run.rows) > len(run.rows) / 4  # it did stand still
    for trial in trials:
        since_ns, until_ns = edges = trial["from_unix_ns"], trial["to_unix_ns"]
        sent = sum(tokens for ns, tokens in chunks if since_ns <= ns < until_ns)
        cut = [
            row for row in run.rows if any(int(row["sent_unix_ns"]) < ns < int(row["ended_unix_ns"]) for ns in edges)
        ]
        doubt = sum(int(row["late_chunks"] or 0) for row in cut)  # that came while this machine read nothing
        assert trial["output_tokens_per_s"] * (until_ns - since_ns) / 1e9 == pytest.approx(
            sent, abs=0.01 * sent + doubt
        )
