"""What speaks against a run, and what was odd about its folder."""

from collections.abc import Mapping
from typing import Any

from tokenswarm.reports.load import Run
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.rejudging import as_mapping
from tokenswarm.reports.render.document import Line, Section
from tokenswarm.reports.render.numbers import number

MOST_RAMP = 0.1  # of the requests


def section(summary: Summary) -> Section:
    """Its part of the report."""
    items: list[Line] = [(f"note: {notice}",) for notice in summary["notices"]]
    found = [(finding_line(one),) for one in summary["validity"]["findings"]]
    # As tokenswarm/folder/verdict.py chooses the rows.
    met = any(trial.get("verdict") == "met" for trial in summary.get("capacity", {}).get("trials", ()))
    lines: tuple[Line, ...] = (("Of the trials that were met: the others overload the server on purpose.",),)
    return Section("findings", "Findings", lines if found and met else (), items=(*items, *found))


def finding_line(found: Mapping[str, Any]) -> str:
    """`INVALID (late reads): 12 % of … (limit 0.2 % of the chunks) → use more workers`."""
    level = "INVALID" if found.get("level") == "invalid" else found.get("level") or "remark"
    limit, todo = found.get("limit"), f" → {found['do']}" if found.get("do") else ""
    limited = f" (limit {number(limit)} {found.get('unit') or ''}".rstrip() + ")" if limit else ""
    return f"{level} ({found.get('rule') or 'run'}): {found['what']}{limited}{todo}"


def remarks(run: Run) -> list[dict[str, Any]]:
    """What the report finds beside what the run found itself: who reads the whole run's figures should know it."""
    frame, options = run.measured, as_mapping(run.info.get("options"))
    found = []
    ramp = float((frame["phase"] == "ramp-up").mean()) if len(frame) else 0.0
    if ramp > MOST_RAMP and not any(options.get(name) for name in ("stages", "find_capacity")):
        what = f"{number(100 * ramp)} % of the requests were sent before all users had been started"
        do = "go by the figures of the steady phase, run longer, or start the users faster (--spawn-rate)"
        found.append(_remark("ramp-up", what, do, 100 * ramp, 100 * MOST_RAMP, "% of the requests"))
    return found


def _remark(rule: str, what: str, do: str, figure: float, limit: float, unit: str) -> dict[str, Any]:
    rounded = {"figure": round(figure, 6), "limit": limit, "unit": unit}
    return {"rule": rule, "level": "remark", **rounded, "what": what, "do": do}


def data(run: Run, summary: Summary) -> dict[str, Any]:
    """`validity` with the report's own remarks."""
    had = summary["validity"]
    known = {finding.get("rule") for finding in had["findings"]}
    own = [one for one in remarks(run) if one["rule"] not in known]
    return {"validity": {**had, "findings": [*had["findings"], *own]}}


PART = Part(section, data)
