"""What each number means: METRICS, for those who read the report alone."""

from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.render.document import Cell, Code, Section, Table


def section(_summary: Summary) -> Section:
    """Its part of the report."""
    rows: tuple[tuple[Cell, ...], ...] = tuple((Code(metric.name), metric.definition) for metric in METRICS)
    table = Table(("metric", "definition"), rows, names=2)
    return Section("glossary", "What each number means", tables=(table,), folded=True)


PART = Part(section)
