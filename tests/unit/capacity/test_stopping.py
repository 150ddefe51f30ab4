"""When a trial of a capacity search ends, and as what."""

from typing import Any

import pytest
from capacity_rows import SLO, USERS, row

from tokenswarm.capacity.search import Tried, Try, next_step
from tokenswarm.capacity.stopping import TrialEnd, include_drain, judge_trial, slos_without_requests, trial_end
from tokenswarm.capacity.trial import Trial, inflation, wrong
from tokenswarm.metrics.histogram import bucket, encode
from tokenswarm.metrics.slo.language import parse


def trial(*rows: dict[str, Any], slo: str = SLO.text) -> Trial:
    made = Trial([parse(slo)])
    for each in rows:
        made.add(each)
    return made


def test_a_trial_ends_when_its_verdict_is_sure() -> None:
    good, bad = [row(100)] * 300, [row(900)] * 10
    met = trial_end(trial(*good), 20, 60, 4, firm=True)
    assert met is not None
    assert (met.state, met.sure) == ("met", True)
    crossed = trial_end(trial(*bad), 2, 60, 4, firm=True)
    assert crossed is not None
    assert (crossed.state, crossed.sure, crossed.why) == ("crossed", True, SLO.text)
    assert trial_end(trial(*good[:100]), 20, 60, 4, firm=True) is None  # 100 of 100 may be luck
    look = trial_end(trial(*good[:40]), 20, 60, 4, firm=False)
    assert look is not None
    assert (look.state, look.sure) == ("met", False)
    assert trial_end(trial(*good[:40]), 0.5, 60, 4, firm=False) is None  # too early: a queue needs time to grow
    assert trial_end(trial(*good[:40]), 2, 60, 20, firm=False) is None  # of 20 users each was answered only twice
    assert trial_end(trial(*good[:20]), 15, 60, 20, firm=False) is not None  # it only shows the way
    assert trial_end(trial(*good[:9]), 15, 60, 20, firm=False) is None  # but a few answers of slow users do not


def test_at_the_limit_the_estimate_decides_and_says_so() -> None:
    rows = [row(900 if at % 20 == 7 else 100) for at in range(200)]  # 5 % of them
    met = trial_end(trial(*rows), 60, 60, 1, firm=True)
    assert met is not None
    assert (met.state, met.sure) == ("met", False)
    crossed = trial_end(trial(*rows, *[row(900)] * 3), 60, 60, 1, firm=True)
    assert crossed is not None
    assert (crossed.state, crossed.sure) == ("crossed", False)
    none = trial_end(trial(), 60, 60, 1, firm=True)
    assert none is not None
    assert (none.state, none.why) == ("crossed", "no request ended in time")


def test_a_queue_that_grows_is_not_met_though_no_limit_is_crossed_yet() -> None:
    growing = [row(100 + at) for at in range(300)]
    assert trial_end(trial(*growing), 20, 60, 0, firm=True) is None
    last = trial_end(trial(*growing), 60, 60, 0, firm=True)
    assert last is not None
    assert (last.state, last.why) == ("crossed", "requests took longer and longer")


def test_failures_are_the_worst_and_drops_are_not_the_servers() -> None:
    failed = [{**row(100, outcome="http_error"), "ttft_ms": None}] * 20
    crossed = trial_end(trial(*failed), 5, 60, 1, firm=True)
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


def test_an_slo_of_which_no_request_says_anything_is_not_met() -> None:
    """A closed loop has no response_ms, embeddings have no tpot_ms."""
    rows = [{**row(100), "tpot_ms": None}] * 300
    assert trial_end(trial(*rows, slo="tpot_ms p95 < 50"), 30, 60, 4, firm=False) is None  # one may still come
    end = trial_end(trial(*rows, slo="tpot_ms p95 < 50"), 60, 60, 4, firm=False)
    assert end is not None
    assert slos_without_requests(end) == ["tpot_ms p95 < 50"]
    known = trial_end(trial(*rows), 60, 60, 4, firm=False)
    assert known is not None
    assert slos_without_requests(known) == []
    failed = trial_end(trial(*[{**rows[0], "outcome": "http_error"}] * 20), 5, 60, 4, firm=True)
    assert failed is not None
    assert slos_without_requests(failed) == []


def test_a_mean_gap_is_judged() -> None:
    gaps = encode({bucket(20_000_000): 9, bucket(30_000_000): 1})
    (one,) = trial(*[row(100, itl_ms_hist=gaps)] * 60, slo="itl_ms mean < 20").standings()
    assert (one.state, one.n) == ("crossed", 60)
    assert one.figure == pytest.approx(21, rel=0.01)


def test_what_was_under_way_at_the_end_may_turn_the_verdict_and_then_is_no_surer_than_it_is() -> None:
    met = trial_end(trial(*[row(100)] * 300), 20, 60, 4, firm=True)
    assert met is not None
    turned = include_drain(met, trial(*[row(100)] * 300, *[row(900)] * 20), 4, firm=True)
    assert (turned.state, turned.sure) == ("crossed", False)
    same = include_drain(met, trial(*[row(100)] * 310), 4, firm=True)
    assert (same.state, same.sure) == ("met", True)


def test_a_quick_trial_with_a_client_that_could_not_keep_up_only_shows_the_way() -> None:
    """However sure it is that it was too much: it may be the client's doing, so it is tried again firmly."""
    too_much = TrialEnd("crossed", True, "ttft_ms p90 < 10", ())
    limits = ["a worker used 99 % of its core"]
    assert judge_trial(Try(12, False), too_much, (), 100, pooled=False) == Tried(12, "crossed", True)
    assert judge_trial(Try(12, False), too_much, limits, 100, pooled=False) == Tried(12, "crossed", False)
    assert judge_trial(Try(12, True), too_much, limits, 100, pooled=False) == Tried(12, "limited", True)
    met = TrialEnd("met", True, "", ())
    assert judge_trial(Try(12, False), met, limits, 100, pooled=False) == Tried(12, "limited", False)
    tried = [Tried(11, "met", True), judge_trial(Try(12, False), too_much, limits, 100, pooled=False)]
    assert next_step(tried, USERS) == Try(12, True)


@pytest.mark.parametrize("slo", [SLO.text, "outcome ok > 30%"])
def test_a_queue_that_grows_counts_as_beyond_the_limit_though_no_request_is_yet(slo: str) -> None:
    """Or the search would take a rate that the server cannot hold for well met, and go up."""
    growing = trial(*[row(100 + at) for at in range(300)], slo=slo)
    end = trial_end(growing, 60, 60, 0, firm=True)
    assert end is not None
    one = judge_trial(Try(40, True), end, (), growing.mean_ms, pooled=True)
    assert one.verdict == "crossed"
    assert one.allowed < one.share <= 1
