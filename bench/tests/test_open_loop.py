"""The arrivals of an open loop: the arithmetic, and that the figures are in docs/."""

import math
import re

import pytest

from bench import theory
from bench.simulated import PAGE


def test_gaps_are_told_from_those_of_another_process() -> None:
    exponential = [-math.log(1 - (rank + 0.5) / 2000) for rank in range(2000)]
    assert theory.kolmogorov_smirnov(exponential, theory.exponential(1)) < 0.1
    assert theory.kolmogorov_smirnov([1.0] * 2000, theory.exponential(1)) > theory.AT_1_PERCENT
    assert theory.kolmogorov_smirnov([1.1 * gap for gap in exponential], theory.exponential(1)) == pytest.approx(
        1.57, abs=0.05
    )
    assert theory.gaps([30, 10, 15]) == [5, 15]
    assert theory.variation([1, 3]) == 0.5


def test_the_page_has_its_figures() -> None:
    text = PAGE.read_text(encoding="utf-8")
    (found,) = re.findall(r"<!-- arrivals: make bench-arrivals -->(.*?)<!-- /arrivals -->", text, re.DOTALL)
    assert found.count("\n| ") > 2
