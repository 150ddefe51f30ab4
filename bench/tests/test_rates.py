"""Tokens a second against the simulator's own log (`make bench-rates` measures them): its table and its sums."""

from pathlib import Path

from bench.rates import PAGE, Measured, Truth, lines


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
