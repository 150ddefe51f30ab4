"""The figures in which A and B are compared, each as a Contrast."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from tokenswarm.metrics.percentile import minimum_n, rank
from tokenswarm.reports.compare import contrast
from tokenswarm.reports.compare.contrast import Contrast
from tokenswarm.reports.compare.matching import Matching, match
from tokenswarm.reports.compare.rates import rate, unit
from tokenswarm.reports.compare.steady import count_warm_up, steady
from tokenswarm.reports.compare.strata import ComparedValues, alike
from tokenswarm.reports.rows import Rows

Array = Any
TIMES = ("tpot_ms", "ttft_ms", "e2e_ms")
AGGREGATES = ("mean", "p50", "p95")
FAILED = "failed"
RATES = {"output_tokens": "output_tokens_per_s", "vectors": "vectors_per_s", "requests": "ok_per_s"}


@dataclass(frozen=True, slots=True)
class ComparedRows:
    """What is compared of one run: all its rows, the steady ones, of these those that ended ok, and when it began."""

    whole: Rows
    steady: Rows
    ok: Rows
    began_s: float

    @classmethod
    def of(cls, frame: Any, began_s: float, stage: int | None = None) -> "ComparedRows":
        """Of a run's frame (Rows, or a DataFrame); of one of its stages."""
        whole = frame if isinstance(frame, Rows) else Rows.of(frame)
        rows = steady(whole if stage is None else whole[whole["stage"] == stage])
        return cls(whole, rows, rows[rows["outcome"] == "ok"], began_s)


@dataclass(frozen=True, slots=True)
class Figure:
    """One figure: `aggregate` (mean, p50, p95, or empty for a rate or a share) of `metric`, in a stage (1, 2, …)."""

    metric: str
    aggregate: str
    contrast: Contrast
    stage: int | None = None

    @property
    def lower_is_better(self) -> bool:
        """Is less of it what one wants?"""
        return self.metric in (*TIMES, FAILED)


Sides = tuple[Sequence[ComparedRows], Sequence[ComparedRows]]


def match_requests(sides: Sides, same_seed: bool, same_arrivals: bool) -> Matching:
    """Which ok requests of the sides are alike."""
    which = np.array([0] * len(sides[0]) + [1] * len(sides[1]))
    return match([rows.ok for side in sides for rows in side], which, same_seed, same_arrivals)


def figures(sides: Sides, matched: Matching, stage: int | None = None) -> list[Figure]:
    """Every figure that both sides have, in the order in which they are shown."""
    return [Figure(metric, how, made, stage) for metric, how, made in _contrasts(sides, matched)]


def _contrasts(sides: Sides, matched: Matching) -> Iterator[tuple[str, str, Contrast]]:
    for metric in TIMES:
        if made := _mean(sides, matched, metric):
            yield metric, "mean", made
        for how in AGGREGATES[1:]:
            if made := quantile_contrast(sides, matched, metric, float(how[1:])):
                yield metric, how, made
    counted = unit([rows.whole for rows in _all(sides)])
    if made := _rate(sides, counted):
        yield RATES[counted], "", made
    if made := _failed(sides):
        yield FAILED, "", made


def _all(sides: Sides) -> list[ComparedRows]:
    return [*sides[0], *sides[1]]


Sample = tuple[Array, Array]


def _samples(sides: Sides, matched: Matching, strata: Sequence[Array], metric: str) -> list[Sample]:
    """Values and strata of each run, without what MSER-5 takes for its warm-up."""
    found = []
    for rows, codes, prompts in zip(_all(sides), strata, matched.prompts, strict=True):
        values = rows.ok[metric].to_numpy(dtype="float64")
        known = ~np.isnan(values)
        begin = count_warm_up(values[known], prompts[known])
        found.append((values[known][begin:], codes[known][begin:]))
    return found


def _mean(sides: Sides, matched: Matching, metric: str) -> Contrast | None:
    samples = _samples(sides, matched, matched.strata, metric)
    if not all(len(values) for values, _ in samples):
        return None
    if len(samples) > 2:
        return _of_runs(sides, _means(samples))
    pair = _pair(samples)
    return contrast.of_means(pair) if pair else None


def quantile_contrast(sides: Sides, matched: Matching, metric: str, percent: float) -> Contrast | None:
    """B against A in a percentile of a time; None where a run has too few requests for it."""
    samples = _samples(sides, matched, matched.prompts, metric)
    if min(len(values) for values, _ in samples) < minimum_n(percent):
        return None
    if len(samples) > 2:
        return _of_runs(sides, [float(np.sort(values)[rank(len(values), percent) - 1]) for values, _ in samples])
    pair = _pair(samples)
    return contrast.of_quantiles(pair, percent) if pair else None


def _pair(samples: Sequence[Sample]) -> ComparedValues | None:
    (a, strata_a), (b, strata_b) = samples
    return alike(a, b, strata_a, strata_b)


def _means(samples: Sequence[Sample]) -> list[float]:
    """A mean for each run, as if each had had the same mix of strata: the ratio of its values to their strata's means,
    times the mean of all."""
    values, codes = (np.concatenate(parts) for parts in zip(*samples, strict=True))
    counts = np.bincount(codes)
    with np.errstate(invalid="ignore"):
        levels = np.bincount(codes, values) / counts
    return [float(own.sum() / levels[strata].sum() * values.mean()) for own, strata in samples]


def _of_runs(sides: Sides, each: Sequence[float], points: bool = False) -> Contrast | None:
    n = len(sides[0])
    return contrast.of_runs(each[:n], each[n:], [rows.began_s for rows in _all(sides)], points)


def _rate(sides: Sides, counted: str) -> Contrast | None:
    series = [rate(rows.whole, rows.steady, counted) for rows in _all(sides)]
    if not all(len(values) and values.sum() > 0 for values in series):
        return None
    if len(series) > 2:
        return _of_runs(sides, [float(values.mean()) for values in series])
    a, b = (values[count_warm_up(values, np.zeros(len(values), dtype=np.int64)) :] for values in series)
    pair = alike(a, b, np.zeros(len(a), dtype=np.int64), np.zeros(len(b), dtype=np.int64))
    return contrast.of_means(pair) if pair else None


def _failed(sides: Sides) -> Contrast | None:
    series = [(rows.steady["outcome"] != "ok").to_numpy(dtype="float64") for rows in _all(sides)]
    if not all(len(values) for values in series):
        return None
    if len(series) > 2:
        made = _of_runs(sides, [float(values.mean()) for values in series], points=True)
        n = len(sides[0])
        # Runs without a failure are all alike, but that does not exclude more than so many requests can.
        return contrast.at_least(made, contrast.of_shares(np.concatenate(series[:n]), np.concatenate(series[n:])))
    return contrast.of_shares(*series)
