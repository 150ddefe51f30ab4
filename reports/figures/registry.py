"""FIGURES: each figure of a report. A new one is a file beside this, and a line here."""

from collections.abc import Callable, Mapping
from typing import Any

from reports.figures import capacity, distributions, embedding, loading, memory, requests, throughput, time_spent, turns
from reports.figures.style import Plot

Build = Callable[[Any, Mapping[str, Any]], Plot | None]

FIGURES: tuple[Build, ...] = (
    capacity.build,
    throughput.build,
    requests.build,
    distributions.build,
    embedding.build,
    loading.build,
    memory.build,
    time_spent.build,
    turns.build,
)


def build_all(frame: Any, summary: Mapping[str, Any]) -> tuple[Plot, ...]:
    """The figures that this run has data for."""
    return tuple(plot for build in FIGURES if (plot := build(frame, summary)))
