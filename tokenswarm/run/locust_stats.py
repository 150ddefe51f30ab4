"""Locust's own statistics: their files, their tables on the terminal, and the texts of errors in them."""

from collections.abc import Callable
from typing import Any

from locust import stats

TABLES = ("print_stats", "print_percentile_stats", "print_error_report")
CSV_EVERY_S = float(stats.CSV_STATS_INTERVAL_SEC)


def csv_writer(environment: Any, prefix: str) -> Any:
    """What `--csv` has write them, but for the history of each row.

    Percentiles of all our rows every second took 14 % of the CPU at 600 streams, 100 ms at a time, in which no socket
    was read.
    """
    return stats.StatsCSVFileWriter(environment, stats.PERCENTILES_TO_REPORT, prefix, full_history=False)


def print_tables_by(printer: Callable[[Any], Any]) -> None:
    """Have `printer` make each function that prints a table into another."""
    for name in TABLES:
        setattr(stats, name, printer(getattr(stats, name)))


def clean_errors(clean: Callable[[str], str]) -> None:
    """Have the texts of errors cleaned before they are counted."""
    parse = stats.StatsError.parse_error
    stats.StatsError.parse_error = staticmethod(lambda error: clean(parse(error)))
