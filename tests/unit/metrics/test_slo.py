"""SLOs: their language, and how rows are judged by them."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.metrics.percentile import least_n
from tokenswarm.metrics.slo.judge import SloJudge
from tokenswarm.metrics.slo.junit import say
from tokenswarm.metrics.slo.language import CHECKS, OUTCOMES, SUBJECTS, SloError, parse
from tokenswarm.metrics.slo.sequential import surely_above, surely_below


def row(outcome: str = "ok", at_s: float = 0.0, **values: float) -> dict[str, object]:
    """A row with a second's duration."""
    sent_ns = round(at_s * 1e9)
    times = {"sent_unix_ns": sent_ns, "ended_unix_ns": sent_ns + 10**9}
    blank = dict.fromkeys((*SUBJECTS, "itl_ms_hist", *CHECKS, "worker", "scheduled_unix_ns"), None)
    return {**blank, **times, "phase": "steady", "outcome": outcome, **values}


def judged(slo: str, rows: list[dict[str, object]]) -> tuple[str, float | None]:
    judge = SloJudge([parse(slo)])
    for each in rows:
        judge.add(each)
    (found,) = judge.judge_all()
    return found.state, found.figure


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("tfft_ms p95 < 500", "▸tfft_ms◂ p95 < 500: tfft_ms is no metric; did you mean ttft_ms?"),
        ("ttft_ms p9x < 500", "ttft_ms ▸p9x◂ < 500: p9x says not of which figure"),
        ("ttft_ms p95 = 500", "ttft_ms p95 ▸=◂ 500: = is no comparison"),
        ("ttft_ms p95 < 5kb", "ttft_ms p95 < ▸5kb◂: 5kb is no number"),
        ("ttft_ms p95 < 5/s", "ttft_ms p95 < ▸5/s◂: 5/s has a unit that ttft_ms has not"),
        ("ttft_ms p95 <", "ttft_ms p95 <▸◂: it has no limit"),
        ("outcome fine > 3%", "outcome ▸fine◂ > 3%: fine is no outcome"),
        ("outcome ok > 300%", "outcome ok > ▸300%◂: 300% is no share"),
        ("check json_inv < 1%", "check ▸json_inv◂ < 1%: json_inv is no check; use json_invalid"),
        ("json_invalid < 1%", "▸json_invalid◂ < 1%: json_invalid is a check; write `check json_invalid < 1%`"),
        ("check json_invalid p95 < 1%", "check json_invalid ▸p95◂ < 1%: p95 is no comparison"),
        ("goodput > 3/s 5", "goodput > 3/s ▸5◂: 5 is too much"),
    ],
)
def test_what_is_no_slo_is_marked_where_it_is_wrong(text: str, marked: str) -> None:
    with pytest.raises(SloError) as caught:
        parse(text)
    assert str(caught.value).startswith(marked)
    assert "\n" not in str(caught.value)


@given(st.sampled_from(SUBJECTS), st.sampled_from(["p50", "p99.9", "mean", "max"]), st.sampled_from("<>"))
def test_spaces_do_not_matter(subject: str, how: str, operator: str) -> None:
    spaced, tight = parse(f"{subject} {how} {operator} 3"), parse(f"{subject}  {how}{operator}3")
    assert (spaced.subject, spaced.aggregate, spaced.below) == (tight.subject, tight.aggregate, tight.below)


def test_units() -> None:
    assert parse("ttft_ms p95 < 0.5s").limit == parse("ttft_ms p95 < 500ms").limit == 500
    assert parse("outcome ok >= 99%").limit == 0.99
    assert all(parse(f"outcome {name} < 0.1").aggregate == "share" for name in OUTCOMES)


def test_a_percentile_is_judged_by_nearest_rank_and_needs_its_samples() -> None:
    values = [row(ttft_ms=float(n)) for n in range(1, 101)]
    assert judged("ttft_ms p95 < 95.1", values)[0] == "met"
    assert judged("ttft_ms p95 < 95", values)[0] == "crossed"
    assert judged("ttft_ms p95 <= 95", values)[0] == "met"
    assert judged("ttft_ms p95 < 99", values)[1] == pytest.approx(95, rel=0.01)
    assert judged("ttft_ms p95 < 500", values[: least_n(95) - 1])[0] == "undecided"
    assert judged("ttft_ms p95 < 0.5", values[:20])[0] == "crossed"  # twenty of twenty: no doubt any more


@given(st.lists(st.integers(1, 1000), min_size=90, max_size=200), st.integers(1, 1000))
def test_the_counters_agree_with_sorting(values: list[int], limit: int) -> None:
    rank = -(-len(values) * 95 // 100)
    expected = "met" if sorted(values)[rank - 1] < limit else "crossed"
    assert judged(f"ttft_ms p95 < {limit}", [row(ttft_ms=float(v)) for v in values])[0] == expected
    low = "met" if sorted(values)[-(-len(values) * 5 // 100) - 1] > limit else "crossed"
    assert judged(f"output_tokens_per_s p5 > {limit}", [row(output_tokens_per_s=float(v)) for v in values])[0] == low


def test_failures_are_the_worst_values_whichever_way_one_looks() -> None:
    good = [row(ttft_ms=10.0, output_tokens_per_s=50.0) for _ in range(95)]
    for slo in ("ttft_ms p95 < 500", "output_tokens_per_s p5 > 20"):
        assert judged(slo, good + [row("timeout")] * 4)[0] == "met"
        assert judged(slo, good + [row("timeout")] * 9) == ("crossed", None)
    assert judged("ttft_ms max < 500", [*good, row("http_error")])[0] == "crossed"
    assert judged("ttft_ms mean < 500", [*good, row("http_error")])[0] == "crossed"
    assert judged("outcome ok > 90%", good + [row("timeout")] * 4) == ("met", pytest.approx(95 / 99, abs=1e-6))


def test_requests_cut_by_the_end_count_only_with_what_was_beyond_the_limit_already() -> None:
    good = [row(ttft_ms=10.0) for _ in range(100)]
    assert judged("ttft_ms p95 < 500", good + [row("cancelled")] * 50)[0] == "met"
    assert judged("ttft_ms p95 < 500", good + [row("cancelled", ttft_ms=900.0)] * 50)[0] == "crossed"


def test_goodput_counts_what_meets_every_limit_a_second() -> None:
    slos = [parse("ttft_ms p95 < 500"), parse("goodput > 3/s")]
    judge = SloJudge(slos)
    for n in range(40):
        judge.add(row(at_s=n * 9 / 39, ttft_ms=100.0 if n % 2 else 900.0))
    assert [each.state for each in judge.judge_all()] == ["crossed", "crossed"]
    assert judge.judge_all()[1].figure == 2.0  # 20 of 40 in 10 s


def test_a_check_is_judged_by_its_share_of_the_answers_it_applies_to() -> None:
    rows = [row(json_invalid=int(n < 2)) for n in range(100)] + [row(), row("refused"), row("cancelled")]
    assert judged("check json_invalid < 3%", rows) == ("met", 0.02)
    assert judged("check json_invalid < 2%", rows) == ("crossed", 0.02)
    assert judged("check json_invalid <= 2%", rows) == ("met", 0.02)
    assert judged("check tool_unknown < 1%", rows) == ("undecided", None)


def test_an_answer_that_failed_its_check_is_no_goodput() -> None:
    judge = SloJudge([parse("check json_invalid < 50%"), parse("goodput > 1/s")])
    for n in range(10):
        judge.add(row(at_s=n, **({"json_invalid": int(n < 3)} if n < 8 else {})))
    share, goodput = judge.judge_all()
    assert (share.state, goodput.figure) == ("met", 0.7)  # 5 passed, of 2 nothing was asked; 10 s


@pytest.mark.parametrize("slo", ["check json_invalid < 1%", "outcome dropped < 1%", "outcome ok > 99%"])
def test_a_share_on_the_wrong_side_ends_a_run_early(slo: str) -> None:
    judge = SloJudge([parse(slo)])
    for second in range(1, 21):
        judge.add(row(at_s=second, json_invalid=0))
    assert judge.surely_crossed() == []
    for second in range(21, 41):
        judge.add(row("dropped", at_s=second) if "outcome" in slo else row(at_s=second, json_invalid=1))
    (crossed,) = judge.surely_crossed()
    assert crossed.startswith(f"{slo}: 20 of 40 ")


@pytest.mark.parametrize("slo", ["ttft_ms p99 < 500", "outcome ok > 99%"])
def test_requests_that_are_under_way_together_are_no_independent_proof(slo: str) -> None:
    def bad(at_s: float, took_s: float = 1.0) -> dict[str, object]:
        made = row("ok" if "ttft" in slo else "http_error", at_s=at_s, ttft_ms=9000.0)
        return {**made, "ended_unix_ns": round((at_s + took_s) * 1e9)}

    loading = SloJudge([parse(slo)])  # 50 requests wait for a model to load, and three more after them
    for number in range(50):
        loading.add(bad(1.0 + number / 100, 20.0))
    for number in range(3):
        loading.add(bad(25.0 + 2 * number))
    assert loading.surely_crossed() == []
    down = SloJudge([parse(slo)])  # for a second it refuses all that comes
    for number in range(500):
        down.add(bad(1.0 + number / 500, 0.001))
    assert down.surely_crossed() == []
    lasting = SloJudge([parse(slo)])
    for number in range(500):
        lasting.add(bad(1.0 + number / 50, 0.001))
    assert lasting.surely_crossed()
    slow = SloJudge([parse(slo)])  # users who ask one after the other, for a minute
    for number in range(60):
        slow.add(bad(1.0 + 5 * (number // 10), 5.0))
    assert len(slow.surely_crossed()) == 1


def test_one_value_beyond_a_greatest_one_is_certain_at_once() -> None:
    for slo, early in (("ttft_ms max < 500", True), ("ttft_ms min > 50", True), ("ttft_ms max > 500", False)):
        judge = SloJudge([parse(slo)])
        judge.add(row(ttft_ms=100.0))
        assert judge.surely_crossed() == []
        judge.add(row(ttft_ms=600.0 if "max" in slo else 40.0))
        assert judge.surely_crossed() == ([f"{slo}: 1 of 2 requests are beyond it"] if early else [])
    judge = SloJudge([parse("ttft_ms mean < 500")])
    judge.add(row(ttft_ms=900.0))
    assert judge.surely_crossed() == []  # others may make up for it
    judge.add(row("timeout"))
    assert judge.surely_crossed() == ["ttft_ms mean < 500: 1 of 2 requests are beyond it"]


@given(st.lists(st.integers(490, 510), min_size=90, max_size=120))
def test_the_figure_that_is_said_does_not_belie_the_state(values: list[int]) -> None:
    for slo in ("ttft_ms p95 <= 500", "ttft_ms p5 >= 500"):
        state, figure = judged(slo, [row(ttft_ms=float(value)) for value in values])
        assert figure is not None
        assert (figure <= 500 if "<" in slo else figure >= 500) == (state == "met") or figure == 500


def test_a_share_is_said_in_per_cent() -> None:
    judge = SloJudge([parse("outcome ok > 99%"), parse("ttft_ms max < 9")])
    for outcome in ("ok", "refused"):
        judge.add(row(outcome, ttft_ms=5))
    said = [say(each) for each in judge.judge_all()]
    assert said[0] == "SLO outcome ok > 99%: crossed (50 %, n = 2)"
    assert "%" not in said[1]


def test_pooled_gaps_are_judged_by_their_buckets() -> None:
    assert judged("itl_ms p99 < 30", [row(itl_ms_hist="1654:100")] * 5)[0] == "met"  # 14 ms
    assert judged("itl_ms p50 < 10", [row(itl_ms_hist="1654:100")] * 5)[0] == "crossed"


def test_certainty_holds_over_all_looks_of_a_run() -> None:
    rng, false_alarms = random.Random(1), 0
    for _ in range(200):
        hits = 0
        for n in range(1, 600):
            hits += rng.random() < 0.05
            if surely_above(hits, n, 0.05, alpha=0.05):
                false_alarms += 1
                break
    assert false_alarms <= 20  # 5 % of 200 are 10, and twice that has a chance of 0.1 %
    assert surely_above(30, 100, 0.05)
    assert not surely_above(8, 100, 0.05)
    assert surely_below(0, 300, 0.05)
    assert not surely_below(0, 50, 0.05)


def test_no_percentile_is_said_that_n_does_not_carry() -> None:
    values = [row(ttft_ms=float(n)) for n in range(1, 60)]
    assert judged("ttft_ms p95 < 500", values) == ("undecided", None)
    assert judged("ttft_ms p95 < 0.5", values) == ("crossed", None)  # all of them are beyond it
    assert judged("ttft_ms p50 < 500", values[:5])[1] == pytest.approx(3, rel=0.01)
