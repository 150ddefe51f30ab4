"""`tokenswarm ab`: runs in turns, and their comparison."""

import csv
import json
import subprocess
import sys
from pathlib import Path
from statistics import median

from locust_process import ROOT, environment
from simulator_process import running

COMMON = ("--model", "sim", "--users", "4", "--spawn-rate", "4", "--run-time", "4s", "OllamaChatUser")


def tpots(runs: Path, side: str) -> list[float]:
    """Of all requests of a side that were ok, ms."""
    texts = [path.read_text() for path in runs.glob(f"*-ab-{side}?/requests.csv")]
    rows = [row for text in texts for row in csv.DictReader(text.splitlines())]
    return [float(row["tpot_ms"]) for row in rows if row["outcome"] == "ok" and row["tpot_ms"]]


def test_two_servers_are_loaded_in_turns_and_compared(tmp_path: Path) -> None:
    with running("--load-ms", "0", "--decode-tps", "50") as one, running("--load-ms", "0", "--decode-tps", "40") as two:
        sides = ("--a", f"--host {one.url}", "--b", f"--host {two.url}")
        command = [sys.executable, "-m", "tokenswarm.ab", "--rounds", "2", *sides, *COMMON, "--max-tokens", "20"]
        done = subprocess.run(
            [*command, "--run-dir", str(tmp_path)],
            cwd=ROOT,
            env=environment(PYTHONPATH=str(ROOT)),
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
    assert done.returncode in (0, 3), done.stderr  # beside other tests a run may be INVALID
    order = [path.name.rpartition("-")[2] for path in sorted(tmp_path.glob("*-ab-*"))]
    assert order == ["a1", "b1", "b2", "a2"]
    (path,) = tmp_path.glob("*-ab-b2/compare-with-*.json")
    found = json.loads(path.read_text())
    tpot = found["figures"][0]
    assert (tpot["metric"], tpot["n_a"], tpot["n_b"]) == ("tpot_ms", 2, 2)
    # Both are means of what the rows have; and whose rows are slower, by a good deal, is the slower one.
    a, b = (tpots(tmp_path, side) for side in "ab")
    assert min(a) < tpot["a"] < max(a)
    assert min(b) < tpot["b"] < max(b)
    assert (tpot["b"] > tpot["a"]) == (median(b) > median(a)) or 0.9 < median(b) / median(a) < 1.1  # a busy machine
    assert "round 2 of 2, A" in done.stderr
    assert done.stdout.count("\n") < 40
