"""Reports on Locust's own --csv files, made by a real Locust that needs no server."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tokenswarm.reports.__main__ import main
from tokenswarm.reports.locust_csv import summarise, throughput

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
    subprocess.run(command, cwd=path, check=True, capture_output=True, timeout=180)
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


HEADER = (
    "Type,Name,Request Count,Failure Count,Median Response Time,Average Response Time,Min Response Time,"
    "Max Response Time,Average Content Size,Requests/s,Failures/s,50%,66%,75%,80%,90%,95%,98%,99%,99.9%,99.99%,100%\n"
)


def stats(path: Path, *rows: str, failures: str = "") -> str:
    """A run's statistics as Locust writes them: `TYPE,NAME,requests,failures,mean,p50,p95`."""
    lines = []
    for row in rows:
        kind, name, n, failed, mean, p50, p95 = row.split(",")
        lines.append(f"{kind},{name},{n},{failed},{p50},{mean},1,9,0,2.0,0.0,{p50},0,0,0,{p95},{p95},0,{p95},0,0,0\n")
    (path / "x_stats.csv").write_text(HEADER + "".join(lines))
    if failures:
        (path / "x_failures.csv").write_text(f"Method,Name,Error,Occurrences\n{failures}")
    return str(path / "x")


def test_each_row_keeps_its_type_and_only_requests_have_e2e(tmp_path: Path) -> None:
    prefix = stats(
        tmp_path,
        "GET,/api/x sim,10,1,20,19,30",
        "POST,/api/x sim,100,2,1234.5,1200,1500",
        "output_tokens,/api/x sim,98,0,64,60,99",
        "novel_tokens,/api/x sim,98,0,3,3,3",  # of a later version
        "checks failed,/api/x sim,4,0,1.5,1,2",
        "WebSocket,chat,7,0,5,5,5",
        "ttft_ms,gone,100,0,50,50,55",
        ",Aggregated,117,3,1000,900,1500",
        failures="POST,/api/x sim,timeout: no first byte,2\nGET,/api/x sim,refused,1\n",
    )
    summary = summarise(prefix)
    groups = {(group["type"], group["name"]): group["metrics"] for group in summary["groups"]}
    assert list(groups) == [("GET", "/api/x sim"), ("POST", "/api/x sim"), ("WebSocket", "chat"), ("", "gone")]
    assert list(groups["GET", "/api/x sim"]) == ["e2e_ms"]
    assert list(groups["POST", "/api/x sim"]) == ["e2e_ms", "output_tokens", "novel_tokens", "checks failed"]
    assert groups["POST", "/api/x sim"]["novel_tokens"]["total"] == 294
    assert groups["POST", "/api/x sim"]["checks failed"]["total"] == 6
    assert list(groups["WebSocket", "chat"]) == ["response_time_ms"]
    assert list(groups["", "gone"]) == ["ttft_ms"]
    assert summary["requests"] == 117
    assert summary["output_tokens_ok"] == 98 * 64
    assert [(f["method"], f["requests"]) for f in summary["failures"]] == [("POST", 2), ("GET", 1)]
    assert summary["notices"] == []


def test_percentiles_below_100_are_called_whole_numbers(tmp_path: Path) -> None:
    prefix = stats(tmp_path, "POST,a,100,0,20.4,20,99", "GET,a,100,0,1234.5,1200,1500")
    main(["--locust-csv", prefix, "--quiet"])
    said = Path(f"{prefix}_report.md").read_text(encoding="utf-8")
    assert "whole numbers below 100" in said
    assert "| `e2e_ms` | 100 |  | 20.4 | 20 | 99 | 99 | – |" in said
    assert "POST a" in said
    assert "GET a" in said


DAMAGED = [
    ("POST,a,ten,0,20,20,99", "x_stats.csv, row 3, Request Count: 'ten' is no whole number; the row is left out"),
    ("POST,a,10,0,soon,20,99", "x_stats.csv, row 3, Average Response Time: 'soon' is no number; the row is left out"),
    ("POST,a,10,-1,20,20,99", "x_stats.csv, row 3, Failure Count: '-1' is no whole number; the row is left out"),
]


@pytest.mark.parametrize(("row", "said"), DAMAGED)
def test_a_value_that_cannot_be_is_one_line(row: str, said: str, tmp_path: Path) -> None:
    prefix = stats(tmp_path, "POST,b,10,0,20,20,99", row, "POST,c,10,0,N/A,N/A,N/A")
    assert main(["--locust-csv", prefix, "--quiet"]) == 0
    summary = summarise(prefix)
    assert summary["notices"] == [said]
    assert [group["name"] for group in summary["groups"]] == ["b", "c"]
    assert said in Path(f"{prefix}_report.md").read_text(encoding="utf-8").replace("\\", "")


def test_rows_that_are_not_whole_are_left_out_of_every_file(tmp_path: Path) -> None:
    prefix = stats(tmp_path, "POST,b,10,0,20,20,99", failures="POST,b,oops,many\nPOST,b\n")
    history = "Timestamp,Type,Name,Total Request Count,Total Average Response Time\n"
    (tmp_path / "x_stats_history.csv").write_text(history + "5,output_tokens,b,3,7\nx,output_tokens,b,3,7\n6,out")
    summary = summarise(prefix)
    assert [notice.partition(":")[0] for notice in summary["notices"]] == [
        "x_stats_history.csv, row 3, Timestamp",
        "x_stats_history.csv, row 4",
        "x_failures.csv, row 2, Occurrences",
        "x_failures.csv, row 3",
    ]
