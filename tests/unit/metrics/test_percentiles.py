"""Percentiles: the rule for how many values they need, nearest rank, histograms."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.metrics.histogram import bucket, merge, percentile_ms
from tokenswarm.metrics.percentile import minimum_n, rank
from tokenswarm.reports.percentiles import describe, describe_censored, describe_histogram


@pytest.mark.parametrize(("percent", "n"), [(50, 1), (90, 44), (95, 90), (99, 459), (99.9, 4603), (10, 44), (1, 459)])
def test_minimum_n_is_loadgens(percent: float, n: int) -> None:
    assert minimum_n(percent) == n


@given(st.floats(50.1, 99.99))
def test_minimum_n_is_the_smallest(percent: float) -> None:
    n = minimum_n(percent)
    assert (percent / 100) ** n <= 0.01 * (1 + 1e-9)
    assert n == 1 or (percent / 100) ** (n - 1) > 0.01 * (1 - 1e-9)


@pytest.mark.parametrize("n", [1, 43, 44, 89, 90, 458, 459])
def test_a_percentile_is_shown_from_its_minimum_on(n: int) -> None:
    found = describe(np.arange(1.0, n + 1))
    assert [found[key] is not None for key in ("p50", "p90", "p95", "p99")] == [True, n >= 44, n >= 90, n >= 459]
    assert found["n"] == n
    assert found["mean"] == (n + 1) / 2


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=9), st.sampled_from([50.0, 90.0, 95.0, 99.0]))
def test_nearest_rank(few: list[float], percent: float) -> None:
    values = few * 459
    value = describe(np.array(values), (percent,))[f"p{percent:g}"]
    assert value in values
    assert sum(v <= value for v in values) >= len(values) * percent / 100
    assert sum(v < value for v in values) < len(values) * percent / 100


@pytest.mark.parametrize(("n", "percent", "expected"), [(1000, 99.9, 999), (100, 95, 95), (1, 50, 1), (101, 99, 100)])
def test_rank_is_not_off_by_one_for_floats(n: int, percent: float, expected: int) -> None:
    assert rank(n, percent) == expected


def test_absent_is_not_a_value() -> None:
    assert describe(np.array([math.nan, 7.0, math.nan]))["n"] == 1
    assert describe(np.array([math.nan])) == {"n": 0, "mean": None, "p50": None, "p90": None, "p95": None, "p99": None}


Histograms = st.lists(st.dictionaries(st.integers(0, 2500), st.integers(1, 90), max_size=8), max_size=8)


@given(Histograms)
def test_pooled_histograms_are_described_as_the_sum_is(histograms: list[dict[int, int]]) -> None:
    pooled = merge(histograms)
    found = describe_histogram(pooled)
    n = sum(pooled.values())
    assert found["n"] == n
    for percent in (50, 90, 95, 99):
        expected = percentile_ms(pooled, percent) if n >= minimum_n(percent) else None
        assert found[f"p{percent}"] == (None if expected is None else pytest.approx(expected, abs=1e-6))


def test_a_pooled_percentile_is_within_one_percent() -> None:
    assert describe_histogram({bucket(10_000_000): 500})["p99"] == pytest.approx(10, rel=0.01)


def test_with_what_was_cut_percentiles_are_those_of_all() -> None:
    """Kaplan and Meier's estimate, by hand: of 4 one ends at 1, of 3 one at 2, one is cut at 3, the last ends at 4."""
    few = describe_censored(np.array([4.0, 1.0, 2.0]), np.array([3.0]), (25.0, 50.0, 51.0, 100.0))
    assert few["n"] == 4
    assert few["cut"] == 1
    assert few["p50"] == 2
    assert few["p100"] == 4
    unknown = describe_censored(np.array([1.0]), np.array([2.0, 3.0]), (50.0,))  # most lie beyond what was seen
    assert unknown["p50"] is None
    assert describe_censored(np.array([]), np.array([2.0]), (50.0,)) == {"n": 1, "cut": 1, "p50": None}


def test_the_true_percentiles_come_out_where_the_end_cut_long_ones() -> None:
    generator = np.random.default_rng(3)
    long, end = generator.exponential(100, 20_000), generator.uniform(0, 300, 20_000)
    done, cut = long[long <= end], end[long > end]
    found = describe_censored(done, cut)
    for percent, name in ((50, "p50"), (90, "p90")):
        truth = -100 * math.log(1 - percent / 100)
        assert found[name] == pytest.approx(truth, rel=0.05)
        assert describe(done)[name] < 0.8 * truth  # what those that ended alone would say
