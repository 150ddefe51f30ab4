"""The capacity search: which loads are tried, when a trial ends and as what, and what is said of it all."""

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.load_curve import figures, gave_way, knee
from metrics.slo import parse
from metrics.trial import Trial, inflation, wrong
from users.found import found
from users.search import Answer, Field, Tried, Try, best, next_step
from users.verdict import Ended, ended, judged

USERS = Field(False, 1.0, 1.0, 1000.0)
RATES = Field(True, 1.0, 0.1, 1e6)


def search(field: Field, verdict: Any, most: int = 60) -> tuple[Answer, list[Tried]]:
    """Search with a synthetic server: `verdict(load, firm)`."""
    tried: list[Tried] = []
    for _ in range(most):
        step = next_step(tried, field)
        if isinstance(step, Answer):
            return step, tried
        assert isinstance(step, Try)
        assert field.least <= step.load <= field.most
        tried.append(Tried(step.load, verdict(step.load, step.firm), step.firm))
    raise AssertionError(f"no answer after {most} trials: {tried}")


def up_to(capacity: float) -> Any:
    return lambda load, firm: "met" if load <= capacity else "crossed"


def dying(loads: list[float], lives_up_to: float, falls_at: int) -> Answer:
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
    assert dying(loads, 5, 99) == Answer(5.0, "crossed", 6.0)
    assert loads[:6] == [1, 2, 4, 8, 4, 6]
    loads.clear()
    assert dying(loads, 99, 3) == Answer(4.0, "gone")
    assert loads == [1, 2, 4, 8, 4]


@given(st.sampled_from([USERS, RATES, Field(True, 1.0, 0.1, 1e6, pooled=True)]), st.integers(0, 12))
def test_a_client_that_limits_firm_trials_only_ends_the_search(field: Field, limited_from: int) -> None:
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
    assert answer == Answer(capacity, "crossed", capacity + 1)
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
        assert answer == Answer(capacity, "crossed", capacity + 1)
    else:
        assert answer.above == "limited"
        assert answer.load == client


def test_the_ceiling_is_no_capacity() -> None:
    answer, tried = search(Field(False, 1.0, 1.0, 12.0), up_to(1e9))
    assert answer == Answer(12.0, "end")
    assert [one.load for one in tried] == [1, 2, 4, 8, 12, 12]


def test_not_even_the_least() -> None:
    assert search(USERS, up_to(0))[0] == Answer(None, "crossed", 1.0)
    answer, tried = search(RATES, up_to(0))
    assert answer == Answer(None, "crossed", 0.1)
    assert [one.load for one in tried] == [1, 0.5, 0.25, 0.125, 0.1, 0.1]


def test_a_passing_disturbance_is_tried_again() -> None:
    seen: set[float] = set()

    def verdict(load: float, firm: bool) -> str:
        if load == 4 and load not in seen:
            seen.add(load)
            return "limited"
        return "met" if load <= 6 else "crossed"

    assert search(USERS, verdict)[0] == Answer(6.0, "crossed", 7.0)


def test_a_search_broken_off_knows_what_was_met() -> None:
    tried = [Tried(1, "met", False), Tried(2, "met", False), Tried(4, "crossed", True)]
    assert best(tried) == Tried(2, "met", False)
    assert best([]) is None


# Verdicts

SLO = parse("ttft_ms p95 < 500")


def row(ttft_ms: float, at_ms: float = 0.0, **changes: Any) -> dict[str, Any]:
    """A steady request that ended ok."""
    return {
        "outcome": "ok",
        "phase": "steady",
        "ttft_ms": ttft_ms,
        "tpot_ms": 10.0,
        "e2e_ms": ttft_ms + 100,
        "response_ms": None,
        "queue_ms": ttft_ms - 20,
        "load_ms": 1.0,
        "prompt_eval_ms": 19.0,
        "eval_ms": 100.0,
        "output_tokens": 11,
        "itl_ms_hist": "",
        "sent_unix_ns": round(at_ms * 1e6),
        "ended_unix_ns": round((at_ms + ttft_ms + 100) * 1e6),
        **changes,
    }


def trial(*rows: dict[str, Any], slo: str = SLO.text) -> Trial:
    made = Trial([parse(slo)])
    for each in rows:
        made.add(each)
    return made


def test_a_trial_ends_when_its_verdict_is_sure() -> None:
    good, bad = [row(100)] * 300, [row(900)] * 10
    met = ended(trial(*good), 20, 60, 4, firm=True)
    assert met is not None
    assert (met.state, met.sure) == ("met", True)
    crossed = ended(trial(*bad), 2, 60, 4, firm=True)
    assert crossed is not None
    assert (crossed.state, crossed.sure, crossed.why) == ("crossed", True, SLO.text)
    assert ended(trial(*good[:100]), 20, 60, 4, firm=True) is None  # 100 of 100 may be luck
    look = ended(trial(*good[:40]), 20, 60, 4, firm=False)
    assert look is not None
    assert (look.state, look.sure) == ("met", False)
    assert ended(trial(*good[:40]), 0.5, 60, 4, firm=False) is None  # too early: a queue needs time to grow
    assert ended(trial(*good[:40]), 2, 60, 20, firm=False) is None  # of 20 users each was answered only twice
    assert ended(trial(*good[:20]), 15, 60, 20, firm=False) is not None  # it only shows the way
    assert ended(trial(*good[:9]), 15, 60, 20, firm=False) is None  # but a few answers of slow users do not


def test_at_the_limit_the_estimate_decides_and_says_so() -> None:
    rows = [row(900 if at % 20 == 7 else 100) for at in range(200)]  # 5 % of them
    met = ended(trial(*rows), 60, 60, 1, firm=True)
    assert met is not None
    assert (met.state, met.sure) == ("met", False)
    crossed = ended(trial(*rows, *[row(900)] * 3), 60, 60, 1, firm=True)
    assert crossed is not None
    assert (crossed.state, crossed.sure) == ("crossed", False)
    none = ended(trial(), 60, 60, 1, firm=True)
    assert none is not None
    assert (none.state, none.why) == ("crossed", "no request ended")


def test_a_queue_that_grows_is_not_met_though_no_limit_is_crossed_yet() -> None:
    growing = [row(100 + at) for at in range(300)]
    assert ended(trial(*growing), 20, 60, 0, firm=True) is None
    last = ended(trial(*growing), 60, 60, 0, firm=True)
    assert last is not None
    assert (last.state, last.why) == ("crossed", "requests took longer and longer")


def test_failures_are_the_worst_and_drops_are_not_the_servers() -> None:
    failed = [{**row(100, outcome="http_error"), "ttft_ms": None}] * 20
    crossed = ended(trial(*failed), 5, 60, 1, firm=True)
    assert crossed is not None
    assert (crossed.state, crossed.sure) == ("crossed", True)
    assert trial(*[row(100, outcome="dropped")] * 20, *[row(100, phase="ramp-up")] * 5).n == 0


@pytest.mark.parametrize(
    ("slo", "values", "state", "sure"),
    [
        ("ttft_ms mean < 200", [150 + at % 7 for at in range(100)], "met", True),
        ("ttft_ms mean < 200", [250 + at % 7 for at in range(100)], "crossed", True),
        ("ttft_ms mean < 200", [at % 50 * 8 for at in range(100)], "met", False),
        ("ttft_ms max < 200", [100, 300], "crossed", True),
        ("ttft_ms max < 200", [100] * 1000, "met", False),  # the next one may be beyond it
        ("ttft_ms min < 200", [300] * 10, "crossed", False),
        ("ttft_ms min < 200", [300, 100], "met", True),
        ("outcome ok > 99%", [100] * 2000, "met", True),
        ("outcome ok > 99%", [100] * 200, "met", False),
        ("tpot_ms p90 < 5", [100] * 30, "crossed", True),
        ("ttft_ms p10 > 50", [100] * 300, "met", True),
    ],
)
def test_every_kind_of_slo_has_its_rule(slo: str, values: list[float], state: str, sure: bool) -> None:
    (one,) = trial(*map(row, values), slo=slo).standings()
    assert (one.state, one.sure) == (state, sure)


def test_requests_that_wait_in_one_queue_are_no_independent_draws() -> None:
    alone = [float(at % 10 == 0) for at in range(400)]
    together = [float(at % 100 < 10) for at in range(400)]
    assert inflation(alone) == 1
    assert inflation(together) > 5
    assert wrong(parse("itl_ms p99 < 50"), row(100)) is None


# What is said of it

FIRST = figures([row(120, at) for at in range(0, 1000, 100)], [SLO], 0, 10**9)
BEST = figures([row(300, at) for at in range(0, 1000, 50)], [SLO], 0, 10**9)
BAD = figures([row(600, at) for at in range(0, 1000, 50)], [SLO], 0, 10**9)


def test_figures_of_a_trial() -> None:
    assert FIRST["ok_per_s"] == 8  # the others ended after it
    assert FIRST["output_tokens_per_s"] == 88
    assert (FIRST["ttft_ms_p95"], FIRST["queue_ms_mean"], FIRST["goodput_per_s"]) == (120, 100, 8)
    assert BAD["goodput_per_s"] == 0
    curve = [{**each, "load": load} for load, each in enumerate((FIRST, BEST, BAD))]
    assert knee(curve) == curve[0]
    assert knee(curve[:2]) is None


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
    exact = found(Answer(2.0, "crossed", 3.0), USERS, [SLO], trials, "")
    assert (exact["answer"], exact["qualifier"], exact["gave_way"]["what"]) == (2, "", "queue")
    assert exact["sentence"] == "2 users at most keep to ttft_ms p95 < 500; 3 users do not."
    assert exact["knee"]["load"] == 1
    starved = [*trials[:2], entry(3, "limited", BAD, ("it was late",))]
    least = found(Answer(2.0, "limited", 3.0), USERS, [SLO], starved, "")
    assert (least["answer"], least["qualifier"], least["gave_way"]["what"]) == (2, "at least", "client")
    assert "it was late" in least["gave_way"]["sentence"]
    assert least["sentence"].startswith("At least 2 users keep to")
    cut = found(Answer(2.0, "end"), USERS, [SLO], trials[:2], "the run's time was over")
    assert cut["sentence"] == "At least 2 users keep to ttft_ms p95 < 500; the run's time was over."
    none = found(Answer(None, "crossed", 1.0), USERS, [SLO], [entry(1, "crossed", BAD)], "")
    assert none["sentence"] == "Not even 1 user keeps to ttft_ms p95 < 500."
    assert none["qualifier"] == ""


def test_a_quick_trial_with_a_client_that_could_not_keep_up_only_shows_the_way() -> None:
    """However sure it is that it was too much: it may be the client's doing, so it is tried again firmly."""
    too_much = Ended("crossed", True, "ttft_ms p90 < 10", ())
    limits = ["a worker used 99 % of its core"]
    assert judged(Try(12, False), too_much, (), 100, pooled=False) == Tried(12, "crossed", True)
    assert judged(Try(12, False), too_much, limits, 100, pooled=False) == Tried(12, "crossed", False)
    assert judged(Try(12, True), too_much, limits, 100, pooled=False) == Tried(12, "limited", True)
    met = Ended("met", True, "", ())
    assert judged(Try(12, False), met, limits, 100, pooled=False) == Tried(12, "limited", False)
    tried = [Tried(11, "met", True), judged(Try(12, False), too_much, limits, 100, pooled=False)]
    assert next_step(tried, USERS) == Try(12, True)


def test_a_queue_that_grows_counts_as_beyond_the_limit_though_no_request_is_yet() -> None:
    """Or the search would take a rate that the server cannot hold for well met, and go up."""
    growing = trial(*[row(100 + at) for at in range(300)])
    end = ended(growing, 60, 60, 0, firm=True)
    assert end is not None
    one = judged(Try(40, True), end, (), growing.mean_ms, pooled=True)
    assert one.verdict == "crossed"
    assert one.share > one.allowed
