"""What many values come to: n, mean, and those percentiles that n supports (see `metrics.percentile`)."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tokenswarm.metrics.histogram import middle_ms
from tokenswarm.metrics.percentile import is_supported, rank

LATENCY = (50.0, 90.0, 95.0, 99.0)
RATE = (10.0, 50.0, 90.0)  # of a rate the low end is the bad one
MANY = 1 << 16

Described = dict[str, float | int | None]


def key(percent: float) -> str:
    """`p50`, `p99.9`."""
    return f"p{percent:g}"


def describe(values: Any, percents: Sequence[float] = LATENCY) -> Described:
    """n, mean and percentiles of an array of floats (NaN is absent); None where n does not support it."""
    return describe_known(values[~np.isnan(values)], percents)


def describe_known(known: Any, percents: Sequence[float] = LATENCY) -> Described:
    """The same of an array in which none is absent; it is in another order then."""
    n = len(known)
    places = {percent: rank(n, percent) - 1 for percent in percents if is_supported(n, percent)}
    # Of few, a mean's last digit does not depend on the order of the rows; of many, their order at these places is all
    # it takes.
    if n < MANY:
        known.sort()
    else:
        known.partition(list(places.values()))
    found: Described = {"n": n, "mean": round(float(known.mean()), 6) if n else None}
    for percent in percents:
        found[key(percent)] = float(known[places[percent]]) if percent in places else None
    return found


def describe_censored(done: Any, cut: Any, percents: Sequence[float] = LATENCY) -> Described:
    """Percentiles of durations of which some are only known to be longer than their `cut`; None where n does not
    support one, or nobody knows since it lies beyond the last that ended.

    The product-limit estimate (Kaplan and Meier 1958); `n` are all of them.
    """
    done, cut = np.sort(done[~np.isnan(done)]), np.sort(cut[~np.isnan(cut)])
    times, ended = np.unique(done, return_counts=True)
    # Whoever was cut at the very moment at which another ended was still under way then.
    at_risk = len(done) - np.searchsorted(done, times) + len(cut) - np.searchsorted(cut, times)
    below = 1 - np.cumprod(1 - ended / at_risk)
    n = len(done) + len(cut)
    found: Described = {"n": n, "cut": len(cut)}
    for percent in percents:
        at = int(np.searchsorted(below, percent / 100 - 1e-12))
        found[key(percent)] = float(times[at]) if at < len(times) and is_supported(n, percent) else None
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
        if is_supported(n, percent):
            found[key(percent)] = round(middle_ms(buckets[int(np.searchsorted(below, rank(n, percent)))]), 6)
    return found
