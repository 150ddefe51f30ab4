"""Stages of a closed loop: what a run of them keeps apart."""

from pathlib import Path

import pytest
from locust_process import folder, headless, processes
from simulator_process import running


@pytest.mark.parametrize("workers", [(), processes(2)])
def test_rows_bear_their_stage_and_ramps_are_told_from_holds(tmp_path: Path, workers: tuple[str, ...]) -> None:
    with running("--decode-tps", "200", "--load-ms", "1", "--output-tokens", "8", "--parallel", "8") as sim:
        asked = ("OllamaChatUser", "--model", "sim", "--stages", "2x4s, 2..6x3s, 6x4s")
        done = headless(sim.url, tmp_path, *asked, *workers)
        assert done.returncode == 0, done.stderr
        for other in (("--users", "3"), ("--run-time", "9s")):
            wrong = headless(sim.url, tmp_path, "--model", "sim", "--stages", "2x4s", *other)
            assert (wrong.returncode, "give one of the two" in wrong.stderr) == (2, True)
    found = folder(tmp_path)
    assert {row["stage"] for row in found.rows} == {"1", "2", "3"}
    assert {row["phase"] for row in found.rows if row["stage"] == "2"} <= {"ramp-up", "drain"}
    assert "steady" in {row["phase"] for row in found.rows if row["stage"] == "1"}
    told = found.summary()["stages"]
    assert [stage["users"] for stage in told] == ["2", "2–6", "6"]
    assert told[2]["ok_per_s"] > told[0]["ok_per_s"]
    assert "## Stages" in (found.path / "report.md").read_text()
