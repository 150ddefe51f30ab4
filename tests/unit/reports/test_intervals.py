"""Intervals hold what they promise, also where each request resembles the one before it."""

import math
from statistics import NormalDist
from typing import Any

import numpy as np
import pandas as pd
import pytest

from tokenswarm.reports.intervals import of_mean, of_percentile, of_rate
from tokenswarm.reports.output import made_tokens

TRUTH = {"mean": math.exp(0.5), 50.0: 1.0, 95.0: math.exp(NormalDist().inv_cdf(0.95))}


def queue_like(generator: Any, n: int, likeness: float) -> Any:
    """Log-normal times, each like the one before (an autoregression)."""
    noise, values = generator.standard_normal(n), np.empty(n)
    values[0] = noise[0]
    for at in range(1, n):
        values[at] = likeness * values[at - 1] + math.sqrt(1 - likeness**2) * noise[at]
    return np.exp(values)


@pytest.mark.parametrize("likeness", [0.0, 0.8])
@pytest.mark.parametrize("what", TRUTH)
def test_an_interval_holds_the_truth_in_19_of_20(what: Any, likeness: float) -> None:
    generator, held, known = np.random.default_rng(7), 0, 0
    for _ in range(150):
        values = queue_like(generator, 500, likeness)
        found = of_mean(values) if what == "mean" else of_percentile(values, what)
        if found is not None:
            low, high = (
                edge if edge is not None else sign * math.inf for edge, sign in zip(found, (-1, 1), strict=True)
            )
            known += 1
            held += low <= TRUTH[what] <= high
    assert known > 100
    assert held / known > 0.88  # 0.95 less what 150 draws leave open


def test_where_requests_are_worth_too_few_nobody_knows() -> None:
    ramp = np.linspace(1, 100, 200)  # ever longer: the whole of it is worth next to nothing
    assert of_percentile(ramp, 50) is None
    assert of_mean(ramp) is None
    assert of_percentile(np.ones(89), 95) is None  # p95 is not shown of so few at all


def test_the_rate_of_a_server_that_never_pauses_is_sure() -> None:
    begin = 1_795_433_493_000_000_000 + np.arange(40) * 10**9
    rows = pd.DataFrame({"made_from_ns": begin, "made_to_ns": begin + 10**9, "made_tokens": 50.0}).astype(
        {"made_from_ns": "Int64", "made_to_ns": "Int64"}
    )
    span = (int(begin[0]), int(begin[-1]) + 10**9)

    def one_each(some: Any) -> Any:
        return np.ones(len(some))

    assert of_rate(rows, made_tokens, span) == pytest.approx([50, 50], abs=1e-3)
    assert of_rate(rows, one_each, span) == pytest.approx([1, 1], abs=1e-4)
    assert of_rate(rows, one_each, None) is None
