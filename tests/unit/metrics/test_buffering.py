"""Streams that are none: chunks that came in lumps are told from those that were only made fast, and shown as such."""

import pytest
from literals import FINISH, MS, SENTINEL, V1_CHAT, delta, event

from tokenswarm.folder.row import COLUMNS, row
from tokenswarm.metrics.interpret import interpret
from tokenswarm.metrics.record import Identity, Record
from tokenswarm.wire.values import Transcript


def stream(*at_ms: float, tokens: int | None = None, end_ms: float | None = None, lag_ms: float = 0) -> Record:
    """The record of a stream whose chunks came at those times after it was sent."""
    usage = {"prompt_tokens": 3, "completion_tokens": tokens or len(at_ms), "total_tokens": 3 + (tokens or len(at_ms))}
    ended_ns = round((end_ms or at_ms[-1]) * MS)
    pieces = [(round(ms * MS), event(delta(content="a"))) for ms in at_ms]
    pieces.append((ended_ns, FINISH + event({"choices": [], "usage": usage}) + SENTINEL))
    stamps = frozenset(ns for ns, _ in pieces) if lag_ms else frozenset()
    late = {"late_stamps": stamps, "read_lag_ns": round(lag_ms * MS)}
    seen = Transcript(pieces, sent_ns=0, ended_ns=ended_ns, status=200, complete=True, **late)
    builder, verdict = interpret(V1_CHAT, seen, stream=True)
    return builder.record(Identity(0, 0, "User", V1_CHAT.PATH, "m", "p", 10), seen, *verdict)


LUMPS = {
    "all at once": (300.0,) * 12,
    "all at once, written one by one": tuple(300 + 0.05 * n for n in range(12)),
    "three lumps": (100.0,) * 16 + (200.0,) * 16 + (300.0,) * 16,
    "batches of five": tuple(50.0 * (1 + n // 5) for n in range(30)),
    "the first alone, all others at the end": (50.0, *(300.0,) * 20),
    "three of three": (300.0,) * 3,
    "all but one": (100.0, *(300.0,) * 5),
}

STREAMS = {
    "one by one": tuple(100 + 20.0 * n for n in range(12)),
    "fast": tuple(100 + 0.5 * n for n in range(50)),
    "three at a time after the first (speculative decoding)": (100.0, *(120 + 30.0 * (n // 3) for n in range(30))),
    "a pair now and then": tuple(100 + 20.0 * (n - n // 3) for n in range(12)),
    "over at once": (5.0,) * 12,
}


@pytest.mark.parametrize("name", LUMPS)
def test_what_came_in_lumps_has_no_times_of_chunks(name: str) -> None:
    record = stream(*LUMPS[name])
    cells = dict(zip(COLUMNS, row(record), strict=True))
    assert (record.outcome, record.streamed, cells["buffered"]) == ("ok", True, 1)
    for absent in ("ttft_ms", "ttfa_ms", "tpot_ms", "longest_gap_ms", "output_tokens_per_s"):
        assert cells[absent] is None, absent
    assert not cells["itl_ms_hist"]
    assert cells["output_chunks"] == len(LUMPS[name])
    assert cells["e2e_ms"] == LUMPS[name][-1]


@pytest.mark.parametrize("name", STREAMS)
def test_what_came_as_it_was_made_keeps_its_times(name: str) -> None:
    record = stream(*STREAMS[name])
    assert record.buffered is False
    assert record.first_output_ns == STREAMS[name][0] * MS
    assert sum(record.gaps.values()) == len(STREAMS[name]) - 1


def test_what_this_client_read_late_was_not_held_back() -> None:
    assert stream(*LUMPS["three lumps"], lag_ms=90).buffered is False
    assert stream(*LUMPS["three lumps"], lag_ms=5).buffered is True  # no 16 chunks come in 5 ms of 300


def test_too_few_chunks_tell_nothing_but_a_time_of_zero_is_none() -> None:
    record = stream(300.0, 300.0)
    cells = dict(zip(COLUMNS, row(record), strict=True))
    assert (record.buffered, cells["ttft_ms"], cells["tpot_ms"]) == (None, 300.0, None)
