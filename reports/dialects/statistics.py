"""Means and percentiles by the methods that other tools use; a value may count more than once."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

Array = Any
Spread = Mapping[str, float]

PERCENTS = (50, 90, 95, 99)


def present(values: Array) -> Array:
    """The values that are there."""
    return values[~np.isnan(values)]


def spread_linear(values: Array, counts: Array | None = None) -> Spread:
    """mean, max, std (of the population) and p50 to p99 by straight line between two ranks; {} of none.

    numpy's default: the percentile is at (n − 1) × percent / 100. `counts` says how often each value is there, which
    must be sorted then; without it NaN is left out.
    """
    if counts is None:
        values = np.sort(present(values))
        counts = np.ones(len(values), dtype=np.int64)
    below = np.cumsum(counts)
    if not len(values):
        return {}
    mean = float(np.average(values, weights=counts))
    found = {"mean": mean, "max": float(values[-1])}
    found["std"] = math.sqrt(float(np.average((values - mean) ** 2, weights=counts)))
    for percent in PERCENTS:
        at = (int(below[-1]) - 1) * percent / 100
        low, high = (float(values[np.searchsorted(below, rank, side="right")]) for rank in (int(at), math.ceil(at)))
        found[f"p{percent}"] = low + (high - low) * (at - int(at))
    return found


def spread_weighted(values: Array, weights: Array | None = None) -> Spread:
    """mean and p50 to p99 as the smallest value with at least that share of the weight at or below it; {} of none."""
    if weights is None:
        weights = np.ones(len(values))
    there = ~np.isnan(values) & (weights > 0)
    values, weights = values[there], weights[there]
    if not len(values):
        return {}
    order = np.argsort(values, kind="stable")
    share = np.cumsum(weights[order]) / weights.sum()
    found = {"mean": float(np.average(values, weights=weights))}
    for percent in PERCENTS:
        # Less a hair, since floats make 12 of 24 a little more or less than a half.
        found[f"p{percent}"] = float(values[order][np.searchsorted(share, percent / 100 - 1e-9)])
    return found
