"""Percentiles by nearest rank, and how many values each of them needs before it is shown."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from metrics.histogram import middle_ms

CONFIDENCE = 0.99
LATENCY = (50.0, 90.0, 95.0, 99.0)
RATE = (10.0, 50.0, 90.0)  # of a rate the low end is the bad one

Described = dict[str, float | int | None]


def minimum_n(percent: float, confidence: float = CONFIDENCE) -> int:
    """The fewest values that support a percentile: the smallest n with q ** n <= 1 - confidence.

    With fewer, not one value in the tail might have been drawn, with a probability above 1 - confidence. This is the
    early-stopping rule of MLPerf's LoadGen for no query over the bound: 44 for p90, 90 for p95, 459 for p99, 4,603
    for p99.9; low percentiles by symmetry. The median, which has no tail, is shown of any n.
    """
    q = max(percent, 100 - percent) / 100
    return 1 if q == 0.5 else math.ceil(math.log(1 - confidence) / math.log(q))


def rank(n: int, percent: float) -> int:
    """The nearest rank, from 1: the smallest one with at least `percent` of n values at or below it."""
    return max(1, math.ceil(round(n * percent / 100, 9)))


def key(percent: float) -> str:
    """`p50`, `p99.9`."""
    return f"p{percent:g}"


def describe(values: Any, percents: Sequence[float] = LATENCY) -> Described:
    """n, mean and percentiles of an array of floats (NaN is absent); None where n does not support it."""
    ordered = np.sort(values[~np.isnan(values)])
    n = len(ordered)
    found: Described = {"n": n, "mean": round(float(ordered.mean()), 6) if n else None}
    for percent in percents:
        supported = n >= minimum_n(percent)
        found[key(percent)] = float(ordered[rank(n, percent) - 1]) if supported else None
    return found


def describe_histogram(counts: Mapping[int, int], percents: Sequence[float] = LATENCY) -> Described:
    """The same of a pooled histogram of `metrics.histogram`, in ms, exact to 1 %."""
    buckets = sorted(counts)
    below = np.cumsum([counts[bucket] for bucket in buckets], dtype=np.int64)
    n = int(below[-1]) if buckets else 0
    total_ms = sum(middle_ms(bucket) * count for bucket, count in counts.items())
    found: Described = {"n": n, "mean": round(total_ms / n, 6) if n else None}
    for percent in percents:
        found[key(percent)] = None
        if n >= minimum_n(percent):
            found[key(percent)] = round(middle_ms(buckets[int(np.searchsorted(below, rank(n, percent)))]), 6)
    return found
