"""The capacity search: which loads are tried, and what is said of it all."""

import random
from typing import Any

import pytest
from capacity_rows import SLO, USERS, row
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.capacity.answer import result, trial_line
from tokenswarm.capacity.load_curve import figures, gave_way, knee
from tokenswarm.capacity.search import SearchRange, SearchResult, Tried, Try, best, next_step

RATES = SearchRange(True, 1.0, 0.1, 1e6)


def search(field: SearchRange, verdict: Any, most: int = 60) -> tuple[SearchResult, list[Tried]]:
    """Search with a synthetic server: `verdict(load, firm)`."""
    tried: list[Tried] = []
    for _ in range(most):
        step = next_step(tried, field)
        if isinstance(step, SearchResult):
            return step, tried
        assert isinstance(step, Try)
        assert field.least <= step.load <= field.most
        tried.append(Tried(step.load, verdict(step.load, step.firm), step.firm))
    raise AssertionError(f"no answer after {most} trials: {tried}")


def up_to(capacity: float) -> Any:
    return lambda load, firm: "met" if load <= capacity else "crossed"


def dying(loads: list[float], lives_up_to: float, falls_at: int) -> SearchResult:
    """A server that answers nothing beyond a load, and nothing at all from a trial on."""
    tried: list[Tried] = []
    while isinstance(step := next_step(tried, USERS), Try):
        dead = step.load > lives_up_to or len(tried) >= falls_at
        tried.append(Tried(step.load, "crossed" if dead else "met", True, dead=dead))
        loads.append(step.load)
    return step


def test_a_server_that_answers_nothing_is_asked_again_with_what_it_bore() -> None:
    """Then it was too much for it, or it is gone."""
    loads: list[float] = []
    assert dying(loads, 5, 99) == SearchResult(5.0, "crossed", 6.0)
    assert loads[:6] == [1, 2, 4, 8, 4, 6]
    loads.clear()
    assert dying(loads, 99, 3) == SearchResult(4.0, "gone")
    assert loads == [1, 2, 4, 8, 4]


@given(st.sampled_from([USERS, RATES, SearchRange(True, 1.0, 0.1, 1e6, pooled=True)]), st.integers(0, 12))
def test_a_client_that_limits_firm_trials_only_ends_the_search(field: SearchRange, limited_from: int) -> None:
    """A quick trial is too short to show it, so it looks met."""

    def verdict(load: float, firm: bool) -> str:
        return "limited" if load >= limited_from and firm else "met" if load <= 8 else "crossed"

    answer, tried = search(field, verdict)
    if limited_from <= 8:
        assert answer.above == "limited"
    assert all(len([one for one in tried if one.load == load]) <= 4 for load in {one.load for one in tried})


@given(st.integers(1, 999))
def test_users_are_found_exactly(capacity: int) -> None:
    answer, tried = search(USERS, up_to(capacity))
    assert answer == SearchResult(capacity, "crossed", capacity + 1)
    firm = {one.load for one in tried if one.firm}
    assert {capacity, capacity + 1} <= firm  # both sides of the answer were tried to the end
    assert len(tried) <= 2 * capacity.bit_length() + 3


@given(st.floats(0.2, 5000))
def test_a_rate_is_found_to_3_percent(capacity: float) -> None:
    answer, tried = search(RATES, up_to(capacity))
    assert answer.load is not None
    assert answer.load <= capacity < answer.load * 1.031
    assert answer.above == "crossed"
    assert len(tried) <= 40


@given(st.integers(1, 500), st.integers(0, 2**31))
def test_what_quick_trials_get_wrong_firm_ones_put_right(capacity: int, seed: int) -> None:
    chance = random.Random(seed)

    def verdict(load: float, firm: bool) -> str:
        near = abs(load - capacity) <= max(2, capacity // 5)
        wrong = not firm and near and chance.random() < 0.4
        return "met" if (load <= capacity) != wrong else "crossed"

    answer, _ = search(USERS, verdict, 200)
    assert answer.load == capacity


@given(st.integers(1, 500), st.integers(1, 500))
def test_no_unqualified_answer_where_the_client_was_the_limit(capacity: int, client: int) -> None:
    def verdict(load: float, firm: bool) -> str:
        return "limited" if load > client else "met" if load <= capacity else "crossed"

    answer, _ = search(USERS, verdict, 100)
    if client > capacity:
        assert answer == SearchResult(capacity, "crossed", capacity + 1)
    else:
        assert answer.above == "limited"
        assert answer.load == client


def test_the_ceiling_is_no_capacity() -> None:
    answer, tried = search(SearchRange(False, 1.0, 1.0, 12.0), up_to(1e9))
    assert answer == SearchResult(12.0, "end")
    assert [one.load for one in tried] == [1, 2, 4, 8, 12, 12]


def test_not_even_the_least() -> None:
    assert search(USERS, up_to(0))[0] == SearchResult(None, "crossed", 1.0)
    answer, tried = search(RATES, up_to(0))
    assert answer == SearchResult(None, "crossed", 0.1)
    assert [one.load for one in tried] == [1, 0.5, 0.25, 0.125, 0.1, 0.1]


def test_a_passing_disturbance_is_tried_again() -> None:
    seen: set[float] = set()

    def verdict(load: float, firm: bool) -> str:
        if load == 4 and load not in seen:
            seen.add(load)
            return "limited"
        return "met" if load <= 6 else "crossed"

    assert search(USERS, verdict)[0] == SearchResult(6.0, "crossed", 7.0)


def test_a_search_broken_off_knows_what_was_met() -> None:
    tried = [Tried(1, "met", False), Tried(2, "met", False), Tried(4, "crossed", True)]
    assert best(tried) == Tried(2, "met", False)
    assert best([]) is None


# What is said of it

FIRST = figures([row(120, at) for at in range(0, 1000, 100)], [SLO], 0, 10**9)
BEST = figures([row(300, at) for at in range(0, 1000, 50)], [SLO], 0, 10**9)
BAD = figures([row(600, at) for at in range(0, 1000, 50)], [SLO], 0, 10**9)


def test_figures_of_a_trial() -> None:
    # Eight ended in its second; the ninth's output began at 920 ms: 80 of its 100 ms lie within; of the tenth none.
    assert FIRST["ok_per_s"] == 8.8
    assert FIRST["output_tokens_per_s"] == pytest.approx(8.8 * 11)
    assert (FIRST["from_unix_ns"], FIRST["to_unix_ns"]) == (0, 10**9)
    assert (FIRST["ttft_ms_p50"], FIRST["queue_ms_mean"], FIRST["goodput_per_s"]) == (120, 100, 8.8)
    assert FIRST["ttft_ms_p95"] is None  # ten requests carry none
    assert BAD["goodput_per_s"] == 0
    curve = [{**each, "load": load} for load, each in enumerate((FIRST, BEST, BAD))]
    assert knee(curve) == curve[0]
    assert knee(curve[:2]) is None


def test_a_trial_that_was_over_before_its_window_has_no_rate() -> None:
    """Ten that crossed the limit for sure while it still settled."""
    early = figures([row(600, at) for at in range(10)], [SLO], 10**9, 10**9)
    assert (early["ok_per_s"], early["output_tokens_per_s"], early["goodput_per_s"]) == (None, None, None)
    assert (
        result(SearchResult(None, "crossed", 1.0), RATES, [SLO], [entry(1, "crossed", early)], "")["knee"]["load"]
        is None
    )


def test_what_gave_way_first() -> None:
    what, sentence = gave_way(FIRST, BEST, BAD, SLO.text)
    assert what == "queue"
    assert "waited 100 ms at the lowest load, 280 ms at the best, 580 ms at the first load" in sentence
    untold = [{**each, "queue_ms_mean": None} for each in (FIRST, BEST, BAD)]
    assert gave_way(*untold, "response_ms p95 < 900")[0] == "queue"
    slower = {**BAD, "queue_ms_mean": 100, "eval_ms_mean": 300}
    assert gave_way(FIRST, BEST, slower, "e2e_ms p95 < 900")[0] == "decode"
    assert gave_way(FIRST, BEST, {**BAD, "failed": 5}, SLO.text) == (
        "errors",
        "Errors came first: 25 % of the requests failed.",
    )
    assert gave_way({**BAD, "failed": 20}, None, {**BAD, "failed": 20}, SLO.text)[0] == "errors"  # from the start
    more, most = {**BEST, "failed": 1}, {**BAD, "failed": 2}  # of 20: hardly twice as many, but too many
    assert gave_way(FIRST, more, most, "outcome ok > 95%")[1] == "Errors came first: 10 % of the requests failed."
    assert gave_way(FIRST, BEST, BAD, "check repetition < 1%") == ("", "")


def entry(load: float, verdict: str, shown: dict[str, Any], client: tuple[str, ...] = ()) -> dict[str, Any]:
    stands = [{"slo": SLO.text, "state": "crossed" if verdict == "crossed" else "met"}]
    return {
        "load": load,
        "verdict": verdict,
        "firm": True,
        "sure": True,
        "client": client,
        "standings": stands,
        **shown,
    }


def test_an_answer_and_its_qualifier() -> None:
    trials = [entry(1, "met", FIRST), entry(2, "met", BEST), entry(3, "crossed", BAD)]
    exact = result(SearchResult(2.0, "crossed", 3.0), USERS, [SLO], trials, "")
    assert (exact["answer"], exact["qualifier"], exact["gave_way"]["what"]) == (2, "", "queue")
    assert exact["sentence"] == "2 users at most keep to ttft_ms p95 < 500; 3 users do not."
    assert exact["knee"]["load"] == 1
    starved = [*trials[:2], entry(3, "limited", BAD, ("it was late",))]
    least = result(SearchResult(2.0, "limited", 3.0), USERS, [SLO], starved, "")
    assert (least["answer"], least["qualifier"], least["gave_way"]["what"]) == (2, "at least", "client")
    assert "it was late" in least["gave_way"]["sentence"]
    assert least["sentence"].startswith("At least 2 users keep to")
    cut = result(SearchResult(2.0, "end"), USERS, [SLO], trials[:2], "the run's time was over")
    assert cut["sentence"] == "At least 2 users keep to ttft_ms p95 < 500; the run's time was over."
    none = result(SearchResult(None, "crossed", 1.0), USERS, [SLO], [entry(1, "crossed", BAD)], "")
    assert none["sentence"] == "Not even 1 user keeps to ttft_ms p95 < 500."
    assert none["qualifier"] == ""
    idle = result(SearchResult(None, "crossed", 0.5), RATES, [SLO], [entry(0.5, "crossed", BAD)], "")
    assert idle["sentence"] == "Not even 0.5 requests/s keep to ttft_ms p95 < 500."


def test_a_short_trial_with_more_arrivals_than_its_rate_says_is_no_knee() -> None:
    curve = [entry(load, "met", {**FIRST, "ok_per_s": seen}) for load, seen in ((4, 9.0), (5, 5.0), (6, 6.0))]
    assert result(SearchResult(6.0, "end"), RATES, [SLO], curve, "")["knee"]["load"] == 6


def test_a_trial_in_one_line() -> None:
    one = {**entry(1, "crossed", BAD), "trial": 3, "why": SLO.text, "seconds": 4.0, "steady": 1, "sure": False}
    assert trial_line(one, USERS) == "trial 3: 1 user: crossed, not sure (1 request, 4.0 s): ttft_ms p95 < 500"
