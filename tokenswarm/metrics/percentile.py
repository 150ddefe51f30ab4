"""Percentiles by nearest rank, and how many values each of them needs before it is shown: for all rooms."""

import math

CONFIDENCE = 0.99


def least_n(percent: float) -> int:
    """The fewest values by which a percentile can be judged: the smallest n with q ** n <= 1 - CONFIDENCE.

    With fewer, not one value in the tail might have been drawn, with a probability above 1 - CONFIDENCE. This is the
    early-stopping rule of MLPerf's LoadGen for no query over the bound: 7 for the median, 44 for p90, 90 for p95, 459
    for p99, 4,603 for p99.9; low percentiles by symmetry; of the least and the greatest value one is enough.
    """
    q = max(percent, 100 - percent) / 100
    return 1 if q >= 1 else math.ceil(math.log(1 - CONFIDENCE) / math.log(q))


def minimum_n(percent: float) -> int:
    """The fewest values of which a percentile is shown: as needed, but the median, which has no tail, is of any n."""
    return 1 if percent == 50 else least_n(percent)


def is_supported(n: int, percent: float) -> bool:
    """May this percentile of so many values be shown?"""
    return n >= minimum_n(percent)


def rank(n: int, percent: float) -> int:
    """The nearest rank, from 1: the smallest one with at least `percent` of n values at or below it."""
    return max(1, math.ceil(round(n * percent / 100, 9)))
