"""Workers that came or went in the middle of a run: when, and what is said of it."""

from collections.abc import Iterable, Mapping
from typing import Any

from tokenswarm.metrics.validity.workers import worker_name
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.render.document import Cell, Code, Line, Section, Table
from tokenswarm.reports.render.numbers import number
from tokenswarm.reports.slices import write_value

_COLUMNS = ("worker", "host", "CPUs", "requests", "CPU max, % of a core", "loop lag p99, ms", "loop lag max, ms")
KEPT = ("what", "worker", "client")

WAYS = {
    "joined": "joined the run",
    "lost": "was lost: the master had not heard of it for 4 to 5 s",
    "back": "was back",
    "left": "left the run",
}


def attendance(info: Mapping[str, Any], first_sent_ns: int | None) -> list[dict[str, Any]]:
    """run.json's entries but those of the beginning, each with `since_s`, since the first request was sent."""
    found = info.get("attendance")
    entries = [one for one in found if isinstance(one, dict) and one.get("what") in WAYS] if found else []
    if not entries or first_sent_ns is None:
        return []
    began_s = entries[0]["at_unix_s"]
    return [
        {"since_s": round(one["at_unix_s"] - first_sent_ns / 1e9, 3)} | {key: one.get(key) for key in KEPT}
        for one in entries
        if one["at_unix_s"] > began_s
    ]


def change_lines(changes: Iterable[Mapping[str, Any]]) -> list[str]:
    """A sentence each, without its full stop."""
    return [
        f"{number(one['since_s'])} s after the first request {worker_name(one)} {WAYS[one['what']]}" for one in changes
    ]


def section(summary: Summary) -> Section:
    """Its part of the report."""
    found = summary["circumstances"]
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
            *(Code(write_value(worker.get(name))) for name in texts),
            *(number(_figure(worker.get(name))) for name in names),
        )
        for worker in found["workers"]
    ]
    tables = (Table(tuple(columns), tuple(rows), names=len(texts) - 2),) if rows else ()
    return Section("workers", "Workers and clocks", lines=tuple(lines), tables=tables, folded=True)


def _figure(value: object) -> float | int | None:
    return value if isinstance(value, (int, float)) else None


PART = Part(section)
