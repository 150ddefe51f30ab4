"""Reports on Locust's own --csv files, made by a real Locust that needs no server."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tokenswarm.reports.__main__ import main
from tokenswarm.reports.locust_csv import throughput

# Sixty ok requests at least and one that failed, tokens 3, 4, 5, ...; then it waits until Locust has written.
LOCUSTFILE = """
from locust import User, constant, task

class Talker(User):
    wait_time = constant(0.02)
    asked = 0

    @task
    def ask(self):
        name, environment = "/api/chat sim:latest", self.environment
        if Talker.asked >= 60:
            return
        Talker.asked += 1
        failed = RuntimeError("timeout: no <b>first</b> byte") if Talker.asked == 1 else None
        environment.events.request.fire(
            request_type="POST", name=name, response_time=1234.5, response_length=9, exception=failed, context={}
        )
        if not failed:
            environment.stats.get(name, "output_tokens").log(Talker.asked, 0)
            environment.stats.get(name, "ttft_ms").log(123.4, 0)
"""
COUNTED = sum(range(2, 61))


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("locust")
    (path / "talker.py").write_text(LOCUSTFILE)
    arguments = ["-f", "talker.py", "--headless", "-u", "2", "-r", "2", "-t", "4s", "--csv", "demo"]
    command = [sys.executable, "-m", "locust", *arguments, "--csv-full-history", "--exit-code-on-error", "0"]
    subprocess.run(command, cwd=path, check=True, capture_output=True, timeout=60)
    return str(path / "demo")


def test_totals_are_exact_and_rates_are_over_locusts_window(prefix: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--locust-csv", prefix]) == 0
    summary = json.loads(Path(f"{prefix}_summary.json").read_text(encoding="utf-8"))
    assert (summary["requests"], summary["requests_failed"]) == (60, 1)
    assert summary["output_tokens_ok"] == COUNTED
    assert summary["output_tokens_per_s"] == pytest.approx(COUNTED / summary["window_s"])
    (group,) = summary["groups"]
    assert group["metrics"]["ttft_ms"]["mean"] == pytest.approx(123.4)
    assert group["metrics"]["e2e_ms"]["p50"] == 1200  # rounded to two digits, by Locust
    assert group["metrics"]["output_tokens"]["total"] == COUNTED
    said = capsys.readouterr().out
    assert said == Path(f"{prefix}_report.md").read_text(encoding="utf-8")
    assert "cannot tell" in said
    page = Path(f"{prefix}_report.html").read_text(encoding="utf-8")
    assert "no &lt;b&gt;first&lt;/b&gt; byte" in page
    assert "<b>first" not in page


def test_throughput_over_time_adds_up(prefix: str) -> None:
    main(["--locust-csv", prefix, "--quiet"])
    points = json.loads(Path(f"{prefix}_summary.json").read_text(encoding="utf-8"))["throughput"]
    assert sum(p["output_tokens_per_s"] * (p["to_s"] - p["from_s"]) for p in points) == pytest.approx(COUNTED)


def test_statistics_that_began_anew_do_not_make_negative_throughput() -> None:
    def row(at: int, n: int, mean: float) -> dict[str, str]:
        totals = {"Total Request Count": str(n), "Total Average Response Time": str(mean)}
        return {"Timestamp": str(at), "Type": "output_tokens", "Name": "x", **totals}

    points = throughput([row(10, 2, 5.0), row(12, 4, 5.0), row(13, 1, 7.0)])
    assert [p["output_tokens_per_s"] for p in points] == [5.0, 7.0]


def test_without_files_there_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--locust-csv", str(tmp_path / "none")]) == 2
    assert "no such file" in capsys.readouterr().err
    (tmp_path / "none_stats.csv").write_text("a,b\n")
    assert main(["--locust-csv", str(tmp_path / "none")]) == 2
    assert "lacks the columns" in capsys.readouterr().err
