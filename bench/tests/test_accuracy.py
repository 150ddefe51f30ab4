"""The bench measures right: an error is an error, and what was measured is told. See also test_bench_truth.py."""

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest

from bench import curve, measure, memory, report, report_comparison, report_curve, results
from bench.certificate import make
from bench.measure import Asked
from bench.noise import Stalls
from bench.percentiles import Spread, percentile, spread
from bench.truth import Truth
from bench.truth_log import Answered


def test_percentiles() -> None:
    assert percentile([1.0, 2.0, 3.0, 4.0], 50) == 2.0
    assert percentile([1.0, 2.0, 3.0, 4.0], 99) == 4.0
    assert percentile([7.0], 1) == 7.0
    assert percentile([], 50) != percentile([], 50)
    assert percentile([float(n) for n in range(1, 1001)], 99) == 990.0
    assert spread([3.0, 1.0, 2.0]) == Spread(3, 2.0, 3.0, 3.0)
    assert spread([]) == Spread(0)


MS = 1_000_000


def test_what_an_error_is() -> None:
    truth = Truth(
        {"late_p99_ms": 0.0, "pass_p99_ms": 0.0, "send_p99_us": 0.0, "blocked": 0, "cpu_s": 0.5},
        [
            Answered(1, "a", 1000 * MS, [1020 * MS, 1040 * MS, 1060 * MS], 1061 * MS, True),
            Answered(2, "b", 1000 * MS, [1020 * MS], None, False, peer_port=1),
        ],
    )
    beliefs = [
        {
            "cpu_s": 0.5,
            "cpu_test_s": 0.25,
            "peak_mb": 60.0,
            "steady_ns": 900 * MS,
            "seen": [
                ["early", 899 * MS, [], 999 * MS],
                ["a", 999 * MS, [1022 * MS, 1060 * MS, 1060 * MS], 1062 * MS],
                ["b", 999 * MS, [1022 * MS], 1062 * MS],
            ],
        },
        {"cpu_s": 0.1, "cpu_test_s": 9.0, "peak_mb": 50.0, "steady_ns": None, "seen": []},
    ]
    run = {"workers": [{"loop_lag_ms_p99": 1.0}, {"loop_lag_ms_p99": 3.0}]}
    point = measure.compare(beliefs, truth, run, Spread(0))
    assert point.ttft_ms == Spread(1, 3.0, 3.0, 3.0)  # believed 23, was 20
    assert point.gap_ms == Spread(2, 18.0, 20.0, 20.0)  # believed 38 and 0, were 20 and 20
    assert point.e2e_ms == Spread(1, 2.0, 2.0, 2.0)  # believed 63, was 61
    assert (point.requests, point.mismatched, point.coalesced_percent, point.tokens) == (2, 1, 50.0, 4)
    assert (point.cpu_s_per_1000_tokens, point.cpu_test_s_per_1000_tokens) == (150.0, 62.5)
    assert (point.server_us, point.lost_percent) == (125_000.0, None)
    assert (point.peak_mb, point.loop_lag_ms_p99, point.verdict) == (110.0, 3.0, None)


def test_what_a_client_loses_between_two_requests() -> None:
    answers = [
        Answered(2, "b", 1110 * MS, [1120 * MS], 1210 * MS, True, peer_port=7),  # 10 ms after the end of the first
        Answered(1, "a", 1000 * MS, [1020 * MS], 1100 * MS, True, peer_port=7),
        Answered(3, "c", 1000 * MS, [1020 * MS], 1100 * MS, True, peer_port=8),
        Answered(4, "d", 1130 * MS, [], None, False, peer_port=8),
    ]
    assert measure.lost_percent(answers) == 100 * (10 + 30) / (100 + 100)
    assert measure.lost_percent(answers[:1]) is None


def test_a_point_over_tls(tmp_path: Path) -> None:
    if not shutil.which("openssl"):
        assert os.environ.get("CI") != "true", "no openssl command"
        pytest.skip("no openssl command to make a certificate with")
    asked = Asked(streams=8, step_ms=20, tokens=10, seconds=1, certificate=make(tmp_path))
    point = measure.measure(asked, Stalls())
    assert point.requests > 8
    assert point.mismatched == point.blocked == 0
    assert point.ttft_ms.n == point.e2e_ms.n == point.requests
    assert point.gap_ms.n == 9 * point.requests
    assert point.gap_ms.p50 is not None
    assert point.gap_ms.p50 < 20  # a gap; the rest is for the curve: here the machine may be busy
    assert point.cpu_s_per_1000_tokens > point.cpu_test_s_per_1000_tokens > 0
    assert point.peak_mb > 10
    assert point.stall_ms.n > 0
    assert json.loads(json.dumps(point.row()))["send_us_p99"] > 0


def test_a_point_in_a_web_ui_is_the_same_but_for_that() -> None:
    alone = measure.locust_command(Asked(), "http://h", Path("runs"))
    shown = measure.locust_command(Asked(options=("--autostart", "--otel")), "http://h", Path("runs"))
    assert set(shown) ^ set(alone) == {"--headless", "--autostart", "--otel"}


def test_the_points_of_the_curve() -> None:
    points = curve.points(8.0)
    assert len(points) == 84 + 8
    assert curve.chosen(list(points), []) == list(points)
    assert curve.chosen(list(points), ["100x20"])[:4] == [
        f"100x20-{rest}" for rest in ("1w-plain", "2w-plain", "1w-tls", "2w-tls")
    ]
    assert curve.chosen(list(points), ["*x50-2w-tls", "1x10-1w-plain"])[0] == "1x10-1w-plain"
    assert points["1000x10-2w-tls"].tokens == 200


def test_results_are_not_lost(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "curve.jsonl"
    assert results.begin(path, resume=False) == []
    results.append(path, {"name": "a"})
    with path.open("a") as file:
        file.write('{"name": "cut')
    assert [row.get("name") for row in results.begin(path, resume=True)] == [None, "a"]
    results.append(path, {"name": "b"})
    assert [row.get("name") for row in results.read(path)] == [None, "a", "b"]
    with pytest.raises(SystemExit, match="--resume"):
        results.begin(path, resume=False)


def test_growth_of_memory() -> None:
    taken = [{"requests": n, "rss_mb": mb} for n, mb in ((50, 100.0), (100, 120.0), (150, 121.5))]
    assert memory.growth(taken, 100) == 1.5
    assert memory.growth(taken, 150) is None


def test_the_memory_of_a_short_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    out = tmp_path / "memory.jsonl"
    monkeypatch.setattr(sys, "argv", ["memory", "--requests", "600", "--every", "200", "--out", str(out)])
    memory.main()
    rows = [row for row in results.read(out) if "rss_mb" in row]
    assert rows[-1]["requests"] >= 600
    assert all(row["rss_mb"] > 10 for row in rows)
    assert "too few samples to say" in capsys.readouterr().out


def curve_row(name: str, gap_ms: float, findings: list[dict[str, str]]) -> dict[str, Any]:
    streams, _, rest = name.partition("x")
    step, workers, way = rest.split("-")
    three = {"n": 9, "p50": 0.01, "p99": 0.02, "max": 0.03}
    return {
        "name": name,
        "asked": {"streams": int(streams), "step_ms": int(step), "workers": int(workers[0]), "tls": way == "tls",
                  "stagger_s": 1.0},
        "ttft_ms": three, "gap_ms": {**three, "p99": gap_ms}, "e2e_ms": three, "stall_ms": three,
        "requests": 1234, "coalesced_percent": 0.5, "loop_lag_ms_p99": 1.0, "cpu_test_s_per_1000_tokens": 0.025,
        "peak_mb": 61.0, "findings": findings, "send_us_p99": 20.0, "late_ms_p99": 1.0, "pass_ms_p99": 2.0,
        "blocked": 0, "mismatched": 0,
    }  # fmt: skip


def test_the_report() -> None:
    late = [{"level": "invalid", "rule": "late reads", "what": "…"}]
    short = [{"level": "invalid", "rule": "samples", "what": "…"}]
    points = [
        curve_row("100x20-1w-plain", 0.025, short),
        curve_row("1000x20-1w-plain", 19.9, late),
        curve_row("1000x20-2w-plain", 2.5, []),
    ]
    assert [report_curve.off(row) for row in points] == [False, True, True]
    assert [report_curve.doubted(row) for row in points] == [False, True, False]
    compared = [
        {"tool": tool, "version": "1", "round": n, "n": 400, "tokens": 80_000,
         "ttft_ms": {"p50": ms, "p99": ms + n, "max": 9.0}, "gap_ms": gap and {"p50": gap, "p99": gap, "max": gap},
         "e2e_ms": {"p50": 1.0, "p99": 1.0, "max": 1}, "cpu_s": 2.0, "wall_s": 20.0, "peak_mb": 70.0}
        for n in (1, 2, 3) for tool, ms, gap in (("other", 4.0, 4.0), ("tokenswarm", 1.0, 0.5), ("third", 8.0, None))
    ]  # fmt: skip
    compared.append({"tool": "other", "version": "1", "round": 4, "failed": "no"})
    assert report_comparison.ratio(compared, "other", "ttft_ms", "p99") == 0.5
    assert report_comparison.ratio(compared, "third", "gap_ms", "p99") is None
    sampled = [
        {"requests": 100_000, "rss_mb": 80.0, "wall_s": 30.0},
        {"requests": 1_000_000, "rss_mb": 81.0, "wall_s": 300.0},
    ]
    summed = {"requests": 1_000_000, "grown_mb": 1.0, "after": 100_000, "requests_per_s": 3333.0}
    runs = (("", False, False), ("", False, True), ("busy loop", True, True))
    tried = [{"number": n, "hindered": way, "bad": bad, "flagged": flag} for n, (way, bad, flag) in enumerate(runs)]
    page = report.document([{"machine": {"cpu": "X", "cores": "2"}}, *points], compared, [*sampled, summed], tried)
    assert "cpu X, cores 2" in page
    assert "| tokenswarm | other | third |" in page
    assert "| gap error p99 at 100 streams, ms | ≤ 0.05 | 0.0250 | yes |" in page
    assert "| gap error p99 at 1,000 streams, ms | ≤ 1 | 19.9 | **no** |" in page
    assert "| quiet | 2 | 0 | 0 | 1 | 1 |" in page
    assert "| busy loop | 1 | 1 | 0 | 0 | 0 |" in page
    assert "Beyond the limit and not seen: 1000x20-2w-plain." in page
    assert "<summary>Plain, 2 workers</summary>" in page
    assert "| 1,000,000 | 81.0 | 300 |" in page
    assert "other (round 4): no" in page
    empty = report.document([], [], [], [])
    assert empty.count("Not measured.") == 3
    assert "not measured" in empty
