"""The phases of a run: warm-up, ramp-up, steady load, drain."""

from typing import Any

from tokenswarm.reports.describe import drop_lumps
from tokenswarm.reports.load import Run
from tokenswarm.reports.output import window
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.percentiles import describe_known
from tokenswarm.reports.render.document import Cell, Section, Table
from tokenswarm.reports.render.numbers import integer, number
from tokenswarm.reports.rows import known_values
from tokenswarm.reports.slices import select_of_models

NEEDED = ["outcome", "sent_unix_ns", "ended_unix_ns", "ttft_ms", "e2e_ms", "max_tokens", "batch_size"]
PHASES = ("warm-up", "ramp-up", "steady", "drain")


def phases(frame: Any) -> list[dict[str, Any]]:
    """Each phase of the run that has rows, in order: how many, over how long, at what TTFT and E2E."""
    found = []
    for phase in PHASES:
        rows = frame.loc[frame["phase"] == phase, NEEDED]
        if len(rows):
            ok, span = rows[rows["outcome"] == "ok"], window(rows)
            asked = select_of_models(ok)
            p50s = {
                f"{name}_p50": describe_known(known_values(asked, name), (50.0,))["p50"]
                for name in ("ttft_ms", "e2e_ms")
                if len(asked)
            }
            span_s = round((span[1] - span[0]) / 1e9, 6) if span else None
            found.append({"phase": phase, "requests": len(rows), "ok": len(ok), "span_s": span_s, **p50s})
    return found


def section(summary: Summary) -> Section:
    """Its part of the report."""
    phases = summary["phases"]
    if [phase["phase"] for phase in phases] in ([], ["steady"]):
        return Section("phases", "Phases of the run")
    rows: list[tuple[Cell, ...]] = []
    for phase in phases:
        shown = (number(phase["span_s"]), number(phase.get("ttft_ms_p50")), number(phase.get("e2e_ms_p50")))
        rows.append((phase["phase"], integer(phase["requests"]), integer(phase["ok"]), *shown))
    left_out = "in no other figure of this report but rates" if summary["window"]["left_out"] else "none was asked for"
    ramp = (
        "what each trial began with, and was not judged by"
        if "capacity" in summary
        else ("sent before all users had been started")
    )
    line = (
        f"Warm-up: {left_out}. Ramp-up: {ramp}. Drain: under way when the run was stopped. All but the warm-up are in "
        "the figures.",
    )
    columns = ("phase", "requests", "ok", "first sent to last ended, s", "TTFT p50, ms", "E2E p50, ms")
    return Section("phases", "Phases of the run", lines=(line,), tables=(Table(columns, tuple(rows)),))


def data(run: Run, summary: Summary) -> dict[str, Any]:
    """`phases`: an entry each."""
    return {"phases": phases(drop_lumps(run.frame, summary["overall"]["metrics"]))}


PART = Part(section, data)
