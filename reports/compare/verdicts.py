"""Faster, slower, no difference over x %, or cannot tell: a word for each figure, and what it would take to know."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from tokenswarm.reports.compare.contrast import LEAST_WORTH, Bounds, Contrast
from tokenswarm.reports.compare.figures import Figure
from tokenswarm.reports.compare.holm import ALPHA, holm

EDGE, MARGIN = 0.01, 0.05
BETTER, WORSE, SAME, UNKNOWN, NONE = "better", "worse", "no difference", "cannot tell", "no verdict"
FIRST = ("mean", "p50", "")  # the aggregates by which a metric is tested
_POWER = 0.8416  # the normal's quantile at 80 %: a difference of the margin is found four times in five


@dataclass(frozen=True, slots=True)
class Judged:
    """A figure with its verdict.

    `low` and `high` are its interval at `level` (log of the ratio, or points); `needed` how many requests (or runs) a
    side would tell a difference of the margin, None where that is not known or not asked.
    """

    figure: Figure
    verdict: str
    low: float
    high: float
    level: float
    needed: int | None = None


def judge(
    figures: Sequence[Figure],
    without: Collection[str] = (),
    asked: Collection[tuple[str, str]] = (),
    edge: float = EDGE,
    margin: float = MARGIN,
) -> list[Judged]:
    """Verdicts in the order of the figures; metrics in `without` get none.

    A difference is one of more than `edge`, at 5 % for all metrics together (Holm). Of one metric the mean and the
    median are tested, at the same level, since they err together; what else there is of it (p95) has a verdict where
    these have found the metric to differ, or where it was `asked` for, (metric, aggregate), beforehand. No difference
    is one that is shown to be less than `margin`.
    """
    metrics: dict[tuple[str, int | None], list[Figure]] = {}
    for each in figures:
        first = each.aggregate in FIRST or (each.metric, each.aggregate) in asked
        if first and each.metric not in without and each.contrast.is_known:
            metrics.setdefault(_metric(each), []).append(each)
    tests = [
        lambda alpha, own=own: any(clear(each.contrast.bounds(alpha), _edge(each, edge)) for each in own)
        for own in metrics.values()
    ]
    results = dict(zip(metrics, holm(tests), strict=True))
    rest = min((level for _, level in results.values()), default=ALPHA)
    made = []
    for each in figures:
        found, level = results.get(_metric(each), (False, rest))
        if each.metric in without:
            made.append(Judged(each, NONE, *each.contrast.bounds(level), level))
        else:
            made.append(_judged(each, found or each in metrics.get(_metric(each), ()), level, edge, margin))
    return made


def _metric(figure: Figure) -> tuple[str, int | None]:
    return figure.metric, figure.stage


def clear(bounds: Bounds, edge: float) -> bool:
    """Is an interval clear of no difference, on either side?"""
    return bounds[0] > edge or bounds[1] < -edge


def _edge(figure: Figure, share: float) -> float:
    return share if figure.contrast.points else math.log1p(share)


def _judged(figure: Figure, tested: bool, level: float, edge: float, margin: float) -> Judged:
    made = figure.contrast
    low, high = made.bounds(level)
    least, most = _edge(figure, edge), _edge(figure, margin)
    if tested and made.is_known and clear((low, high), least):
        return Judged(figure, BETTER if (made.change < 0) == figure.lower_is_better else WORSE, low, high, level)
    if made.is_known and max(-low, high) <= most:
        return Judged(figure, SAME, low, high, level)
    return Judged(figure, UNKNOWN, low, high, level, _needed(made, level, most - least))


def _needed(made: Contrast, level: float, wanted: float) -> int | None:
    """About how many requests (or runs) a side it takes, by the root law."""
    low, high = made.bounds(level)
    n, half = min(made.n), (high - low) / 2
    if not math.isfinite(half) or wanted <= 0 or half <= 0:
        return None
    short_low, short_high = made.bounds(0.3173)  # the interval of one standard error, about
    least = half + _POWER * (short_high - short_low) / 2 if math.isfinite(short_high - short_low) else half
    needed = n * (least / wanted) ** 2
    if not made.is_known:
        needed = max(needed, n * LEAST_WORTH / min(made.worth))
    return _round_up(max(needed, n + 1))


def _round_up(value: float) -> int:
    """To two digits."""
    step = 10 ** max(0, math.floor(math.log10(value)) - 1)
    return int(math.ceil(value / step) * step)
