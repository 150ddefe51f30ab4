"""Are arrivals the process that was asked for? Kolmogorov and Smirnov's test, and the coefficient of variation."""

import math
import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise

AT_1_PERCENT = 1.628  # what sqrt(n) D exceeds in one of 100 samples that are of the distribution (n > 35)


def exponential(mean: float) -> Callable[[float], float]:
    """The distribution of the gaps of a Poisson process: the share of gaps at or below a value."""
    return lambda value: 1 - math.exp(-value / mean)


def kolmogorov_smirnov(values: Sequence[float], share: Callable[[float], float]) -> float:
    """sqrt(n) times D, the greatest distance between the values' own distribution and `share`."""
    n, distance = len(values), 0.0
    for rank, value in enumerate(sorted(values)):
        expected = share(value)
        distance = max(distance, abs(expected - rank / n), abs(expected - (rank + 1) / n))
    return distance * math.sqrt(n)


def gaps(times: Sequence[int]) -> list[int]:
    """What lies between times, once they are in order."""
    return [after - before for before, after in pairwise(sorted(times))]


def variation(values: Sequence[float]) -> float:
    """Standard deviation / mean."""
    return statistics.pstdev(values) / statistics.fmean(values)
