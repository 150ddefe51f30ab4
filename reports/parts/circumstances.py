"""Under which circumstances a run was made: the folded sections at the end of its report."""

import json
from collections.abc import Mapping
from typing import Any

from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.reports.parts.workers import change_lines
from tokenswarm.reports.render.document import Cell, Code, Line, Section, Table
from tokenswarm.reports.render.numbers import number

_COLUMNS = ("worker", "host", "CPUs", "requests", "CPU max, % of a core", "loop lag p99, ms", "loop lag max, ms")


def sections(summary: Mapping[str, Any]) -> tuple[Section, ...]:
    """Workers, options, software, and the glossary of METRICS."""
    found = summary["circumstances"]
    options = _pairs("options", "Options", found["options"])
    return (_workers(found), options, _software(found), _glossary())


def _workers(found: Mapping[str, Any]) -> Section:
    lines: list[Line] = []
    if found["clock_source"]:
        lines.append(("Arrival times come from: ", Code(str(found["clock_source"])), "."))
    if warmup := found["warmup"]:
        took = warmup.get("e2e_ms")
        took_ms = f", {number(took)} ms" if isinstance(took, (int, float)) else ""
        lines.append((f"The warm-up request, which is in no figure, ended as {warmup.get('outcome')}{took_ms}.",))
    lines += [(f"{text}.",) for text in change_lines(found["attendance"])]
    names, columns = ["cpu_percent_max", "loop_lag_ms_p99", "loop_lag_ms_max"], list(_COLUMNS)
    texts = ["worker", "host", "cpus", "requests"]
    if any("client" in worker for worker in found["workers"]):
        texts.insert(1, "client")
        columns.insert(1, "Locust's id")
    if any("clock_ahead_ms" in worker for worker in found["workers"]):
        lines.append(("Times of requests are by the master's clock; a worker's clock was ahead of it, give or take:",))
        names += ["clock_ahead_ms", "clock_uncertainty_ms", "clock_moved_ms"]
        columns += ["clock ahead, ms", "give or take, ms", "moved in the run, ms"]
    rows: list[tuple[Cell, ...]] = [
        (
            *(Code(_text(worker.get(name))) for name in texts),
            *(number(_figure(worker.get(name))) for name in names),
        )
        for worker in found["workers"]
    ]
    tables = (Table(tuple(columns), tuple(rows), names=len(texts) - 2),) if rows else ()
    return Section("workers", "Workers and clocks", lines=tuple(lines), tables=tables, folded=True)


def _software(found: Mapping[str, Any]) -> Section:
    return _pairs("software", "Software", found["software"])


def _pairs(key: str, title: str, found: Mapping[str, Any]) -> Section:
    rows = tuple((Code(name), Code(_text(value))) for name, value in found.items() if value not in (None, "", []))
    tables = (Table(("name", "value"), rows, names=2),) if rows else ()
    return Section(key, title, tables=tables, folded=True)


def _glossary() -> Section:
    rows: tuple[tuple[Cell, ...], ...] = tuple((Code(metric.name), metric.definition) for metric in METRICS)
    table = Table(("metric", "definition"), rows, names=2)
    return Section("glossary", "What each number means", tables=(table,), folded=True)


def _figure(value: object) -> float | int | None:
    return value if isinstance(value, (int, float)) else None


def _text(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
