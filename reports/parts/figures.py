"""FIGURES: each figure of a report. A new one is a file beside this, and a line here."""

from collections.abc import Callable, Mapping
from typing import Any

from tokenswarm.reports.parts import capacity_plot as capacity
from tokenswarm.reports.parts import cold_loads_plot as loading
from tokenswarm.reports.parts import embeddings_plot as embedding
from tokenswarm.reports.parts import latencies as distributions
from tokenswarm.reports.parts import requests, throughput
from tokenswarm.reports.parts import server_memory_plot as memory
from tokenswarm.reports.parts import time_spent_plot as time_spent
from tokenswarm.reports.parts import turns_plot as turns
from tokenswarm.reports.render.plots import Plot

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
