"""The trial of the capacity search: its servers in virtual time, their true capacity, its tables."""

from dataclasses import replace

import pytest

from bench import capacity_draw
from bench.capacity_draw import Case, capacity, draw, percentile_ms, rows, saturated_per_s
from bench.capacity_trial import Found, Search, summary
from bench.virtual import Asks
from tokenswarm.simulator.settings import SimulatorSettings

# Each answer takes 50 ms of one slot: 40 ms of prefill, and 10 of 2 tokens.
SETTINGS = SimulatorSettings(
    parallel=2, decode_tps=100, prefill_tps=1000, slowdown=0, output_tokens=1000, output_cv=0, prompt_cache=False
)
ONE = Case(False, SETTINGS, Asks(40, 40, 2), "ttft_ms", 95, 60.0)
AT_CONSTANT_GAPS = replace(ONE, open=True, cv=0.0, metric="response_ms", limit_ms=60)


def test_the_engine_in_virtual_time_does_what_can_be_counted_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(capacity_draw, "OPEN_REQUESTS", 4000)
    monkeypatch.setattr(capacity_draw, "REFINING_REQUESTS", 4000)
    assert saturated_per_s(ONE) == pytest.approx(2 / 0.05, rel=0.02)
    alone = percentile_ms(ONE, 2, 500)
    assert alone == pytest.approx(41, abs=1)
    assert percentile_ms(ONE, 3, 500) > 55  # one of three waits
    assert capacity(ONE) == 2
    assert capacity(replace(ONE, limit_ms=130)) == pytest.approx(5, abs=1)
    assert capacity(AT_CONSTANT_GAPS) == pytest.approx(40, rel=0.02)
    assert len(rows(AT_CONSTANT_GAPS, 10, 200)) == pytest.approx(180, abs=2)


def test_the_search_finds_what_can_be_counted_out() -> None:
    assert Search(ONE, 1).found(2).answer == 2
    assert Search(AT_CONSTANT_GAPS, 1).found(40.0).hit


def test_cases_are_the_same_for_the_same_seed_and_not_beside_their_limits() -> None:
    assert draw(7, 2) == draw(7, 2)
    for place in (1, 2):
        case = draw(7, place)
        assert case.open == (place == 1)
        assert case.slo.startswith(f"{case.metric} p{case.percent} < ")
        assert case.limit_ms > 0


def test_hits_and_tables() -> None:
    found = [Found(case, 40, 40 + off, 2, 30.0) for case in (ONE, AT_CONSTANT_GAPS) for off in (1, 1.9, 2.1)]
    assert [one.hit for one in found] == [True, False, False, True, True, False]
    assert not replace(found[0], qualifier="at least").hit
    assert not replace(found[0], answer=None).hit
    assert found[3].error == pytest.approx(2.5)
    text = summary([*found, replace(found[0], qualifier="at least")])
    assert "| closed loop, within 1 user | 1 / 4 | 1.45 | +2.1 | 1 | 2.0 | 30 (30–30) |" in text
    assert "| open loop, within 5 % | 2 / 3 | 4.75 % | +5.25 % | 0 |" in text
