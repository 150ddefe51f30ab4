"""The SLOs of a run: as run.json has them judged, their percentiles to the last digit as in the rest of the report."""

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from tokenswarm.metrics.percentile import is_supported, least_n, rank
from tokenswarm.metrics.slo.language import CHECKS, Slo, SloError, as_said, parse
from tokenswarm.reports.load import Run
from tokenswarm.reports.parts.part import Part, Summary, only_lines
from tokenswarm.reports.rejudging import dicts
from tokenswarm.reports.render.document import Cell, Code, Line, Section, Table
from tokenswarm.reports.render.numbers import integer, number


def slos(frame: Any, judged: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Each SLO with its state, figure (None: none, or infinite), n and why.

    run.json's percentiles are of buckets 1 % wide; here they are of the rows, so that one p95 has one value wherever
    the report shows it. It has another only where requests failed: to an SLO these are the worst values there are.
    """
    return [{"figure": None, "n": None, "why": "", **one, **_exact(frame, one)} for one in judged]


def _exact(frame: Any, judged: Mapping[str, Any]) -> dict[str, Any]:
    try:
        slo = parse(str(judged["slo"]))
    except SloError:
        return {}
    if slo.percent is None or slo.subject not in frame.columns:
        return {}  # a mean is exact, and the gaps of ITL are in buckets here, too
    values = _values(frame, slo)
    if len(values) != judged.get("n"):
        return {}  # of other rows than these
    shown = is_supported(len(values), slo.percent)
    figure = float(values[rank(len(values), slo.percent) - 1]) if len(values) and shown else math.inf
    return {"figure": round(figure, 6) if math.isfinite(figure) else None}


def _values(frame: Any, slo: Slo) -> Any:
    """Sorted, as `metrics.slo.judge` counts them: a failed request is the worst value there is, and one that was cut is
    one only where it is beyond the limit already."""
    ok, cut = (frame["outcome"] == outcome for outcome in ("ok", "cancelled"))
    seen = [float(value) for value in frame.loc[cut, slo.subject].dropna()] if slo.below else []
    beyond = [value for value in seen if not slo.keeps(value)]
    failed = np.full(int((~ok & ~cut).sum()), math.inf if slo.below else -math.inf)
    values = frame.loc[ok, slo.subject].dropna().to_numpy("float64")
    return np.sort(np.concatenate((values, beyond, failed)))


def meets_all(frame: Any, texts: Iterable[str]) -> bool | None:
    """Do these rows alone meet all of these SLOs? None where they are too few to say, or an SLO is of what they do not
    hold: goodput, and gaps one by one."""
    found = [_met(frame, text) for text in texts]
    return False if False in found else None if None in found or not found else True


def _met(frame: Any, text: str) -> bool | None:
    try:
        slo = parse(text)
    except SloError:
        return None
    if slo.aggregate == "share":
        check = slo.subject in CHECKS
        rows = frame[slo.subject].dropna() if check else frame.loc[frame["outcome"] != "cancelled", "outcome"]
        return slo.keeps(float((rows == (1 if check else slo.subject)).mean())) if len(rows) else None
    if slo.aggregate == "rate" or slo.subject not in frame.columns or not len(values := _values(frame, slo)):
        return None
    if slo.percent is None:
        return slo.keeps(float({"max": values[-1], "min": values[0], "mean": values.mean()}[slo.aggregate]))
    enough = len(values) >= least_n(slo.percent)
    return slo.keeps(float(values[rank(len(values), slo.percent) - 1])) if enough else None


def section(summary: Mapping[str, Any]) -> Section:
    """Its part of the report; empty where none was asked for."""
    rows: list[tuple[Cell, ...]] = []
    for slo in summary["slos"]:
        value, unit = as_said(str(slo["slo"]), slo["figure"])
        state = f"{slo['state']}: {slo['why']}" if slo["why"] else str(slo["state"])
        rows.append((Code(str(slo["slo"])), state, f"{number(value)}{unit}", integer(slo["n"])))
    lines: tuple[Line, ...] = (
        ("A failed request counts as the worst value there is, so these percentiles may be greater than the others'.",),
    )
    table = Table(("SLO", "state", "figure", "n"), tuple(rows), names=2)
    return Section("slos", "SLOs", lines if rows else (), tables=(table,) if rows else ())


def _states(summary: Summary) -> Iterator[str]:
    """A line each."""
    for slo in summary["slos"]:
        value, unit = as_said(slo["slo"], slo["figure"])
        why = f"; {slo['why']}" if slo["why"] else ""
        yield f"SLO {slo['slo']}: {slo['state']} ({number(value)}{unit}, n = {integer(slo['n'])}{why})"


def data(run: Run, _summary: Summary) -> dict[str, Any]:
    """`slos`: each SLO of run.json, judged."""
    return {"slos": slos(run.measured, dicts(run.info.get("slos")))}


PART = Part(section, data, terminal=only_lines(_states))
