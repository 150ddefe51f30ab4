"""The statistics below a comparison: against tables, against literals, and against worlds whose truth is known."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.ab_trial import verdicts
from bench.ab_worlds import WORLDS
from tokenswarm.reports.compare import blocks, contrast
from tokenswarm.reports.compare.contrast import of_means, of_runs, of_shares
from tokenswarm.reports.compare.holm import holm
from tokenswarm.reports.compare.strata import alike
from tokenswarm.reports.compare.student import quantile

# Of printed tables (two-sided).
TABLE = [
    (0.05, 1, 12.7062),
    (0.05, 2, 4.3027),
    (0.01, 3, 5.8409),
    (0.05, 7, 2.3646),
    (0.002, 10, 4.1437),
    (0.1, 15, 1.7531),
    (0.01, 30, 2.7500),
    (0.05, 120, 1.9799),
    (0.05, 1e7, 1.9600),
]


@pytest.mark.parametrize(("alpha", "df", "t"), TABLE)
def test_students_t_is_that_of_the_tables(alpha: float, df: float, t: float) -> None:
    assert quantile(alpha, df) == pytest.approx(t, abs=6e-5)


@given(st.floats(1e-9, 0.999), st.floats(1, 1e5))
@settings(deadline=None)
def test_students_t_is_the_more_the_less_may_lie_beyond(alpha: float, df: float) -> None:
    assert 0 <= quantile(alpha, df) < quantile(alpha / 2, df) < math.inf


def test_holm_asks_the_rest_at_a_level_that_is_less_strict() -> None:
    p = (0.2, 0.012, 0.016, 0.5)
    tests = [lambda alpha, own=own: own <= alpha for own in p]
    assert holm(tests) == [(False, 0.025), (True, 0.0125), (True, pytest.approx(0.05 / 3)), (False, 0.025)]
    assert holm([]) == []
    assert holm([lambda alpha: True]) == [(True, 0.05)]


def test_a_warm_up_is_cut_and_nothing_else() -> None:
    noise = np.random.default_rng(1).normal(size=500)
    warm = np.where(np.arange(500) < 40, 10.0, 0.0)
    assert 40 <= blocks.transient(100 + warm + noise) <= 60
    assert blocks.transient(np.full(500, 3.0)) == 0
    assert blocks.transient(np.arange(9.0)) == 0


def test_neighbours_that_are_alike_are_worth_fewer() -> None:
    draws = np.random.default_rng(2).normal(size=2000)
    assert blocks.worth(draws) > 1600
    assert 100 < blocks.worth(np.repeat(draws[:200], 10)) < 400


def test_the_error_of_a_mean_is_right_for_independent_values() -> None:
    made = [blocks.standard_error(np.random.default_rng(k).normal(size=800))[0] for k in range(100)]
    assert np.mean(made) == pytest.approx(1 / math.sqrt(800), rel=0.15)


def test_what_prompts_differ_in_is_no_error() -> None:
    prompts, held = np.tile(np.arange(20), 20), 0
    for draw in range(60):
        rng = np.random.default_rng(draw)
        level = np.exp(rng.normal(0, 1, 20))
        a, b = (level[prompts] * np.exp(rng.normal(0, 0.02, 400)) for _ in range(2))
        pair = alike(a, 1.03 * b, prompts, prompts)
        assert pair is not None
        made = of_means(pair)
        assert made is not None
        low, high = made.bounds(0.05)
        held += low < math.log(1.03) < high
        assert high - low < 0.02
    assert held >= 53  # 95 % of 60 are 57


def test_pairs_of_one_value_a_side_have_the_error_of_their_differences() -> None:
    rng = np.random.default_rng(4)
    shared, one, other = rng.normal(100, 30, 400), rng.normal(0, 1, 400), rng.normal(0, 1, 400)
    pair = alike(shared + one, shared + other, np.arange(400), np.arange(400))
    assert pair is not None
    made = of_means(pair)
    assert made is not None
    low, high = made.bounds(0.05)
    truth = 2 * 1.96 * math.sqrt(2 / 400) / 100
    assert high - low == pytest.approx(truth, rel=0.4)


def test_shares_without_a_failure_are_told_apart_as_far_as_n_goes() -> None:
    made = of_shares(np.zeros(200), np.zeros(200))
    assert made is not None
    low, high = made.bounds(0.05)
    assert -high == low == pytest.approx(-0.0235, abs=0.006)


def test_a_drift_over_all_runs_is_taken_out_where_they_take_turns() -> None:
    drift = [0.0, 0.1, 0.2, 0.3, 0.4, 0.5]  # A B B A A B
    speeds = [math.exp(value + (0.05 if name == "b" else 0.0)) for value, name in zip(drift, "abbaab", strict=True)]
    noisy = [speed * (1 + 0.001 * (-1) ** number) for number, speed in enumerate(speeds)]
    a, b = ([noisy[number] for number in at] for at in ((0, 3, 4), (1, 2, 5)))
    made = of_runs(a, b, [0, 3, 4, 1, 2, 5])
    assert made is not None
    low, high = made.bounds(0.05)
    assert low < 0.05 < high
    assert high - low < 0.02
    assert not contrast.are_interleaved(3, [0, 1, 2, 3, 4, 5])


@pytest.mark.parametrize("name", ["AR(1) 0.9", "closed loop, 8 users on 4 slots", "open loop at 90 %"])
def test_a_server_is_not_told_from_itself(name: str) -> None:
    (world,) = [world for world in WORLDS if world.name == name]
    pairs = 40
    said = [verdicts(world, 400, pair, 0.0, other_seed=False) for pair in range(pairs)]
    alarms = sum(bool({"better", "worse"} & set(each.values())) for each in said)
    assert alarms <= 5  # 5 % are allowed: more than five of forty happen in one run of a hundred then
    found = [verdicts(world, 400, pair, 0.15, other_seed=False)["tpot_ms mean"] for pair in range(10)]
    assert found.count("worse") >= 9


def test_the_correlation_of_many_is_that_of_all_their_lags(monkeypatch: pytest.MonkeyPatch) -> None:
    """A piece at a time, with few lags, then more; where even many are too few, of means of neighbours."""
    rng = np.random.default_rng(2)
    for neighbours, trend, near in ((1, 0, 1e-9), (40, 0, 1e-9), (2_000, 0, 0.2), (1, 9, 0.2)):
        values = rng.normal(size=100_000) / 2 + np.repeat(rng.normal(size=100_000 // neighbours), neighbours)
        values += np.linspace(0, trend, len(values))
        whole = _time_by_all_lags(values)
        assert blocks.correlation_time(values) == pytest.approx(whole, rel=1e-9)
        with monkeypatch.context() as few:
            few.setattr(blocks, "FEW_LAGS", 64)
            few.setattr(blocks, "MOST_LAGS", 512)
            assert blocks.correlation_time(values) == pytest.approx(whole, rel=near)


def _time_by_all_lags(values: Any) -> float:
    centred, total = values - values.mean(), 0.0
    squared = float((centred**2).sum())
    for lag in range(len(values)):
        total += float((centred[: len(values) - lag] * centred[lag:]).sum()) / squared
        if lag >= blocks.WINDOW * (2 * total - 1):
            break
    return max(1.0, 2 * total - 1)
