"""The metrics of a slice of requests: each described after its kind in METRICS, histograms pooled."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.metrics.histogram import decode
from tokenswarm.reports.errors import ReportError
from tokenswarm.reports.percentiles import LATENCY, RATE, Described, describe, describe_histogram

# What says when chunks came, and nothing where most came in lumps.
BY_CHUNKS = ("ttft_ms", "ttfa_ms", "itl_ms", "longest_gap_ms", "tpot_ms")


def pool(texts: Iterable[str]) -> dict[int, int]:
    """The sum of encoded histograms. Raises ReportError on a text that is none.

    Equal items are counted as text first and decoded once: there are few different ones, however many rows.
    """
    total: Counter[int] = Counter()
    for item, times in Counter(" ".join(texts).split()).items():
        try:
            ((bucket, count),) = decode(item).items()
        except ValueError as error:
            raise ReportError(f"requests.csv: {item[:40]!r} is no item of a histogram of gaps") from error
        total[bucket] += count * times
    return dict(total)


def describe_all(ok: Any) -> dict[str, Described]:
    """Every metric but the checks that any row has, under its name (`_hist` taken off), in the order of METRICS.

    Durations and histograms: n, mean, p50, p90, p95, p99; rates: n, mean, p10, p50, p90; counts: n, mean, p50, total.
    """
    found: dict[str, Described] = {}
    for metric in METRICS:
        if metric.kind == "check":
            continue  # see reports.parts.checks
        column = ok[metric.name]
        if metric.kind == "histogram":
            described = describe_histogram(pool(column.dropna()))
        elif metric.kind == "count":
            described = describe(column.to_numpy(dtype="float64", na_value=float("nan")), (50.0,))
            described["total"] = int(column.sum())
        else:
            described = describe(column.to_numpy(dtype="float64"), LATENCY if metric.kind == "duration" else RATE)
        if described["n"]:
            found[metric.name.removesuffix("_hist")] = described
    if buffered(found):
        found = {name: described for name, described in found.items() if name not in BY_CHUNKS}
    return found


def buffered(metrics: Mapping[str, Described]) -> bool:
    """Did most of the streams come in lumps?"""
    lumps = metrics.get("buffered")
    return lumps is not None and 2 * (lumps["total"] or 0) > (lumps["n"] or 0)
