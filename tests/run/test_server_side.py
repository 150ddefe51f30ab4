"""A run that looks at a server's own side, as users start it: an endpoint that fails half-way, a GPU of known power."""

import csv
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from doors import refused
from locust_process import Run, folder, headless, processes
from simulator_process import Simulator, running

WATTS, ANSWERS = 100.0, 8
# Says how many tokens there were, so many times, and then nothing at all.
METRICS = f"""
import http.server
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, looks = "HTTP/1.1", 0
    def log_message(self, *_): pass
    def do_GET(self):
        Handler.looks += 1
        if Handler.looks > {ANSWERS}:
            return self.connection.close()
        body = b"llamacpp:tokens_predicted_total %d\\nllamacpp:requests_deferred 1\\n" % (10 * Handler.looks)
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    with running("--decode-tps", "200", "--output-tokens", "20", "--load-ms", "0") as started:
        yield started


@pytest.fixture(scope="module")
def failing_endpoint() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, "-c", METRICS], stdout=subprocess.PIPE, text=True)
    assert process.stdout
    try:
        yield f"http://127.0.0.1:{process.stdout.readline().strip()}/metrics"
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


@pytest.fixture(scope="module")
def run(simulator: Simulator, failing_endpoint: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    path = tmp_path_factory.mktemp("side")
    program = path / "nvidia-smi"
    program.write_text(f'#!/bin/sh\necho "0, 50, 1000, {WATTS}"\n')
    program.chmod(0o755)
    load = ("OllamaChatUser", "--users", "2", "--spawn-rate", "2", "--run-time", "9s", "--stop-timeout", "5")
    load = (*load, "--model", "sim", *processes(2))
    side = ("--scrape", failing_endpoint, "--sample-every", "1s", "--idle-time", "2s", "--price-per-hour", "0.72")
    done = headless(simulator.url, path / "runs", *load, *side, PATH=f"{path}:{os.environ['PATH']}")
    assert done.returncode == 0, done.stderr
    return folder(path / "runs")


def test_the_run_goes_on_and_says_what_failed(run: Run) -> None:
    (found,) = (one for one in run.run["validity"]["findings"] if one["rule"] == "server side")
    assert found["level"] == "remark"
    assert "/metrics told nothing, the first: " in found["what"]
    assert set(run.outcomes) == {"ok"}
    with (run.path / "server.csv").open(newline="") as file:
        lines = [line for line in csv.DictReader(file) if line["source"].endswith("/metrics")]
    assert run.run["options"]["scrape"] == lines[0]["source"]
    tokens = [float(line["value"]) for line in lines if "tokens" in line["metric"]]
    assert tokens == [10.0 * look for look in range(1, ANSWERS + 1)]
    assert found["figure"] == sum(bool(line["error"]) for line in lines) > 0


def test_joules_per_token_are_watts_times_seconds_by_tokens(run: Run) -> None:
    """By requests.csv alone, and the power that the GPU said it had: always the same, so that net is nothing."""
    seconds = (
        max(int(row["ended_unix_ns"]) for row in run.rows) - min(int(row["sent_unix_ns"]) for row in run.rows)
    ) / 1e9
    tokens = run.total("output_tokens")
    found = run.summary()["energy"]
    assert found["mean_w"] == found["idle_w"] == WATTS
    assert found["energy_j"] == pytest.approx(WATTS * seconds, rel=1e-3)
    assert found["j_per_output_token_gross"] == pytest.approx(WATTS * seconds / tokens, rel=0.02)
    assert found["j_per_output_token_net"] == 0
    (load,) = run.summary()["cost"]["loads"]
    assert load["by_hour"] == pytest.approx(0.72 / 3600 * seconds / tokens * 1e6, rel=0.02)


def test_the_report_shows_it_beside_the_models_in_memory(run: Run) -> None:
    text = (run.path / "report.md").read_text()
    for title in ("The server's own side", "Energy and cost", "Models in memory"):
        assert title in text
    assert "own side over time" in (run.path / "report.html").read_text()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--scrape", "box:many"), "argument --scrape: ▸box:many◂ is no URL"),
        (("--price-per-hour", "-2"), "argument --price-per-hour: ▸-2◂ is too small or too large; give a price"),
        (("--scrape", "http://box", "--sample-every", "0s"), "--sample-every 0s never looks at what --scrape names"),
    ],
)
def test_what_is_wrong_is_one_line_before_anybody_is_asked(tmp_path: Path, wrong: tuple[str, ...], said: str) -> None:
    given = ("--host", "http://127.0.0.1:9", "--run-dir", str(tmp_path / "runs"), "--run-time", "1s")
    assert said in refused("OllamaChatUser", *given, *wrong)
