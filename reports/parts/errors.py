"""Errors: the most frequent kinds."""

from typing import Any

from tokenswarm.metrics.error_groups import ErrorGroups
from tokenswarm.reports.load import Run
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.render.document import Cell, Code, Section, Table
from tokenswarm.reports.render.numbers import integer

TOP_ERRORS, MOST_ERRORS = 10, 100  # kinds of errors that are shown, and told apart


def errors(frame: Any) -> list[dict[str, Any]]:
    """The most frequent kinds of errors; `error` is the text where all have the same, `example` the first one's."""
    by = ["outcome", "error", "model"]
    failed = frame[(frame["outcome"] != "ok") & (frame["error"] != "")].frame(by).astype("str")
    kinds, found = ErrorGroups(MOST_ERRORS), dict[tuple[str, str], dict[str, Any]]()
    counts = failed.groupby(by, sort=False, dropna=False).size()
    for (outcome, error, model), n in counts.items():
        kind = kinds.of(str(outcome), str(error), str(model))
        new = {"requests": 0, "outcome": str(outcome), "error": str(error), "example": str(error)}
        group = found.setdefault((str(outcome), kind), new)
        group["requests"] += int(n)
        if group["example"] != str(error):
            group["error"] = kind.removeprefix(f"{outcome}: ")
    return sorted(found.values(), key=lambda group: (-group["requests"], group["outcome"], group["error"]))[:TOP_ERRORS]


def section(summary: Summary) -> Section:
    """Its part of the report."""
    kinds = summary["errors"]
    rows: list[tuple[Cell, ...]] = [(integer(e["requests"]), e["outcome"], Code(e["error"])) for e in kinds]
    columns: tuple[Cell, ...] = ("requests", "outcome", "error")
    if any(e["example"] != e["error"] for e in kinds):
        columns = (*columns, "one of them")
        rows = [(*row, Code(e["example"])) for row, e in zip(rows, kinds, strict=True)]
    table = Table(columns, tuple(rows), names=len(columns))
    return Section("errors", "Errors, the most frequent", tables=(table,) if rows else ())


def data(run: Run, _summary: Summary) -> dict[str, Any]:
    """`errors`: an entry a kind."""
    return {"errors": errors(run.measured)}


PART = Part(section, data)
