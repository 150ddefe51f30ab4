"""B against A in one figure: the estimate, and its interval at whatever level is asked for."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from tokenswarm.reports.compare import blocks
from tokenswarm.reports.compare.strata import ComparedValues
from tokenswarm.reports.compare.student import quantile

Array = Any
Bounds = tuple[float, float]
LEAST_WORTH = 10  # independent values: below this nobody knows what the error is
_INTERLEAVED = 0.35  # correlation of side and time, at most, where a trend can be told from a difference
_FEW, _LARGE = 25, 0.02  # independent values, and an error relative to the mean: where errors are themselves uncertain
_ENOUGH, _SHORT = 40, 4000  # independent values that tell an error; and how many more in a run of one request
_LEAST, _ROUNDING = 1e-12, 1e-9


@dataclass(frozen=True, slots=True)
class Contrast:
    """`a` and `b` are the sides' figures; `change` is log(b / a), or b - a where `points` (shares).

    `bounds(alpha)` is the interval of `change` at level 1 - alpha. `worth` says how many independent values each side
    has (of several runs a side: how many runs), `n` how many there are.
    """

    a: float
    b: float
    change: float
    bounds: Callable[[float], Bounds]
    worth: tuple[float, float]
    n: tuple[int, int]
    points: bool = False

    @property
    def is_known(self) -> bool:
        """Are there values enough to know the error?"""
        return min(self.worth) >= LEAST_WORTH


Side = tuple[float, Callable[[float], Bounds]]


def of_means(pair: ComparedValues) -> Contrast | None:
    """The ratio of two means over the same mix of strata; None where one is not above 0.

    Each side's interval is by block means of what is left when the level of each stratum is taken out, and the two
    make that of the ratio (MOVER: Zou and Donner 2008), which keeps it right where one error is large.
    """
    means = [float((values * weights).mean()) for values, weights in _weighted(pair)]
    if not min(means) > 0:
        return None
    rests = pair.rests(pair.a, pair.b, means[1] / means[0])
    raw = [blocks.standard_error(rest) for rest in rests]
    errors = [error * pair.scale / mean for (error, _), mean in zip(raw, means, strict=True)]
    worth_a, worth_b = map(blocks.worth, rests)
    df = _satterthwaite(errors, [df for _, df in raw])
    if min(worth_a, worth_b) < _FEW or max(errors) > _LARGE:
        # A queue that happened to stay short knows nothing of the error that a long one shows.
        errors, df = [max(errors)] * 2, min(df for _, df in raw)
    errors = [error * _unsure(min(worth_a, worth_b), min(len(pair.a), len(pair.b))) for error in errors]
    df = max(1.0, round(pair.df_share * df, 1))
    a, b = (_mean_side(mean, error, df) for mean, error in zip(means, errors, strict=True))
    return _ratio(a, b, (worth_a, worth_b), (len(pair.a), len(pair.b)))


def _weighted(pair: ComparedValues) -> tuple[tuple[Array, Array], tuple[Array, Array]]:
    return (pair.a, pair.weights_a), (pair.b, pair.weights_b)


def _unsure(worth: float, n: int) -> float:
    """How much larger an error is taken where so few independent values, of a run so short, have told it.

    Neighbours may be alike for longer than a short run shows: then both the error and what the values are worth look
    better than they are. The figures are those that hold false alarms to 5 % from 100 requests on (docs/compare.md).
    """
    return math.sqrt(max(1.0, (_ENOUGH + _SHORT / n) / worth))


def _satterthwaite(errors: Sequence[float], dfs: Sequence[float]) -> float:
    """Degrees of freedom of the root of the sum of squared errors (Satterthwaite 1946)."""
    spread = sum(error**4 / df for error, df in zip(errors, dfs, strict=True))
    return float(sum(error**2 for error in errors) ** 2 / spread) if 0 < spread < math.inf else 1.0


def _mean_side(mean: float, error: float, df: float) -> Side:
    """`error` is relative to the mean."""

    def bounds(alpha: float) -> Bounds:
        half = quantile(alpha, df) * error
        return math.log(mean) + math.log(max(1 - half, _LEAST)), math.log(mean) + math.log1p(half)

    return math.log(mean), bounds


def of_quantiles(pair: ComparedValues, percent: float) -> Contrast:
    """The ratio of two quantiles over the same mix of strata.

    The share of values at or below it is a mean: its interval, inverted, is that of the quantile.
    """
    share = percent / 100
    found = [_quantile(values, weights, share) for values, weights in _weighted(pair)]
    rests = pair.rests(*((side <= value).astype(float) for side, value in zip((pair.a, pair.b), found, strict=True)))
    raw = [blocks.standard_error(rest) for rest in rests]
    # Spread evenly, as by turns, the values would seem to say more than independent ones can.
    least = [float(rest.std()) / math.sqrt(len(rest)) for rest in rests]
    errors = [pair.scale * max(error, floor) for (error, _), floor in zip(raw, least, strict=True)]
    worth = blocks.worth(rests[0]), blocks.worth(rests[1])
    dfs = [max(1.0, round(pair.df_share * df, 1)) for _, df in raw]
    if min(worth) < _FEW:
        errors, dfs = [max(errors)] * 2, [min(dfs)] * 2
    errors = [error * _unsure(min(worth), min(len(pair.a), len(pair.b))) for error in errors]
    a, b = (
        _quantile_side(values, weights, share, error, df)
        for (values, weights), error, df in zip(_weighted(pair), errors, dfs, strict=True)
    )
    return _ratio(a, b, worth, (len(pair.a), len(pair.b)))


def _below(values: Array, weights: Array) -> tuple[Array, Array]:
    order = np.argsort(values, kind="stable")
    return values[order], np.cumsum(weights[order]) / len(values)


def _quantile(values: Array, weights: Array, share: float) -> float:
    ordered, below = _below(values, weights)
    return float(ordered[min(int(np.searchsorted(below, share - _ROUNDING)), len(values) - 1)])


def _quantile_side(values: Array, weights: Array, share: float, error: float, df: float) -> Side:
    n = len(values)
    ordered, below = _below(values, weights)

    def bounds(alpha: float) -> Bounds:
        half = quantile(alpha, df) * error
        low = int(np.searchsorted(below, share - half - _ROUNDING))
        high = int(np.searchsorted(below, share + half - _ROUNDING)) + 1
        return _log(ordered[low]) if share > half else -math.inf, _log(ordered[high]) if high < n - 1 else math.inf

    return _log(_quantile(values, weights, share)), bounds


def _log(value: float) -> float:
    return math.log(max(float(value), _LEAST))


def _ratio(a: Side, b: Side, worth: tuple[float, float], n: tuple[int, int]) -> Contrast:
    change = b[0] - a[0]
    return Contrast(math.exp(a[0]), math.exp(b[0]), change, _mover(change, a, b), worth, n)


def _mover(change: float, a: Side, b: Side) -> Callable[[float], Bounds]:
    (point_a, bounds_a), (point_b, bounds_b) = a, b

    def bounds(alpha: float) -> Bounds:
        (low_a, high_a), (low_b, high_b) = bounds_a(alpha), bounds_b(alpha)
        return (
            change - math.hypot(point_b - low_b, high_a - point_a),
            change + math.hypot(high_b - point_b, point_a - low_a),
        )

    return bounds


def of_shares(a: Array, b: Array) -> Contrast | None:
    """The difference of two shares (of 0s and 1s, in their order), by Wilson's interval of what each is worth."""
    if not len(a) or not len(b):
        return None
    (side_a, worth_a), (side_b, worth_b) = _share_side(a), _share_side(b)
    change = side_b[0] - side_a[0]
    bounds = _mover(change, side_a, side_b)
    return Contrast(side_a[0], side_b[0], change, bounds, (worth_a, worth_b), (len(a), len(b)), points=True)


def _share_side(values: Array) -> tuple[Side, float]:
    n, share = float(len(values)), float(values.mean())
    error, df = blocks.standard_error(values)
    if error > 0 and 0 < share < 1:
        n = min(n, share * (1 - share) / error**2)

    def bounds(alpha: float) -> Bounds:
        t2 = quantile(alpha, df) ** 2
        middle, half = share + t2 / (2 * n), math.sqrt(t2 * (share * (1 - share) / n + t2 / (4 * n * n)))
        return max(0.0, (middle - half) / (1 + t2 / n)), min(1.0, (middle + half) / (1 + t2 / n))

    return (share, bounds), n


def of_runs(a: Sequence[float], b: Sequence[float], times: Sequence[float], points: bool = False) -> Contrast | None:
    """The same of a figure that each of several runs gives: the run is the unit, so that what differs from run to run
    is in the error.

    `times` are when the runs began, A's first. Where the sides' runs lie among each other a straight line of time is
    taken out, else Welch's t. None with fewer than two runs on a side.
    """
    if min(len(a), len(b)) < 2 or (not points and min(*a, *b) <= 0):
        return None
    values = np.array([*a, *b], dtype="float64") if points else np.log(np.array([*a, *b], dtype="float64"))
    ours, theirs = values[: len(a)], values[len(a) :]
    change, error, df = _trend(values, len(a), times) or _welch(ours, theirs)
    back = (lambda mean: mean) if points else math.exp
    sides = (back(float(ours.mean())), back(float(theirs.mean())))

    def bounds(alpha: float) -> Bounds:
        half = quantile(alpha, df) * error
        return change - half, change + half

    return Contrast(*sides, change, bounds, (math.inf, math.inf), (len(a), len(b)), points)


def at_least(made: Contrast | None, other: Contrast | None) -> Contrast | None:
    """A contrast whose interval holds another one's, too."""
    if made is None or other is None:
        return None

    def bounds(alpha: float) -> Bounds:
        (low, high), (other_low, other_high) = made.bounds(alpha), other.bounds(alpha)
        return min(low, other_low), max(high, other_high)

    return replace(made, bounds=bounds)


def _welch(a: Array, b: Array) -> tuple[float, float, float]:
    errors = [math.sqrt(float(side.var(ddof=1)) / len(side)) for side in (a, b)]
    return float(b.mean() - a.mean()), math.hypot(*errors), _satterthwaite(errors, [len(a) - 1, len(b) - 1])


def are_interleaved(n_a: int, times: Sequence[float]) -> bool:
    """Do the runs of both sides lie among each other in time (their order alone counts)?"""
    order, side = _order(n_a, times)
    return bool(np.ptp(order) > 0 and abs(np.corrcoef(order, side)[0, 1]) <= _INTERLEAVED)


def _order(n_a: int, times: Sequence[float]) -> tuple[Array, Array]:
    order = np.argsort(np.argsort(np.array(times, dtype="float64"), kind="stable")).astype("float64")
    return order, (np.arange(len(times)) >= n_a).astype("float64")


def _trend(values: Array, n_a: int, times: Sequence[float]) -> tuple[float, float, float] | None:
    df = len(values) - 3
    if df < 2 or any(time != time for time in times) or not are_interleaved(n_a, times):
        return None
    order, side = _order(n_a, times)
    columns = np.stack([np.ones(len(values)), side, order - order.mean()], axis=1)
    inverse = np.linalg.inv(columns.T @ columns)
    found = inverse @ columns.T @ values
    variance = float(((values - columns @ found) ** 2).sum()) / df
    return float(found[1]), math.sqrt(variance * float(inverse[1, 1])), float(df)
