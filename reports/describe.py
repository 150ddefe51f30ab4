"""The metrics of a slice of requests: each described after its kind in METRICS, histograms pooled."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.reports.growing import PIECE
from tokenswarm.reports.percentiles import LATENCY, RATE, Described, describe_histogram, describe_known
from tokenswarm.reports.rows import known_values

Metrics = Mapping[str, Described]
# What says when chunks came, and nothing where most came in lumps.
BY_CHUNKS = ("ttft_ms", "ttfa_ms", "itl_ms", "longest_gap_ms", "tpot_ms")


def describe_all(frame: Any, which: Any, gaps: Mapping[int, int]) -> dict[str, Described]:
    """Every metric but the checks that any row has, under its name (`_hist` taken off), in the order of METRICS.

    Of the rows of a frame that a mask takes, column by column; `gaps` is their pooled histogram.

    Durations and histograms: n, mean, p50, p90, p95, p99; rates: n, mean, p10, p50, p90; counts: n, mean, p50, total.
    """
    found: dict[str, Described] = {}
    rows = frame[which]
    for metric in METRICS:
        if metric.kind == "check":
            continue  # see reports.parts.checks
        if metric.kind == "histogram":
            described = describe_histogram(gaps)
        elif not len(values := known_values(rows, metric.name)):
            continue
        elif metric.kind == "count":
            described = describe_known(values, (50.0,))
            described["total"] = _total(values)
        else:
            described = describe_known(values, LATENCY if metric.kind == "duration" else RATE)
        if described["n"]:
            found[metric.name.removesuffix("_hist")] = described
    if are_lumps(found):
        found = {name: described for name, described in found.items() if name not in BY_CHUNKS}
    return found


def _total(values: Any) -> int:
    """Their sum as whole numbers, which doubles could not hold."""
    return sum(int(values[at : at + PIECE].astype(np.int64).sum()) for at in range(0, len(values), PIECE))


def drop_lumps(frame: Any, metrics: Metrics) -> Any:
    """Rows without what their chunks tell, where most of the streams that the metrics are of came in lumps: what the
    others tell is not true of all."""
    names = [name for name in BY_CHUNKS if name in frame.columns]
    return frame.assign(**dict.fromkeys(names, float("nan"))) if are_lumps(metrics) else frame


def told_by_group(frame: Any, groups: Sequence[Mapping[str, Any]]) -> Any:
    """The same, for the rows of each group (a summary's) by its own metrics."""
    lumps = [group for group in groups if are_lumps(group["metrics"])]
    hidden = np.zeros(len(frame), dtype=bool)
    for group in lumps:
        hidden |= ((frame["endpoint"] == group["endpoint"]) & (frame["model"] == group["model"])).to_numpy(bool)
    names = [name for name in BY_CHUNKS if name in frame.columns]
    return frame.assign(**{name: frame[name].mask(hidden) for name in names}) if lumps else frame


def are_lumps(metrics: Metrics) -> bool:
    """Did most of the streams come in lumps?"""
    lumps = metrics.get("buffered")
    return lumps is not None and 2 * (lumps["total"] or 0) > (lumps["n"] or 0)
