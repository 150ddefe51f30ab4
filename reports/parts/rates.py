"""Rates and sizes: what each request had."""

from tokenswarm.reports.parts.latencies import description_tables
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.render.document import Line, Section

_RATE_COLUMNS = ("n", "mean", "p10", "p50", "p90")
_COUNT_COLUMNS = ("n", "total", "mean", "p50")


def section(summary: Summary) -> Section:
    """Its part of the report."""
    rates = description_tables(summary, ("rate",), _RATE_COLUMNS, "a request's")
    counts = description_tables(summary, ("count",), _COUNT_COLUMNS, "a request's")
    lines: tuple[Line, ...] = (("Per request, of those with outcome ok. One in ten was slower than p10.",),)
    return Section("rates", "Rates and sizes", lines=lines if rates or counts else (), tables=(*rates, *counts))


PART = Part(section)
