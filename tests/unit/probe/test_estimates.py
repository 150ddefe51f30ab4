"""What answers say about a server: literal times in, slots, limits and rates out."""

import pytest

from tokenswarm.probe.estimates import (
    ProbeAnswer,
    before_the_load,
    decode_per_s,
    is_cached,
    level,
    load_queue_limit,
    prefill_per_s,
    spread_percent,
    waiting_limit,
)
from tokenswarm.wire.values import Usage

MS = 1_000_000


def answer(first_ms: float, last_ms: float, sent_ms: float = 0) -> ProbeAnswer:
    """An answer that ends with its last chunk."""
    first, last = round(first_ms * MS), round(last_ms * MS)
    return ProbeAnswer(round(sent_ms * MS), last, first, last, chunks=10)


def refusal(at_ms: int) -> ProbeAnswer:
    return ProbeAnswer(0, at_ms * MS, status=503, outcome="http_error")


def waves(slots: int, requests: int, prefill_ms: float, decode_ms: float) -> list[ProbeAnswer]:
    """What a server with so many slots answers to requests sent at 0: wave after wave."""
    wave_ms = prefill_ms + decode_ms
    return [answer(prefill_ms + wave_ms * (at // slots), wave_ms * (1 + at // slots)) for at in range(requests)]


@pytest.mark.parametrize("slots", [1, 2, 3, 7, 16])
@pytest.mark.parametrize("decode_ms", [40, 4000])
def test_slots_are_what_runs_at_once(slots: int, decode_ms: int) -> None:
    found = level(waves(slots, 2 * slots, prefill_ms=10, decode_ms=decode_ms))
    assert (found.running, found.waited, found.refused) == (slots, slots, 0)
    assert found.silence == decode_ms / 10
    assert found.full


def test_with_a_slot_for_each_nothing_waits() -> None:
    found = level(waves(8, 8, 10, 100))
    assert (found.running, found.waited) == (8, 0)
    assert not found.full


def test_a_slow_start_is_no_lack_of_slots() -> None:
    # Prefilled one after the other, 10 ms each, and answered in 25 ms: three run at once, but of how many slots?
    found = level([answer(10 * at, 10 * at + 25) for at in range(1, 9)])
    assert found.running == 3
    assert not found.full
    # The same four slots with longer answers: now the fifth is seen to wait for an end.
    slow = [answer(10 * at, 10 * at + 500) for at in range(1, 5)]
    found = level([*slow, *(answer(520 + 10 * at, 1020 + 10 * at) for at in range(1, 5))])
    assert (found.running, found.waited) == (4, 4)
    assert found.full


def test_one_slot_wants_more_than_a_start_of_silence() -> None:
    assert not level([answer(10, 20), answer(30, 40)]).full
    assert level([answer(10, 30), answer(40, 60)]).full


def test_one_that_begins_as_another_ends_did_not_run_with_it() -> None:
    assert level([answer(10, 60), answer(60, 110)]).running == 1


def test_an_answer_that_stops_early_does_not_hide_the_slots() -> None:
    # Three slots; one stops after 5 ms, and a fourth takes its place.
    burst = [answer(10, 15), answer(10, 210), answer(10, 210), answer(25, 225), answer(220, 420), answer(220, 420)]
    found = level(burst)
    assert (found.running, found.waited) == (3, 3)
    assert found.full


def test_refused_ones_beside_those_that_run_at_once_leave_no_doubt() -> None:
    found = level([*waves(3, 3, 10, 20), refusal(2)])
    assert (found.running, found.waited, found.refused) == (3, 0, 1)
    assert found.full


def test_what_never_began_counts_for_nothing() -> None:
    assert level([ProbeAnswer(0, 5 * MS, outcome="timeout", status=None)]).running == 0


def test_limit_of_those_that_wait_for_a_slot() -> None:
    burst = [*waves(2, 5, 10, 100), refusal(3), refusal(4)]
    assert waiting_limit(burst, slots=2) == 3
    assert waiting_limit(waves(2, 5, 10, 100), slots=2) is None  # none was refused
    assert waiting_limit([*burst, refusal(150)], slots=2) is None  # after an end: who had taken its place?


def test_limit_of_those_that_wait_for_a_load_is_one_less_than_were_accepted() -> None:
    loads = [ProbeAnswer(0, 2000 * MS)] * 3
    assert load_queue_limit([*loads, refusal(20), refusal(25)]) == 2
    assert load_queue_limit(loads) is None
    assert load_queue_limit([*loads, refusal(2500)]) is None  # the load was over before all had been decided
    assert load_queue_limit([refusal(20)]) is None
    assert before_the_load(loads)
    assert not before_the_load([*loads, ProbeAnswer(2100 * MS, 2101 * MS)])  # this one found it loaded: it says nothing


def test_decode_rate_is_of_the_intervals_between_tokens() -> None:
    told = ProbeAnswer(0, 0, 5 * MS, 900 * MS, usage=Usage(output_tokens=51, eval_ns=1000 * MS))
    assert decode_per_s(told) == 50
    seen = ProbeAnswer(0, 0, 100 * MS, 1100 * MS, finish_reason="length", usage=Usage(output_tokens=51))
    assert decode_per_s(seen) == 50
    # The token that ended it came without a chunk.
    stopped = ProbeAnswer(0, 0, 100 * MS, 1100 * MS, finish_reason="stop", usage=Usage(output_tokens=52))
    assert decode_per_s(stopped) == 50
    assert decode_per_s(ProbeAnswer(0, 0, 5 * MS, 5 * MS, usage=Usage(output_tokens=1, eval_ns=1000))) is None
    assert decode_per_s(ProbeAnswer(0, 0)) is None


def test_prefill_rate_is_a_slope_in_which_the_template_falls_out() -> None:
    def asked(tokens: int, prompt_eval_ns: int | None, ttft_ns: int = 0) -> ProbeAnswer:
        return ProbeAnswer(0, 0, ttft_ns, usage=Usage(prompt_tokens=tokens, prompt_eval_ns=prompt_eval_ns))

    # 12 of the tokens are the template's and cached; 1,000 tokens/s.
    assert prefill_per_s([asked(20, 8 * MS)] * 3, asked(520, 508 * MS)) == pytest.approx(1000)
    # By TTFT, which holds 30 ms of network.
    assert prefill_per_s([asked(20, None, 50 * MS)], asked(520, None, 550 * MS)) == pytest.approx(1000)
    assert prefill_per_s([], asked(520, 508 * MS)) is None
    assert prefill_per_s([asked(20, 8 * MS)], asked(20, 8 * MS)) is None


def test_a_prompt_is_cached_when_it_takes_rather_the_time_of_a_short_one() -> None:
    assert is_cached(5 * MS, 300 * MS, 40 * MS)
    assert not is_cached(5 * MS, 300 * MS, 280 * MS)


def test_spread() -> None:
    assert spread_percent([99, 100, 103]) == 2
    assert spread_percent([99]) is None
