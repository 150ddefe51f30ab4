"""A run against a server whose streams are none: its report says so."""

from pathlib import Path

from wire_http import cases, load


def test_the_report_of_a_buffered_run_says_so(tmp_path: Path) -> None:
    run, said, _ = load(cases()["B1-buffered-stream"], tmp_path, pace_s=0.2)
    assert run.rules() >= {"buffered"}
    assert "chunks together" not in run.rules()
    # What a busy client itself read late, and so merged, is not blamed on the server.
    in_time = [row for row in run.rows if row["outcome"] == "ok" and row["late_reads"] == "0"]
    assert {row["buffered"] for row in in_time} == {"1"}
    summary = run.summary()["overall"]["metrics"]
    assert not {"ttft_ms", "itl_ms", "tpot_ms", "longest_gap_ms"} & set(summary)
    assert summary["e2e_ms"]["p50"] > 0
    report = (run.path / "report.md").read_text()
    assert "| `ttft_ms` | –, buffered |" in report
    assert "TTFT and ITL –, buffered" in said
    assert "proxy_buffering off" in (run.path / "report.html").read_text()
