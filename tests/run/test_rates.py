"""Tokens a second against what the simulator's own log says that it sent in the same windows (`make bench-rates`)."""

from pathlib import Path

import pytest

from bench.rates import PAGE, Measured, Truth, headline, lines, stages


def test_stages_with_and_without_a_queue_give_what_the_server_sent() -> None:
    for one in stages(5, 1, (1, 24, 3)):
        assert abs(one.error_percent) <= 1.5, one  # of 250 tokens in 5 s one is 0.4 %
        assert one.truth_tokens_per_s > 45


def test_a_short_run_whose_answers_are_cut_gives_what_the_server_sent() -> None:
    (one,) = headline(4, 1)
    assert abs(one.error_percent) <= 2, one
    assert one.estimated > 10


def test_a_run_without_streams_says_what_the_server_makes_with_them() -> None:
    """The log has a whole answer as one chunk at its end; but full slots decode as fast for whomever."""
    (whole,) = stages(5, 1, (12,), "--no-stream", "--stop-timeout", "10")
    (streamed,) = stages(5, 1, (12,))
    assert whole.tokens_per_s == pytest.approx(streamed.truth_tokens_per_s, rel=0.03)


def test_the_table_has_its_place_and_puts_windows_of_a_kind_together() -> None:
    some = [Measured("a", 100, 101, 2, 2, 10), Measured("a", 100, 98, 2, 2), Measured("b", 50, 50, 1, 1)]
    assert lines(some) == [
        ["a", "2", "100", "99.5", "-2.00", "-0.50", "5.0", "2.00", "2.00"],
        ["b", "1", "50.0", "50.0", "+0.00", "+0.00", "0.0", "1.00", "1.00"],
    ]
    assert "<!-- rates:" in PAGE.read_text()


def test_the_log_counts_what_was_written_in_a_window(tmp_path: Path) -> None:
    log = tmp_path / "truth.jsonl"
    log.write_text('{"chunks": [[5, 6, 9, 1, "text"], [10, 11, 9, 2, "text"]], "end": "complete"}\n')
    assert Truth(log).per_s(0, 10) == (1e8, 0)
    assert Truth(log).per_s(10, 20) == (2e8, 1e8)
