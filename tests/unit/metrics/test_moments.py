"""A few moments of an answer stand for all of its chunks' where its pace changed, and none where it did not."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from literals import FINISH, SENTINEL, V1_CHAT, delta, event

from tokenswarm.folder.row import COLUMNS, row
from tokenswarm.metrics.interpret import interpret
from tokenswarm.metrics.moments import MOST, moments
from tokenswarm.metrics.record import Identity
from tokenswarm.wire.values import Transcript, Usage

MS = 1_000_000
FIRST = 1_795_433_493_123_456_789


def stamps(gaps_ms: list[float]) -> list[int]:
    """When the chunks came: the first one, and those after these gaps."""
    return [FIRST + round(ms * MS) for ms in np.cumsum([0.0, *gaps_ms])]


def off_by(came: list[int], end_ns: int) -> float:
    """How many chunks the line through the moments is off at any chunk's own moment, when it is half there."""
    kept = moments(came, end_ns)
    at = [FIRST, *(FIRST + ms * MS for ms, _ in kept), end_ns]
    had = [0, *(percent / 100 * len(came) for _, percent in kept), len(came)]
    line = np.interp([ns - FIRST for ns in came], [ns - FIRST for ns in at], had)
    return float(np.abs(line - (np.arange(len(came)) + 0.5)).max())


def test_an_even_stream_needs_none() -> None:
    for chunks in (1, 2, 3, 7, 100, 5000):
        came = stamps([20.0] * (chunks - 1))
        assert moments(came, came[-1] + MS) == ()


def test_a_stream_that_stood_still_has_the_chunks_before_and_after() -> None:
    """50 chunks in 980 ms, nothing for a second, 50 more; a chunk is half there at its own moment."""
    came = stamps([20.0] * 49 + [1000.0] + [20.0] * 49)
    assert moments(came, came[-1]) == ((980, 49.5), (1980, 50.5))


def test_a_slow_start_has_one() -> None:
    came = stamps([100.0] * 30 + [10.0] * 200)
    assert moments(came, came[-1]) == ((3000, 13.2),)


def test_one_whose_end_came_late_has_its_last_chunk() -> None:
    """All chunks within 2 s, the end of the body 3 s later."""
    came = stamps([20.0] * 100)
    assert moments(came, came[-1] + 3000 * MS) == ((2000, 99.5),)


def test_two_stalls_take_four() -> None:
    came = stamps([20.0] * 29 + [700.0] + [20.0] * 49 + [400.0] + [20.0] * 29)
    assert moments(came, came[-1]) == ((580, 26.82), (1280, 27.73), (2260, 72.27), (2660, 73.18))


def test_one_chunk_of_several_tokens_has_no_pace() -> None:
    for tokens in range(1, 9):
        assert moments(stamps([]), FIRST + MS, Usage(output_tokens=tokens), ["several words"]) == ()


def test_of_what_was_held_back_or_has_no_length_there_are_none() -> None:
    came = stamps([1.0] * 50 + [30.0] + [1.0] * 50)
    assert len(moments(came, came[-1], Usage(eval_ns=500 * MS))) == 2
    assert moments(came, came[-1], Usage(eval_ns=2000 * MS)) == ()  # decoded in 2 s, and here in 130 ms
    assert moments(came, None) == moments(came, FIRST) == moments([], FIRST) == ()


@given(st.integers(2, 400), st.integers(2, 400), st.floats(0, 5000), st.floats(5, 50))
def test_a_stall_anywhere_is_placed_to_the_chunk(before: int, after: int, stall_ms: float, pace_ms: float) -> None:
    came = stamps([pace_ms] * (before - 1) + [stall_ms] + [pace_ms] * (after - 1))
    assert off_by(came, came[-1]) <= max(1, 0.005 * len(came)) * 1.25 + 1 / pace_ms


@given(st.lists(st.floats(0, 2000), min_size=1, max_size=300), st.integers(0, 10_000))
def test_whatever_the_gaps_they_are_few_in_order_and_no_worse_than_none(gaps_ms: list[float], rest_ms: int) -> None:
    came = stamps(gaps_ms)
    kept = moments(came, came[-1] + rest_ms * MS)
    assert len(kept) <= MOST
    assert list(kept) == sorted(kept)
    assert all(any(0 <= ns - FIRST - ms * MS < MS for ns in came) for ms, _ in kept)
    assert all(0 < percent < 100 for _, percent in kept)


def test_a_clock_that_was_set_back_leaves_no_negative_moment() -> None:
    came = stamps([20.0] * 50 + [-5000.0] + [20.0] * 300)
    assert all(ms >= 0 for ms, _ in moments(came, came[-1]))


def test_chunks_of_several_tokens_are_weighed_by_their_characters() -> None:
    """50 chunks of one character, 50 of five, all 20 ms apart: a sixth of the output in the first half of its time."""
    came, texts = stamps([20.0] * 99), ["a"] * 50 + ["aaaaa"] * 50
    ((ms, percent),) = moments(came, came[-1], Usage(output_tokens=300), texts)
    assert (ms, percent) in {(980, 16.5), (1000, 17.5)}  # the corner's two sides
    assert moments(came, came[-1], Usage(output_tokens=110), texts) == ()  # a token each, of whatever length
    assert moments(came, came[-1], Usage(output_tokens=300), texts[:-1]) == ()  # not a text each


def test_a_chunk_that_held_several_tokens_and_took_as_many_steps_is_no_stall() -> None:
    """A token each 20 ms, of which some servers put a few into one chunk: in the first half 4 times 4 of them."""
    came = stamps([20.0, 80.0, 20.0, 20.0, 80.0, 80.0, 20.0, 80.0, *[20.0] * 80])
    texts = ["abcd"] * len(came)
    for at in (2, 5, 6, 8):
        texts[at] = "abcd" * 4
    assert moments(came, came[-1], Usage(output_tokens=len(came) + 12), texts) == ()
    assert len(moments(came, came[-1], Usage(output_tokens=len(came)), texts)) > 0  # where they held one each


def test_nor_are_many_of_them_in_a_short_answer() -> None:
    """46 chunks, of which four held 3 or 4 tokens: their texts are of unlike length, but each took as many steps."""
    steps = {1: 3, 9: 4, 17: 4, 31: 4}
    came = stamps([20.0 * steps.get(at, 1) for at in range(1, 46)])
    texts = ["a" * (20 if at in steps else 2 + at % 7) for at in range(46)]
    assert moments(came, came[-1], Usage(output_tokens=57), texts) == ()


def test_what_a_client_read_late_is_no_stall_of_the_server() -> None:
    """A chunk each 20 ms, of which 14 lay unread in the kernel, which keeps the last one's stamp for all of them."""
    came = stamps([20.0] * 60)
    came[30:44] = [came[43]] * 14
    assert moments(came, came[-1], late=frozenset({came[43]})) == ()
    assert len(moments(came, came[-1])) >= 2  # read in time they came at once


def test_a_stall_is_seen_beside_such_chunks() -> None:
    """As before, and a second in which nothing came, with 84 chunks before it and 40 after."""
    came = stamps([20.0, 80.0, 20.0, 20.0, 80.0, 80.0, 20.0, 80.0, *[20.0] * 75, 1000.0, *[20.0] * 39])
    texts = ["abcd"] * len(came)
    for at in (2, 5, 6, 8):
        texts[at] = "abcd" * 4
    kept = moments(came, came[-1], Usage(output_tokens=len(came) + 12), texts)
    assert [ms for ms, _ in kept] == [1900, 2900]
    assert [percent for _, percent in kept] == [round(100 * had / 136, 2) for had in (95.5, 96.5)]


def cells(at_ms: list[float], ended_ms: float, outcome: str = "ok") -> list[object]:
    """Of moments in the row of a stream whose chunks came at those times after it was sent."""
    pieces = [(FIRST + round(ms * MS), event(delta(content="a"))) for ms in at_ms]
    ended_ns, ok = FIRST + round(ended_ms * MS), outcome == "ok"
    seen = Transcript([*pieces, *[(ended_ns, FINISH + SENTINEL)] * ok], sent_ns=FIRST, ended_ns=ended_ns, status=200)
    builder, _ = interpret(V1_CHAT, seen, stream=True)
    made = builder.record(Identity(0, 0, "User", V1_CHAT.PATH, "m", "p", 10), seen, outcome, "")
    return [cell for name, cell in zip(COLUMNS, row(made), strict=True) if name.startswith("moment")]


def test_a_row_has_them_in_columns_that_are_empty_where_a_stream_was_even() -> None:
    even = [100 + 20.0 * n for n in range(80)]
    stalled = [ms + 500 * (n >= 40) for n, ms in enumerate(even)]
    assert cells(even, 1681) == [None] * 2 * MOST
    assert cells(stalled, 2181) == [780, 49.38, 1300, 50.62, *[None] * 2 * (MOST - 2)]
    assert cells(even, 5000, "cancelled") == [None] * 2 * MOST  # it ends with its last chunk
    assert cells(stalled, 5000, "timeout")[:4] == [780, 49.38, 1300, 50.62]
    assert cells([100.0] * 40 + [2000.0] * 40, 2001) == [None] * 2 * MOST  # came in lumps
