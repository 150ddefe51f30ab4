"""The benchmarks of the open loop: their arithmetic, and that their figures are in docs/."""

import math
import re

import pytest

from bench import replay, theory
from bench.omission import Loop
from bench.simulated import PAGE
from bench.traced import Asked, sharing


def test_gaps_are_told_from_those_of_another_process() -> None:
    exponential = [-math.log(1 - (rank + 0.5) / 2000) for rank in range(2000)]
    assert theory.kolmogorov_smirnov(exponential, theory.exponential(1)) < 0.1
    assert theory.kolmogorov_smirnov([1.0] * 2000, theory.exponential(1)) > theory.AT_1_PERCENT
    assert theory.kolmogorov_smirnov([1.1 * gap for gap in exponential], theory.exponential(1)) == pytest.approx(
        1.57, abs=0.05
    )
    assert theory.gaps([30, 10, 15]) == [5, 15]
    assert theory.variation([1, 3]) == 0.5


def test_what_an_endless_cache_finds_is_what_stood_at_a_beginning() -> None:
    rows = [Asked(0, 1100, 1, (1, 2, 3)), Asked(0, 1100, 1, (1, 2, 4)), Asked(0, 500, 1, (2,)), Asked(0, 500, 1, (1,))]
    found = sharing(rows)
    assert found.blocks == 3 / 8  # 1 and 2 of the second, 1 of the fourth; 2 stood at no beginning
    assert found.tokens == (1024 + 500) / 3200


def test_a_replays_due_times_and_lengths_are_compared_row_by_row() -> None:
    asked = [Asked(5, 100, 7), Asked(1_000_000_005, 2, 9)]
    rows = [
        {"scheduled_unix_ns": "70", "prompt_tokens": "101", "output_tokens": "7"},
        {"scheduled_unix_ns": "100000073", "prompt_tokens": "14", "output_tokens": "8"},
    ]
    one = replay.Replayed("any", 10, asked, rows, 0)
    assert one.due_error_ns() == 3
    wanted, counted, off = one.prompt_tokens()
    assert (wanted, counted, off.max) == (114, 115, 1)
    ticked = replay.Replayed("any", 10, [Asked(0, 1, 1, (1,)), Asked(3_000_000_000, 1, 1, (1,))], rows, 0)
    assert ticked.due_error_ns() == 0  # 0.2 s early, but within a tick of 0.3 s


def test_the_load_is_that_without_the_stall() -> None:
    sent_s = [0, 1, 2, 3, 9, 10, 11]  # stalled from 3.5 to 8.5
    rows = [{"sent_unix_ns": str(round(at_s * 1e9))} for at_s in sent_s]
    assert Loop("closed", rows, 3_500_000_000).per_s() == pytest.approx(7 / 6)


def test_the_page_has_the_figures_of_all_three() -> None:
    text = PAGE.read_text(encoding="utf-8")
    for name in ("arrivals", "omission", "replay"):
        (found,) = re.findall(rf"<!-- {name}: make bench-{name} -->(.*?)<!-- /{name} -->", text, re.DOTALL)
        assert found.count("\n| ") > 2
