"""SLOs of a run: its exit code, its JUnit file, its report, and the end that a crossed one may bring."""

import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

from locust_process import ROOT, folder, headless, processes
from simulator_process import running


def test_a_run_that_crosses_an_slo_ends_with_99_and_a_junit_file(tmp_path: Path) -> None:
    with running("--decode-tps", "500", "--load-ms", "1", "--output-tokens", "10") as sim:
        options = ("OllamaChatUser", "--model", "sim", "--users", "4", "--spawn-rate", "50", "--run-time", "3")
        options = (*options, "--invalid-ok")  # on a busy machine the run may be INVALID
        fine = headless(sim.url, tmp_path / "a", *options, "--slo", "ttft_ms p50 < 5s", "--slo", "outcome ok > 90%")
        assert fine.returncode == 0, fine.stderr
        slow = headless(
            sim.url, tmp_path / "b", *options, *processes(2), "--slo", "ttft_ms p50 < 0.01ms", "--no-report"
        )
        assert slow.returncode == 99, slow.stderr
        begun = sim.stats()["complete"]
        longer = ("--run-time", "60", "--slo-abort", "--slo", "e2e_ms p90 < 0.1")
        cut = headless(sim.url, tmp_path / "c", *options, *longer, "--no-report")
        assert (cut.returncode, "ending the run" in cut.stderr) == (99, True)
        assert sim.stats()["complete"] - begun < 2000
        wrong = headless(sim.url, tmp_path / "d", *options, "--slo", "tfft_ms p95 < 500")
        assert (wrong.returncode, wrong.stderr.count("tokenswarm: error: --slo: ")) == (2, 1)
        assert "▸tfft_ms◂" in wrong.stderr
    run = folder(tmp_path / "b")
    assert [slo["state"] for slo in run.run["slos"]] == ["crossed"]
    (case,) = ElementTree.parse(run.path / "slo-junit.xml").getroot()
    assert case.find("failure") is not None
    assert "SLOs" in (folder(tmp_path / "a").path / "report.md").read_text()
    asked = [sys.executable, "-m", "reports", str(run.path), "--slo", "ttft_ms p50 < 5s", "--slo", "goodput > 1/s"]
    asked.append("--invalid-ok")  # on a busy machine the run may be INVALID
    later = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (later.returncode, later.stdout.count("met")) == (0, 2), later.stdout
