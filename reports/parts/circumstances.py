"""Under which circumstances a run was made: its options, and the software of both sides."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from tokenswarm.reports.again import command
from tokenswarm.reports.load import Run
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.parts.workers import attendance
from tokenswarm.reports.rejudging import as_mapping, dicts
from tokenswarm.reports.render.document import Code, Section, Table
from tokenswarm.reports.slices import write_value


def data(run: Run, _summary: Summary) -> dict[str, Any]:
    """`circumstances`, as run.json has them."""
    info, span = run.info, run.span
    found = {
        "options": as_mapping(info.get("options")),
        "software": as_mapping(info.get("software")),
        "workers": dicts(info.get("workers")),
        "attendance": attendance(info, span[0] if span else None),
        "warmup": as_mapping(info.get("warmup")),
        "clock_source": info.get("clock_source"),
        "again": command(info),
    }
    return {"circumstances": found}


def options(summary: Summary) -> Section:
    """What the run was told."""
    found = _pairs("options", "Options", summary["circumstances"]["options"])
    again = summary["circumstances"]["again"]
    return replace(found, lines=(("The same again: ", Code(again)),)) if again else found


def software(summary: Summary) -> Section:
    """What it ran with."""
    return _pairs("software", "Software", summary["circumstances"]["software"])


def _pairs(key: str, title: str, found: Mapping[str, Any]) -> Section:
    rows = tuple((Code(name), Code(write_value(value))) for name, value in found.items() if value not in (None, "", []))
    tables = (Table(("name", "value"), rows, names=2),) if rows else ()
    return Section(key, title, tables=tables, folded=True)


OPTIONS, SOFTWARE = Part(options, data), Part(software)
