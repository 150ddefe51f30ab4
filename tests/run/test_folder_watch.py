"""A run whose rows can no longer be kept says so within seconds, and ends with those it has."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest
from locust_process import ROOT, command, environment, folder, forked, headless
from simulator_process import Simulator, running

LOAD = ("--model", "sim", "OllamaChatUser", "--max-tokens", "5", "--users", "4", "--run-time", "60s", "--no-report")


def rows_under(path: Path) -> int:
    return sum(len(one.read_bytes().splitlines()) for one in path.glob("*/requests.csv"))


def begun(simulator: Simulator, run_dir: Path, *options: str) -> "subprocess.Popen[str]":
    full = command(simulator.url, run_dir, "--headless", "--only-summary", *LOAD, *options)
    process = subprocess.Popen(
        forked(full), cwd=ROOT, env=environment(), text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    until_s = time.monotonic() + 40
    while rows_under(run_dir) < 20 and time.monotonic() < until_s:
        time.sleep(0.1)
    return process


@pytest.mark.parametrize("how", ["removed", "moved away"])
def test_a_run_folder_that_is_gone_is_made_again_with_its_rows_and_the_run_ends(how: str, tmp_path: Path) -> None:
    with running("--load-ms", "0", "--decode-tps", "400") as simulator:
        process = begun(simulator, tmp_path / "runs")
        (path,) = (tmp_path / "runs").iterdir()
        before = rows_under(tmp_path / "runs")
        if how == "removed":
            shutil.rmtree(path)
        else:
            path.rename(tmp_path / "elsewhere")
        said, _ = process.communicate(timeout=180)
    assert process.returncode == 2, said
    assert said.count(f"tokenswarm: error: the run folder {path} was removed") == 1
    assert "Traceback" not in said
    run = folder(tmp_path / "runs")
    assert run.path == path
    assert len(run.rows) >= before - 1
    assert sorted(int(row["sequence"]) for row in run.rows) == list(range(len(run.rows)))
    assert run.run["state"] == "complete"


def test_a_disk_that_stays_full_ends_the_run(tmp_path: Path) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        "import resource\nfrom locustfile import *\nfrom tokenswarm.run import folder_watch\n"
        "folder_watch.PATIENCE_S = 1.0\nfolder_watch.tempfile.gettempdir = lambda: __file__\n"  # no room elsewhere
        "resource.setrlimit(resource.RLIMIT_FSIZE, (9_000, -1))\n"
    )
    began_s = time.monotonic()
    with running("--load-ms", "0", "--decode-tps", "400") as simulator:
        done = headless(simulator.url, tmp_path / "runs", *LOAD, locustfile=str(own), PYTHONPATH=".")
    assert time.monotonic() - began_s < 50
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("; ending the run") == 1
    assert "Traceback" not in done.stderr
    run = folder(tmp_path / "runs")
    (worker,) = run.run["workers"]
    assert worker["made"] > worker["requests"] == len(run.rows)
