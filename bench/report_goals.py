"""The goals in docs/accuracy.md, met or not."""

from bench.markdown import number, table
from bench.report_comparison import ratio
from bench.report_curve import doubted, off
from bench.results import Row

Goal = tuple[str, float | None, float]


def goals(points: list[Row], compared: list[Row], memory_rows: list[Row]) -> str:
    """One line a goal: what was wanted, what was found, whether that is enough."""
    wanted = [*_accuracy(points), *_cost(points, memory_rows), *_beside(compared)]
    rows = [[what, f"≤ {limit:g}", number(found, 4), _judged(found, limit)] for what, found, limit in wanted]
    return "## Goals\n\nOne worker, plain HTTP, 20 ms a token.\n\n" + table(("goal", "wanted", "found", "met"), rows)


def _point(points: list[Row], streams: int) -> Row:
    return next((row for row in points if row["name"] == f"{streams}x20-1w-plain"), {})


def _accuracy(points: list[Row]) -> list[Goal]:
    found: list[Goal] = []
    for streams, gap_ms, ttft_ms in ((100, 0.05, 0.5), (600, 0.05, 0.5), (1000, 1.0, 1.0)):
        row = _point(points, streams)
        for what, name, limit_ms in (("gap", "gap_ms", gap_ms), ("TTFT", "ttft_ms", ttft_ms)):
            title = f"{what} error p99 at {streams:,} streams, ms"
            found.append((title, row[name]["p99"] if row else None, limit_ms))
    unseen = float(sum(off(row) and not doubted(row) for row in points)) if points else None
    return [*found, ("points of the whole curve that are off and do not say so", unseen, 0.0)]


def _cost(points: list[Row], memory_rows: list[Row]) -> list[Goal]:
    at_600, at_1000 = _point(points, 600), _point(points, 1000)
    us_at_600 = 1e6 * at_600["cpu_test_s_per_1000_tokens"] / 1e3 if at_600 else None
    us_at_1000 = 1e6 * at_1000["cpu_test_s_per_1000_tokens"] / 1e3 if at_1000 else None
    starts = sorted(row["start_s"] for row in points if row.get("start_s") and row["asked"]["workers"] == 1)
    grown = next((row["grown_mb"] for row in memory_rows if "grown_mb" in row), None)
    return [
        ("CPU a token at 600 streams, µs", us_at_600, 28.0),
        ("CPU a token at 1,000 streams, µs (20 µs is 50,000 tokens/s a core)", us_at_1000, 20.0),
        ("start of the process to its first request, s (median)", starts[len(starts) // 2] if starts else None, 2.0),
        ("memory grown from the first 100,000 to a million requests, MB", grown, 30.0),
    ]


def _beside(compared: list[Row]) -> list[Goal]:
    return [
        ("gap error p99, ours / AIPerf's", ratio(compared, "aiperf", "gap_ms", "p99"), 1 / 500),
        ("TTFT error p99, ours / AIPerf's", ratio(compared, "aiperf", "ttft_ms", "p99"), 1 / 100),
        ("CPU a token, ours / AIPerf's", ratio(compared, "aiperf", "cpu_ms"), 1 / 8),
    ]


def _judged(found: float | None, limit: float) -> str:
    return "not measured" if found is None else "yes" if found <= limit else "**no**"
