"""What every part of a report is: its data, its section, its figure."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from tokenswarm.reports.gaps import Gaps
from tokenswarm.reports.load import Run
from tokenswarm.reports.render.document import Section
from tokenswarm.reports.render.plots import Plot

Summary = Mapping[str, Any]


def _nothing(run: Run, summary: Summary) -> dict[str, Any]:
    return {}


def _no_plot(frame: Any, summary: Summary) -> Plot | None:
    return None


@dataclass(frozen=True, slots=True)
class Part:
    """One subject of a report; what a run has nothing to say on is left out of it.

    `data` gives the part's keys of summary.json, from the run and from what the parts before it gave; `section` what
    is read, from the summary alone: one without lines, items and tables is not shown; `plot` its figure, from the
    measured rows, `gaps_plot` one from the gaps between chunks: None where there is nothing to draw. `terminal` is what
    the terminal shows of it.
    """

    section: Callable[[Summary], Section] | None = None
    data: Callable[[Run, Summary], dict[str, Any]] = _nothing
    plot: Callable[[Any, Summary], Plot | None] = _no_plot
    gaps_plot: Callable[[Gaps, Summary], Plot | None] = _no_plot
    terminal: Callable[[Summary], Section] | None = None


def only_tables(section: Callable[[Summary], Section]) -> Callable[[Summary], Section]:
    """The section's tables, without what is said of them."""
    return lambda summary: replace(section(summary), lines=(), items=(), bars=())


def only_lines(said: Callable[[Summary], Iterable[str]]) -> Callable[[Summary], Section]:
    """A section that is these lines and no more."""
    return lambda summary: Section("", "", tuple((line,) for line in said(summary)))
