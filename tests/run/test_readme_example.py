"""The example locustfile of the docs runs."""

import re
from pathlib import Path
from subprocess import run

from locust_process import ROOT, command, environment, folder
from simulator_process import running


def test_the_example_locustfile_runs(tmp_path: Path) -> None:
    (example,) = re.findall(
        r"```python\n(.*?)```", (ROOT / "docs" / "your-own-locustfile.md").read_text("utf-8"), re.DOTALL
    )
    own = tmp_path / "mine.py"
    own.write_text(example, encoding="utf-8")
    load = ("Reader", "--model", "fault-empty", "--headless", "--only-summary", "--users", "1", "--run-time", "3s")
    with running("--load-ms", "0", "--output-tokens", "5") as simulator:
        full = command(simulator.url, tmp_path / "runs", *load, "--no-report", locustfile=str(own))
        done = run(
            full, cwd=tmp_path, env=environment(PYTHONPATH=str(ROOT)), capture_output=True, text=True, check=False
        )
    assert done.returncode == 0, done.stderr
    kept = folder(tmp_path / "runs")
    assert {row["user_class"] for row in kept.rows} == {"Reader"}
