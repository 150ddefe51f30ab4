"""The highest rate from all trials of an open loop together."""

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tokenswarm.capacity.answer import result
from tokenswarm.capacity.estimate import TrialPoint, estimate
from tokenswarm.capacity.search import MOST_FIRM, SearchRange, SearchResult, Tried, Try, next_step, points

RATES = SearchRange(True, 1.0, 0.1, 1e6, pooled=True)
ALLOWED = 0.05


def share(load: float, capacity: float, power: float) -> float:
    """What share of the requests is beyond the limit, on the average."""
    odds = ALLOWED / (1 - ALLOWED) * (load / capacity) ** power
    return odds / (1 + odds)


@settings(max_examples=10)
@given(st.floats(0.5, 900), st.floats(3, 20))
def test_exact_shares_give_the_exact_rate(capacity: float, power: float) -> None:
    exact = [TrialPoint(capacity * at, 2000, share(capacity * at, capacity, power), ALLOWED) for at in (0.9, 1.0, 1.08)]
    got = estimate(exact, capacity * 0.93)
    assert got.load == pytest.approx(capacity, rel=0.01)
    assert got.error < 0.04


def test_more_requests_make_it_surer() -> None:
    few, many = (estimate([TrialPoint(10, n, 0.05, 0.05)], 10.0) for n in (50, 5000))
    assert many.error < few.error / 2


@settings(max_examples=6)
@given(st.floats(0.3, 2000), st.floats(6, 20), st.integers(0, 2**31))
def test_a_rate_is_found_though_requests_fare_alike(capacity: float, power: float, seed: int) -> None:
    """Ten requests each share their luck; a firm trial has 1,200 of them, a quick one 60."""
    chance = random.Random(seed)

    def trial(step: Try) -> Tried:
        p, n = share(step.load, capacity, power), 1200 if step.firm else 60
        hits = sum(10 * (chance.random() < p) for _ in range(n // 10))
        verdict = "crossed" if hits / n > ALLOWED else "met"
        return Tried(step.load, verdict, step.firm, False, n, hits / n, ALLOWED, 10.0 if hits else 1.0)

    tried: list[Tried] = []
    while isinstance(step := next_step(tried, RATES), Try):
        tried.append(trial(step))
        assert len(tried) < 60
    assert step.load is not None
    assert step.error is not None
    assert sum(one.firm for one in tried) <= MOST_FIRM
    assert abs(math.log(step.load / capacity)) < 5 * max(step.error, 0.02)


def test_a_quiet_trial_is_no_surer_than_a_busy_one() -> None:
    busy = Tried(10, "crossed", True, False, 400, 0.2, ALLOWED, 20.0)
    quiet = Tried(10, "met", True, False, 400, 0.0, ALLOWED, 1.0)
    assert {point.weight for point in points([busy, quiet], 10)} == {20.0}


def test_trials_far_from_the_limit_do_not_bend_the_curve_there() -> None:
    """Flat up to the limit and steep beyond it, as at constant gaps: an overload says little of where the limit is."""
    near = [TrialPoint(10 * at, 1500, ALLOWED * at, ALLOWED) for at in (0.94, 1.0, 1.06)]
    overload = TrialPoint(15, 1500, 0.7, ALLOWED)
    assert estimate([*near, overload], 10).load == pytest.approx(10, rel=0.02)


def test_trials_on_one_side_only_are_followed_by_a_bold_step() -> None:
    """Ten times what they may be at 12, and hardly more at 10 than at 8: the limit is somewhere between."""
    firm = [(12.0, 0.5), (8.0, 0.04), (8.2, 0.041), (8.4, 0.041)]
    tried = [Tried(load, "crossed" if p > ALLOWED else "met", True, False, 4000, p, ALLOWED, 1.0) for load, p in firm]
    step = next_step(tried, RATES)
    assert isinstance(step, Try)
    assert step.firm
    assert 9 < step.load < 11


def test_a_client_that_is_the_limit_where_it_matters_qualifies_the_answer() -> None:
    tried = [
        Tried(4, "met", False),
        Tried(8, "met", False, False, 60, 0.0, ALLOWED),
        Tried(9, "crossed", False, False, 60, 0.4, ALLOWED),
    ]
    step = next_step(tried, RATES)
    assert isinstance(step, Try)
    assert step.firm
    assert 7 < step.load < 9
    limited = [Tried(step.load, "limited", True)] * 2
    answer = next_step([*tried, *limited], RATES)
    assert isinstance(answer, SearchResult)
    assert answer.above == "limited"
    assert answer.load == (8 if step.load > 8 else 4)


def test_the_answer_says_how_exact_it_is() -> None:
    said = result(SearchResult(38.2, "crossed", None, 0.018), RATES, [], [], "")
    assert said["sentence"].endswith("(± 1.8 %, by all trials together).")
    assert (said["qualifier"], said["sure"], said["error"]) == ("", True, 0.018)
