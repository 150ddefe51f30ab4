"""Percentiles as all of the bench shows them."""

from collections.abc import Sequence
from dataclasses import dataclass

from tokenswarm.metrics.percentile import rank


def percentile(ordered: Sequence[float], percent: float) -> float:
    """Nearest rank of a sorted sequence; nan of an empty one."""
    return ordered[rank(len(ordered), percent) - 1] if ordered else float("nan")


@dataclass(frozen=True, slots=True)
class Spread:
    """n values' p50, p99 and greatest, in the unit of the values; None of no values."""

    n: int
    p50: float | None = None
    p99: float | None = None
    max: float | None = None


def spread(values: list[float]) -> Spread:
    """Sorts the values, and sums them up."""
    if not values:
        return Spread(0)
    values.sort()
    return Spread(len(values), percentile(values, 50), percentile(values, 99), values[-1])
