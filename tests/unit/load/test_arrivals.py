"""Open-loop arrivals: the processes against theory, and their language."""

import itertools
import math
import statistics

import pytest
from hypothesis import given
from hypothesis import strategies as st
from options import parsed

from tokenswarm.load.arrivals import ArrivalsError, parse
from tokenswarm.run.open_loop import check


def first(text: str, n: int = 2000, seed: int = 1) -> list[float]:
    return list(itertools.islice(parse(text).times_s(seed), n))


def test_the_clients_of_an_open_loop_are_there_at_once_whatever_the_spawn_rate() -> None:
    """Arrivals begin when all are there; --users 200 --spawn-rate 2 would be silent for 100 s."""
    options = parsed("--arrivals", "poisson 5/s")
    options.num_users, options.spawn_rate = 200, 2.0
    check(options)
    assert (options.num_users, options.spawn_rate) == (200, 200)


def gaps(times: list[float]) -> list[float]:
    return [after - before for before, after in itertools.pairwise([0.0, *times])]


def kolmogorov_smirnov(values: list[float], mean: float) -> float:
    """sqrt(n) times the greatest distance from the exponential distribution of that mean; above 1.63 it is none."""
    n, found = len(values), 0.0
    for rank, value in enumerate(sorted(values)):
        expected = 1 - math.exp(-value / mean)
        found = max(found, abs(expected - rank / n), abs(expected - (rank + 1) / n))
    return found * math.sqrt(n)


def test_poisson_gaps_are_exponential() -> None:
    for seed in range(10):
        assert kolmogorov_smirnov(gaps(first("poisson 50/s", seed=seed)), 1 / 50) < 1.95  # 0.1 % a seed
    assert kolmogorov_smirnov(gaps(first("gamma 50/s cv=2")), 1 / 50) > 1.95


def test_constant_gaps_are_exact_and_gammas_vary_as_asked() -> None:
    assert first("constant 4/s", 5) == [0.25, 0.5, 0.75, 1.0, 1.25]
    for cv in (0.5, 2.0):
        found = gaps(first(f"gamma 50/s cv={cv}", 20_000))
        assert statistics.pstdev(found) / statistics.mean(found) == pytest.approx(cv, rel=0.05)


@pytest.mark.parametrize(
    ("text", "until_s", "expected"),
    [
        ("ramp 1/s..20/s over 5m", 300, 3150),
        ("ramp 1/s..20/s over 5m", 400, 5150),
        ("ramp 20..0.1/s over 100s", 50, 751.25),
        ("steps 1,2,4,8/s every 60s", 240, 900),
        ("steps 1,2,4,8/s every 60s", 300, 1380),
        ("sine 2/s..10/s period 10m", 600, 3600),
        ("120/min", 10, 20),
    ],
)
def test_how_many_are_due_is_the_integral_of_the_rate(text: str, until_s: float, expected: float) -> None:
    process = parse(text)
    assert process.expect_until(until_s) == pytest.approx(expected)
    small = 1e-6
    slope = (process.expect_until(until_s - 1 + small) - process.expect_until(until_s - 1)) / small
    assert slope == pytest.approx(process.rate_per_s(until_s - 1), rel=1e-3)
    counted = sum(1 for _ in itertools.takewhile(lambda at: at <= until_s, process.times_s(3)))
    assert abs(counted - expected) < 4 * math.sqrt(expected)


@given(st.sampled_from(["poisson 5/s", "ramp 1/s..20/s over 1m", "sine 0/s..9/s period 7s", "steps 3,0,1/s every 2s"]))
def test_times_never_go_back_and_the_seed_decides_them(text: str) -> None:
    times = first(text, 300)
    assert times == sorted(times)
    assert times == first(text, 300)
    assert times != first(text, 300, seed=2)


def test_a_ramp_to_nothing_ends_with_all_that_it_expects() -> None:
    process = parse("ramp 20/s..0/s over 10s constant")
    times = list(process.times_s(1))
    assert len(times) == 99  # of the 100 that are expected, the last one's place is the very end
    assert times[-1] < 10


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("poison 5/s", "▸poison◂ 5/s: write"),
        ("poisson 5/q", "poisson ▸5/q◂: is no rate"),
        ("poisson 0/s", "poisson ▸0/s◂: is no rate above 0"),
        ("gamma 5/s", "gamma 5/s▸◂: gamma needs"),
        ("gamma 5/s cv=x", "gamma 5/s cv=▸x◂: is no number"),
        (f"gamma 5/s cv=0.{'0' * 200}1", f"gamma 5/s cv=▸0.{'0' * 200}1◂: is out of range; make it 0, or 0.001 to 100"),
        ("ramp 1/s over 5m", "ramp 1/s ▸over◂ 5m: is no range"),
        ("ramp 0/s..0/s over 5m", "▸ramp 0/s..0/s over 5m◂: a rate of 0"),
        ("steps 1,x/s every 3s", "steps ▸1,x/s◂ every 3s: are no rates"),
        ("steps 1,0/s every 3s", "steps ▸1,0/s◂ every 3s: ends with a rate of 0"),
        ("sine 2/s..10/s period 10", "sine 2/s..10/s period ▸10◂: is no time"),
        ("poisson 5/s and more", "poisson 5/s ▸and more◂: is too much here"),
    ],
)
def test_what_is_no_process_is_marked_where_it_is_wrong(text: str, marked: str) -> None:
    with pytest.raises(ArrivalsError) as caught:
        parse(text)
    assert str(caught.value).startswith(marked)
