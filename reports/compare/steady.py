"""Which rows of a run are compared: those of its steady phase, in the order in which they were sent."""

from typing import Any

import numpy as np

from tokenswarm.reports.compare import blocks
from tokenswarm.reports.rows import Rows, in_order
from tokenswarm.reports.slices import select_of_models

Array = Any
MOST_CUT = 0.25  # of the steady rows, as sent while one was under way that the end of the run cut


def steady(frame: Rows) -> Rows:
    """The steady rows that asked for output (or vectors), whatever their outcome, in order.

    Without those sent after the first one that the run's end cut: of these only the quick ones would be here.
    """
    rows = select_of_models(frame)
    rows = rows[rows["phase"] == "steady"]
    rows = rows.assign(at_ns=rows["sent_unix_ns"].fillna(rows["scheduled_unix_ns"]))
    rows = rows[rows["at_ns"].notna()]
    rows = rows.take(in_order(rows["at_ns"]))
    cut = frame.loc[(frame["phase"] == "drain") | (frame["outcome"] == "cancelled"), "sent_unix_ns"].dropna()
    if len(cut):
        before = rows[rows["at_ns"] < cut.min()]
        rows = before if len(before) >= (1 - MOST_CUT) * len(rows) else rows
    return rows[rows["outcome"] != "cancelled"]


def count_warm_up(values: Array, strata: Array) -> int:
    """How many values at the beginning are a warm-up of the server's (MSER-5), each seen beside its stratum's mean."""
    if not len(values):
        return 0
    sums, counts = np.bincount(strata, values), np.bincount(strata)
    means = sums[strata] / counts[strata]
    return blocks.transient(values / np.where(means > 0, means, 1.0))
