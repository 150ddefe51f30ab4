"""How sure a figure is: 95 % intervals of rates, means and percentiles of requests that depend on their neighbours.

Requests share a queue, so many of them are worth few independent ones (see `compare.blocks`). Where they are worth too
few, nobody knows, and there is no interval.
"""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from tokenswarm.metrics.percentile import is_supported, rank
from tokenswarm.reports.compare import blocks
from tokenswarm.reports.compare.student import quantile
from tokenswarm.reports.output import Amounts, Window, answers, by_parts, made_tokens, series
from tokenswarm.reports.rows import in_order

Interval = list[float | None] | None  # from, to; None: nobody knows, or beyond all values
ALPHA = 0.05
PARTS = 128  # of a window, for a rate's series
LEAST_WORTH = 10  # independent values


def of_rate(rows: Any, amounts: Amounts, span: Window | None) -> Interval:
    """Of so much a second in a window, of rows with an amount each."""
    if not span:
        return None
    rates, anything = np.zeros(PARTS), False
    for some, amount in by_parts(rows, amounts):
        known = some["made_from_ns"].notna().to_numpy()
        each = np.nan_to_num(amount[known])
        rates, anything = rates + series(some[known], each, span, PARTS), anything or each.any()
    return of_mean(rates, least=0) if anything else None


def of_mean(values: Any, least: float = LEAST_WORTH) -> Interval:
    """Of the mean of values in their order."""
    if len(values) < 2 or blocks.worth(values) < least:
        return None
    error, df = blocks.standard_error(values)
    mean, half = float(values.mean()), quantile(ALPHA, df) * error
    return [round(max(0.0, mean - half), 6), round(mean + half, 6)]


def of_percentile(values: Any, percent: float) -> Interval:
    """Of a percentile of values in their order: the share of values at or below it is a mean, whose interval is turned
    into that of the percentile."""
    n = len(values)
    if n < 2 or not is_supported(n, percent):
        return None
    below = values <= np.partition(values, at := rank(n, percent) - 1)[at]
    correlated = blocks.correlation_time(below)
    if n / correlated < LEAST_WORTH:
        return None
    error, df = blocks.standard_error(below, correlated)
    share = float(below.mean())
    half = quantile(ALPHA, df) * max(error, math.sqrt(share * (1 - share) / n))
    low, high = math.floor((percent / 100 - half) * n) - 1, math.ceil((percent / 100 + half) * n)
    inside = [place for place in (low, high) if 0 <= place < n]
    ordered = np.partition(values, inside) if inside else values
    return [float(ordered[low]) if low >= 0 else None, float(ordered[high]) if high < n else None]


def of_latencies(ok: Any, names: Sequence[str], percents: Sequence[float]) -> dict[str, Interval]:
    """`ttft_ms_p50`, …: of requests with outcome ok, taken in the order of sending."""
    ordered = ok.take(in_order(ok["sent_unix_ns"]))
    found: dict[str, Interval] = {}
    for name in names:
        values = ordered[name].dropna().to_numpy("float64")
        found |= {f"{name}_p{percent:g}": of_percentile(values, percent) for percent in percents}
    return found


def of_window(frame: Any, ok: Any, span: Window | None) -> dict[str, Interval]:
    """Of all that a point of a load curve shows: rates of all rows in its window, times of its own requests."""
    return {
        "ok_per_s": of_rate(frame, answers(frame), span),
        "output_tokens_per_s": of_rate(frame, made_tokens, span),
        **of_latencies(ok, ("ttft_ms", "tpot_ms", "e2e_ms"), (50.0, 95.0)),
    }
