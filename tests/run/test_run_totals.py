"""The report's totals are the server's own, to the token: alone, with processes, with a master and workers."""

import csv
import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from locust_process import ROOT, Run, command, environment, folder, forked, free_port, headless, processes
from simulator_process import running, stop

LOAD = ("--model", "sim", "--users", "8", "--spawn-rate", "8", "--run-time", "5s", "--max-tokens", "40")
# Nothing is cut: of a request cut on its last byte, the two sides may rightly think differently.
LOAD += ("--stop-timeout", "10")


def _master_and_workers(url: str, run_dir: Path) -> None:
    port = str(free_port())
    worker = forked(command("", run_dir.parent / "workers", "--worker", "--master-port", port))
    workers = [subprocess.Popen(worker, cwd=ROOT, env=environment(), stderr=subprocess.DEVNULL) for _ in range(2)]
    bound = ("--master", "--master-bind-host", "127.0.0.1", "--master-bind-port", port, "--expect-workers", "2")
    try:
        done = headless(url, run_dir, *LOAD, *bound)
        assert done.returncode == 0, done.stderr
        assert [process.wait(180) for process in workers] == [0, 0]
    finally:
        for process in workers:
            process.kill()
            process.wait()


@pytest.mark.parametrize("way", ["alone", "processes", "master"])
def test_totals_equal_the_servers_own_count(way: str, tmp_path: Path) -> None:
    truth_path, run_dir = tmp_path / "truth.jsonl", tmp_path / "runs"
    with running("--parallel", "8", "--truth", str(truth_path), "--decode-tps", "100") as simulator:
        if way == "master":
            _master_and_workers(simulator.url, run_dir)
        else:
            done = headless(simulator.url, run_dir, *LOAD, *(processes(2) if way == "processes" else ()))
            assert done.returncode == 0, done.stderr
        stop(simulator.process)
    run = folder(run_dir)
    truth = [json.loads(line) for line in truth_path.read_text().splitlines()]
    ours = [row for row in truth if (row["request_id"] or "").startswith(run.run["run"])]
    complete = [row for row in ours if row["end"] == "complete"]
    _check(run, complete, ours)
    workers = {row["worker"] for row in run.rows}
    assert len(workers) == len(run.run["workers"]) == (1 if way == "alone" else 2)
    assert sum(worker["requests"] for worker in run.run["workers"]) == len(run.rows)


def _check(run: Run, complete: list[dict[str, Any]], ours: list[dict[str, Any]]) -> None:
    assert run.run["state"] == "complete"
    assert len(run.rows) == len(run.identities()) == len(ours) == run.run["rows"]
    assert run.outcomes == {"ok": len(complete)}
    assert len(complete) > 20
    assert run.total("output_tokens") == sum(row["output_tokens"] for row in complete)
    assert run.total("prompt_tokens") == sum(row["prompt_tokens"] for row in complete)
    assert {row["endpoint"] for row in run.rows} == {
        "/api/chat",
        "/api/generate",
        "/v1/chat/completions",
        "/v1/completions",
    }
    # Locust's own rows: generations only in Aggregated, exact token totals from count × average.
    with (run.path / "locust_stats.csv").open() as file:
        stats = list(csv.DictReader(file))
    (aggregated,) = (row for row in stats if row["Name"] == "Aggregated")
    assert int(aggregated["Request Count"]) == len(complete)
    tokens = [row for row in stats if row["Type"] == "output_tokens"]
    product = sum(int(row["Request Count"]) * float(row["Average Response Time"]) for row in tokens)
    assert round(product, 3) == run.total("output_tokens")
    # And the report says the same.
    text = json.dumps(run.summary())
    assert str(run.total("output_tokens")) in text
    assert (run.path / "report.html").stat().st_size > 1_000_000
