"""Where a request's tokens lie: between first output and end, cut at the window's edges; of a row and of many."""

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenswarm.metrics.histogram import bucket, encode
from tokenswarm.metrics.moments import MOMENTS
from tokenswarm.metrics.output import (
    ABSENT,
    TokensPerChunk,
    count,
    even_parts,
    output,
    output_span,
    share_before,
    spread,
    within,
)
from tokenswarm.metrics.recent import Recent
from tokenswarm.reports.output import MADE, amount_before, amount_per_s, place_amounts

MS = 1_000_000
SENT = 1_795_433_493_123_456_789


def row(**changes: Any) -> dict[str, Any]:
    """One that was read back: first output after 400 ms in a queue, 101 tokens, its end after 1400."""
    return {
        "endpoint": "/api/chat",
        "model": "sim",
        "outcome": "ok",
        "sent_unix_ns": SENT,
        "ended_unix_ns": SENT + 1400 * MS,
        "ttft_ms": 400.0,
        "eval_ms": 1000.0,
        "itl_ms_hist": encode({bucket(10 * MS): 100}),
        "output_tokens": 101,
        "output_chunks": 101,
        **dict.fromkeys(name for pair in MOMENTS for name in pair),
        **changes,
    }


# Half of it in the first 200 ms after its first output, a stall of 600 ms, half of it in the last 200 ms.
STALLED = {"moment1_ms": 200, "moment1_percent": 49.5, "moment2_ms": 800, "moment2_percent": 50.5}


def lies(**changes: Any) -> tuple[float, float]:
    """From when to when, ms after it was sent."""
    parts = spread(row(**changes))
    assert parts is not None
    return (parts[0].begin_ns - SENT) / MS, (parts[-1].end_ns - SENT) / MS


def test_tokens_lie_between_first_output_and_end_never_over_the_queue() -> None:
    assert lies() == (400, 1400)
    found = output(row(), TokensPerChunk())
    assert found is not None
    assert found.within(SENT, SENT + 400 * MS) == 0
    assert found.within(SENT + 900 * MS, SENT + 5000 * MS) == pytest.approx(50.5)
    assert found.within(SENT + 400 * MS, SENT + 1400 * MS) == pytest.approx(101)


@pytest.mark.parametrize(
    ("changes", "span"),
    [
        ({"ttft_ms": None}, (400, 1400)),  # not streamed: what the server decoded in, up to the end
        ({"ttft_ms": None, "eval_ms": None}, (0, 1400)),  # nobody says
        ({"ttft_ms": None, "eval_ms": 9e9}, (0, 1400)),  # longer than the request itself: made up
        ({"eval_ms": None}, (400, 1400)),
        ({"ttft_ms": 1390.0}, (400, 1400)),  # a proxy kept the stream back: all came at once
        ({"ttft_ms": 1390.0, "eval_ms": None}, (1390, 1400)),
        ({"ttft_ms": 1400.0, "eval_ms": 0.001, "output_tokens": 1}, (1399.999, 1400)),
        ({"ttft_ms": 1500.0}, (400, 1400)),  # the clock was set in between
    ],
)
def test_where_else_they_lie(changes: dict[str, Any], span: tuple[float, float]) -> None:
    assert lies(**changes) == pytest.approx(span)


def test_one_that_stalled_made_nothing_after_its_last_chunk() -> None:
    """51 chunks in half a second, then silence until the client gave up after a minute."""
    stalled = {"outcome": "timeout", "ended_unix_ns": SENT + 60_000 * MS, "output_tokens": None, "eval_ms": None}
    begin, end = lies(**stalled, itl_ms_hist=encode({bucket(10 * MS): 50}))
    assert begin == pytest.approx(400)
    assert end == pytest.approx(900, rel=0.01)


def test_the_tokens_of_one_that_stood_still_lie_before_and_after() -> None:
    """100 tokens from 400 ms to 1400 after it was sent: all but one in the first 200 ms and in the last."""
    found = output(row(**STALLED, output_tokens=100), TokensPerChunk())
    assert found is not None
    assert (found.begin_ns, found.end_ns) == (SENT + 400 * MS, SENT + 1400 * MS)
    windows = [
        found.within(SENT + since * MS, SENT + until * MS) for since, until in pairwise((0, 500, 600, 1200, 1500))
    ]
    assert windows == pytest.approx([24.75, 24.75, 1, 49.5])
    assert found.within(SENT + 600 * MS, SENT + 900 * MS) == pytest.approx(0.5)


@pytest.mark.parametrize(
    "odd",
    [
        {"moment1_percent": None},
        {"moment1_percent": 103.0},
        {"moment1_percent": 0.0},
        {"moment2_ms": 10**9},  # after its end
        {"moment1_ms": 800, "moment2_ms": 200, "moment1_percent": 50.5, "moment2_percent": 49.5},
    ],
)
def test_of_moments_that_cannot_be_no_token_is_lost(odd: dict[str, Any]) -> None:
    found = output(row(**{**STALLED, **odd}), TokensPerChunk())
    assert found is not None
    assert sum(part.share for part in found.parts) == pytest.approx(1)
    assert found.within(SENT, SENT + 1401 * MS) == pytest.approx(101)
    assert all(part.begin_ns <= part.end_ns and part.share > 0 for part in found.parts)


def test_what_was_never_sent_lies_nowhere() -> None:
    assert spread(row(outcome="refused", sent_unix_ns=None, ended_unix_ns=None)) is None


def test_without_a_count_they_are_estimated_by_the_runs_tokens_a_chunk() -> None:
    ratios = TokensPerChunk()
    cut = row(outcome="cancelled", output_tokens=None, output_chunks=30)
    assert output(cut, ratios) is None  # the server counted nothing yet
    count(row(output_chunks=50), ratios)
    count(row(model="other", output_chunks=101), ratios)
    found = output(cut, ratios)
    assert found is not None
    assert (found.tokens, found.estimated) == (pytest.approx(30 * 101 / 50), True)
    elsewhere = output({**cut, "endpoint": "/v1/chat/completions"}, ratios)  # the model's, whatever the endpoint
    assert elsewhere == found
    third = output({**cut, "model": "third"}, ratios)
    assert third is not None
    assert third.tokens == pytest.approx(30 * 202 / 151)
    assert output(row(output_tokens=None), ratios) is None  # an answer in full that nobody counted is no estimate
    assert output(row(outcome="http_error", output_tokens=None, output_chunks=0), ratios) == (
        spread(row(outcome="http_error")),
        0,
        True,
    )


Spans = st.lists(st.tuples(st.floats(0, 100), st.floats(0, 50), st.floats(1, 500)), min_size=1, max_size=20)


@given(Spans, st.lists(st.floats(-10, 200), min_size=2, max_size=8, unique=True))
def test_windows_side_by_side_lose_no_token(spans: list[tuple[float, float, float]], edges: list[float]) -> None:
    edges = [-20.0, *sorted(edges), 200.0]
    for begin, length, tokens in spans:
        parts = [tokens * within(begin, begin + length, since, until) for since, until in pairwise(edges)]
        assert sum(parts) == pytest.approx(tokens)
        assert min(parts) >= -1e-9


@given(st.lists(st.tuples(*[st.one_of(st.just(ABSENT), st.floats(0, 1e6))] * 4), min_size=1, max_size=20))
def test_a_column_has_the_definition_of_a_row(rows: list[tuple[float, float, float, float]]) -> None:
    begin, end = output_span(*map(np.array, zip(*[(abs(e2e), *rest) for e2e, *rest in rows], strict=True)))
    alone = [output_span(abs(e2e), *rest) for e2e, *rest in rows]
    assert begin.tolist() == pytest.approx([since for since, _ in alone])
    assert end.tolist() == pytest.approx([until for _, until in alone])
    assert all(0 <= since <= until <= abs(row[0]) for row, (since, until) in zip(rows, alone, strict=True))
    shares = share_before(begin, end, 5e5).tolist()
    assert shares == pytest.approx([share_before(*each, 5e5) for each in alone])


Moments = st.lists(st.tuples(st.integers(0, 1200), st.floats(0, 110)), max_size=len(MOMENTS))


@given(st.lists(Moments, min_size=1, max_size=8), st.integers(0, 1500), st.integers(0, 1500))
def test_columns_of_a_report_place_tokens_as_a_row_does(
    many: list[list[tuple[int, float]]], one: int, other: int
) -> None:
    # Never just at a moment, at which a part may lie that has no length.
    since_ns, until_ns = (SENT + ms * MS + MS // 2 for ms in (min(one, other), max(one, other) + 1))
    rows = [row(**dict(zip([n for pair in MOMENTS for n in pair], sum(kept, ()), strict=False))) for kept in many]
    found = [output(each, TokensPerChunk()) for each in rows]
    frame = pd.DataFrame(rows).reindex(columns=MADE).astype("Float64")
    frame["made_from_ns"], frame["made_to_ns"] = np.int64(SENT + 400 * MS), np.int64(SENT + 1400 * MS)
    amounts, width_s = np.full(len(rows), 101.0), (until_ns - since_ns) / 1e9
    tokens = sum(each.within(since_ns, until_ns) for each in found if each)
    assert amount_per_s(frame, lambda _: amounts, (since_ns, until_ns)) * width_s == pytest.approx(tokens, abs=1e-5)
    begin, end, parts = place_amounts(frame, amounts, SENT)
    edges = (np.array([since_ns, until_ns]) - SENT) / 1e9
    assert np.diff(amount_before(edges, begin, end, parts))[0] == pytest.approx(tokens, abs=1e-3)


@given(st.lists(Moments, min_size=1, max_size=8))
def test_parts_add_up_to_all_in_order(many: list[list[tuple[int, float]]]) -> None:
    for kept in many:
        parts = list(even_parts(0, 1000, [(ms, percent / 100) for ms, percent in kept]))
        assert sum(share for _, _, share in parts) == pytest.approx(1)
        assert [0, *(end for _, end, _ in parts)] == [*(begin for begin, _, _ in parts), 1000]
        assert all(begin <= end and share >= 0 for begin, end, share in parts)


def test_live_tokens_a_second_lie_where_they_came() -> None:
    """Of 100 tokens all but one came in the first second of an answer of 20 s and in its last."""
    recent, begin = Recent(), SENT // 10**9 * 10**9
    times = {"sent_unix_ns": begin, "ended_unix_ns": begin + 20_000 * MS, "ttft_ms": 0.0, "eval_ms": None}
    kept = {**STALLED, "moment1_ms": 1000, "moment2_ms": 19_000}
    recent.add(row(**times, **kept, output_tokens=100))
    rates, behind_s = recent.per_s(begin + 30_000 * MS)  # the window of the first ten seconds
    assert behind_s == 20
    assert rates["/api/chat", "sim"] == pytest.approx((49.5 + 0.5) / 10)


def test_live_tokens_a_second_lie_behind_by_the_longest_output() -> None:
    """Two streams of 50 tokens/s each that never pause, answers of 2 s, as if they came in one by one."""
    recent = Recent()
    begin = SENT // 10**9 * 10**9
    for at_ms in range(0, 60_000, 2000):
        for shift_ms in (0, 700):
            sent_ns = begin + (at_ms + shift_ms) * MS
            times = {"sent_unix_ns": sent_ns, "ended_unix_ns": sent_ns + 2000 * MS, "ttft_ms": 0.0, "eval_ms": None}
            recent.add(row(**times, output_tokens=100, output_chunks=100))
    rates, behind_s = recent.per_s(begin + 61_300 * MS)
    assert rates == {("/api/chat", "sim"): pytest.approx(100)}
    assert 2 <= behind_s <= 3
    rates, _ = recent.per_s(begin + 90_000 * MS)  # nothing ended since: the server hangs
    assert rates == {("/api/chat", "sim"): 0}
    assert Recent().per_s(SENT) == ({}, pytest.approx(0, abs=1))


def test_live_what_was_cut_is_estimated_and_old_seconds_are_forgotten() -> None:
    recent = Recent()
    recent.add(row(output_tokens=101, output_chunks=50))
    later = {"sent_unix_ns": SENT + 10**12, "ended_unix_ns": SENT + 10**12 + 1400 * MS}
    recent.add(row(**later, outcome="cancelled", output_tokens=None, output_chunks=30, eval_ms=None, itl_ms_hist=""))
    rates, _ = recent.per_s(SENT + 10**12 + 10_000 * MS)
    assert rates["/api/chat", "sim"] == pytest.approx(30 * 101 / 50 / 10)
    assert len(recent._tokens) == 0


@given(Spans, st.lists(st.floats(-10, 200), min_size=1, max_size=6).map(sorted))
def test_a_figure_over_time_has_the_same_definition(
    spans: list[tuple[float, float, float]], edges: list[float]
) -> None:
    begin, length, tokens = map(np.array, zip(*spans, strict=True))
    length = np.maximum(length, 1e-3)
    for edge, before in zip(edges, amount_before(np.array(edges), begin, begin + length, tokens), strict=True):
        assert before == pytest.approx((tokens * share_before(begin, begin + length, edge)).sum(), abs=1e-6)
