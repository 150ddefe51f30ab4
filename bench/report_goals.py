"""The goals in docs/accuracy.md, met or not."""

from collections.abc import Iterator
from statistics import median

from bench.markdown import number, table
from bench.report_comparison import ratio
from bench.report_curve import doubted, off
from bench.results import Row

Goal = tuple[str, float | None, float]


def goals(points: list[Row], compared: list[Row], memory_rows: list[Row]) -> str:
    """One line a goal: what was wanted, what was found, whether that is enough."""
    by_streams = {row["asked"]["streams"]: row for row in points if row["name"].endswith("x20-1w-plain")}
    wanted = [*_accuracy(points, by_streams), *_cost(points, by_streams, memory_rows), *_beside(compared)]
    rows = [[what, f"≤ {limit:g}", number(found, 4), _met(found, limit)] for what, found, limit in wanted]
    return "## Goals\n\nOne worker, plain HTTP, 20 ms a token.\n\n" + table(("goal", "wanted", "found", "met"), rows)


def _accuracy(points: list[Row], by_streams: dict[int, Row]) -> Iterator[Goal]:
    for streams, gap_ms, ttft_ms in ((100, 0.05, 0.5), (600, 0.05, 0.5), (1000, 1.0, 1.0)):
        row = by_streams.get(streams)
        for what, name, limit_ms in (("gap", "gap_ms", gap_ms), ("TTFT", "ttft_ms", ttft_ms)):
            yield f"{what} error p99 at {streams:,} streams, ms", row[name]["p99"] if row else None, limit_ms
    unseen = float(sum(off(row) and not doubted(row) for row in points)) if points else None
    yield "points of the whole curve that are off and do not say so", unseen, 0.0


def _cost(points: list[Row], by_streams: dict[int, Row], memory_rows: list[Row]) -> Iterator[Goal]:
    for streams, more, limit_us in ((600, "", 28.0), (1000, " (20 µs is 50,000 tokens/s a core)", 20.0)):
        row = by_streams.get(streams)
        found_us = 1e3 * row["cpu_test_s_per_1000_tokens"] if row else None
        yield f"CPU a token at {streams:,} streams, µs{more}", found_us, limit_us
    starts = [row["start_s"] for row in points if row.get("start_s") and row["asked"]["workers"] == 1]
    yield "start of the process to its first request, s (median)", median(starts) if starts else None, 2.0
    grown = next((row["grown_mb"] for row in memory_rows if "grown_mb" in row), None)
    yield "memory grown from the first 100,000 to a million requests, MB", grown, 30.0


def _beside(compared: list[Row]) -> Iterator[Goal]:
    yield "gap error p99, ours / AIPerf's", ratio(compared, "aiperf", "gap_ms", "p99"), 1 / 500
    yield "TTFT error p99, ours / AIPerf's", ratio(compared, "aiperf", "ttft_ms", "p99"), 1 / 100
    yield "CPU a token, ours / AIPerf's", ratio(compared, "aiperf", "cpu_ms"), 1 / 8


def _met(found: float | None, limit: float) -> str:
    return "not measured" if found is None else "yes" if found <= limit else "**no**"
