"""The shift function: B / A at each percentile, with the interval of each for itself."""

from dataclasses import dataclass

from tokenswarm.reports.compare.figures import TIMES, Sides, quantile_contrast
from tokenswarm.reports.compare.matching import Matching

PERCENTS = (5, 10, 20, 30, 40, 50, 60, 70, 80, 90, 95, 99)
ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Shift:
    """Of one metric: at each of `percents` log(B / A), `low` and `high` (infinite where the values do not say)."""

    metric: str
    percents: tuple[int, ...]
    change: tuple[float, ...]
    low: tuple[float, ...]
    high: tuple[float, ...]


def shifts(sides: Sides, matched: Matching) -> list[Shift]:
    """Of each time that both sides have, where there are requests enough for at least three percentiles."""
    found = [_shift(sides, matched, metric) for metric in TIMES]
    return [shift for shift in found if len(shift.percents) >= 3]


def _shift(sides: Sides, matched: Matching, metric: str) -> Shift:
    points: list[tuple[int, float, float, float]] = []
    for percent in PERCENTS:
        made = quantile_contrast(sides, matched, metric, float(percent))
        if made:
            points.append((percent, made.change, *made.bounds(ALPHA)))
    percents, *columns = zip(*points, strict=True) if points else ((), (), (), ())
    change, low, high = (tuple(column) for column in columns)
    return Shift(metric, tuple(percents), change, low, high)
