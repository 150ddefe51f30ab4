"""What speaks against a run, and what was odd about its folder."""

from collections.abc import Mapping
from typing import Any

from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.render.document import Line, Section
from tokenswarm.reports.render.numbers import number


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


PART = Part(section)
