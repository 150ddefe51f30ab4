"""Too many users for this system's open files: refused before any load."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from locust_process import ROOT, command, environment
from simulator_process import running


def test_200_users_with_64_files_are_refused_before_any_load(tmp_path: Path) -> None:
    if not shutil.which("setpriv"):
        assert os.environ.get("CI") != "true", "no setpriv"
        pytest.skip("no setpriv to take root's right to more files away with")
    with running() as simulator:
        options = ("--headless", "--only-summary", "--no-report", "-u", "200", "-r", "200", "-t", "2s")
        limited = ["prlimit", "--nofile=64:64", "setpriv", "--bounding-set=-sys_resource", "--inh-caps=-sys_resource"]
        done = subprocess.run(
            [*limited, *command(simulator.url, tmp_path, *options)],
            cwd=ROOT,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
    assert done.returncode == 2, done.stderr
    lines = [line for line in done.stderr.splitlines() if line.startswith("tokenswarm: error:")]
    assert len(lines) == 1
    assert "200 users need 264 open files, and this system allows 64: fewer" in lines[0]
    assert "Traceback" not in done.stderr
    assert not list(tmp_path.glob("*/requests.csv"))
