"""The figures to see first: those of the steady phase with how sure they are, those of the whole run beside them."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tokenswarm.metrics.percentile import minimum_n
from tokenswarm.metrics.slo.language import CHECKS, Slo, SloError, parse
from tokenswarm.reports import intervals
from tokenswarm.reports.compare.blocks import worth
from tokenswarm.reports.describe import Metrics, drop_lumps
from tokenswarm.reports.load import Run
from tokenswarm.reports.output import (
    MADE,
    Window,
    amount_per_s,
    answers,
    made_tokens,
    of_ok,
    ok_per_s,
    tokens_per_s,
    window,
)
from tokenswarm.reports.parts import capacity
from tokenswarm.reports.parts.part import Part, Summary, only_tables
from tokenswarm.reports.parts.time_spent import NEEDED as OF_LEDGER
from tokenswarm.reports.parts.time_spent import ledger
from tokenswarm.reports.percentiles import describe
from tokenswarm.reports.render.document import Cell, Line, Section, Table
from tokenswarm.reports.render.numbers import ABSENT, integer, many, number
from tokenswarm.reports.rows import in_order
from tokenswarm.reports.slices import select_of_models

LATENCIES = {"ttft_ms": "TTFT", "tpot_ms": "TPOT", "e2e_ms": "E2E", "response_ms": "response"}
NEEDED = (
    *("outcome", "phase", "sent_unix_ns", "ended_unix_ns", "max_tokens", "batch_size", "made_estimated"),
    *MADE,
    *OF_LEDGER,
    *LATENCIES,
)
KEPT = ("percentile", "max", "min", "mean")  # of these each request has a value of its own
RATES = {
    "output_tokens_per_s": "output tokens/s",
    "vectors_per_s": "vectors/s",
    "ok_per_s": "requests ok/s",
    "goodput_per_s": "goodput, requests/s",
}


def steady_window(frame: Any) -> Window | None:
    """From the first request of the steady phase until the run is stopped: all its users ask, or all arrivals come.

    The stop shows in the first end of a request that it found under way; without one it is the last end of all.
    """
    span = window(frame[frame["phase"] == "steady"])
    stopped = frame.loc[frame["phase"] == "drain", "ended_unix_ns"].dropna()
    return (span[0], max(span[1], int(stopped.min()))) if span and len(stopped) else span


def steady(run: Run, metrics: Metrics) -> dict[str, Any]:
    """`from_unix_ns`, `to_unix_ns`, `requests` (ok), `in_flight` (mean), `ledger`; `figures`: by name those of the
    `steady` phase and of the `whole` run, each with value, n, and the first with worth (independent requests) and
    interval at 95 %; None where nobody knows.

    A run without a steady phase has its figures of the whole run alone.
    """
    slos = _limits(run)
    names = [*dict.fromkeys((*NEEDED, *(slo.subject for slo in slos)))]
    # What the server gives in a window it gives to the warm-up, too; latencies are of the measured rows alone.
    frame, everything = drop_lumps(run.measured[names], metrics), run.frame[names]
    span = steady_window(frame)
    rows = frame[frame["phase"] == "steady"] if span else frame
    parts: dict[str, tuple[Any, Window | None]] = {"steady": (rows, span)} if span else {}
    parts["whole"] = (frame, run.span)
    figures: dict[str, dict[str, Any]] = {}
    for part, (some, within) in parts.items():
        ok = some[some["outcome"] == "ok"]
        sure = part == "steady" or not span
        for name, figure in {
            **_rates(everything, within, slos, sure),
            **_latencies(select_of_models(ok), sure),
        }.items():
            figures.setdefault(name, {})[part] = figure
    return {
        "from_unix_ns": span[0] if span else None,
        "to_unix_ns": span[1] if span else None,
        "requests": int((rows["outcome"] == "ok").sum()) if span else 0,
        "in_flight": _in_flight(everything, span or run.span),
        "ledger": ledger(rows[rows["outcome"] == "ok"]),
        "figures": figures,
    }


def _in_flight(frame: Any, span: Window | None) -> float | None:
    """The mean number of requests under way in a window."""
    if not span:
        return None
    under_way_ns = 0
    for rows in frame.parts():
        known = rows.frame(["sent_unix_ns", "ended_unix_ns"]).dropna()
        since, until = known["sent_unix_ns"].clip(lower=span[0]), known["ended_unix_ns"].clip(upper=span[1])
        under_way_ns += int((until - since).clip(lower=0).sum())
    return round(under_way_ns / (span[1] - span[0]), 6)


def _limits(run: Run) -> list[Slo]:
    """The SLOs that a single request can meet or miss."""
    found = []
    for one in run.info.get("slos") or ():
        try:
            slo = parse(str(one.get("slo")))
        except (SloError, AttributeError):
            continue
        if slo.subject in run.frame.columns and (slo.aggregate in KEPT or slo.subject in CHECKS):
            found.append(slo)
    return found


def _rates(frame: Any, span: Window | None, slos: list[Slo], sure: bool) -> dict[str, Any]:
    ok = frame[frame["outcome"] == "ok"]
    found = {
        "output_tokens_per_s": (tokens_per_s(frame, span), frame, made_tokens),
        "ok_per_s": (ok_per_s(frame, span), frame, answers(frame)),
    }
    if span and frame["vectors"].notna().any():
        vectors = of_ok("vectors")
        found["vectors_per_s"] = (amount_per_s(frame, vectors, span), frame, vectors)
    if slos:
        kept = ok[np.logical_and.reduce([_kept(ok[slo.subject], slo) for slo in slos])]
        found["goodput_per_s"] = (ok_per_s(kept, span), kept, answers(kept))
    return {
        name: {
            "value": value,
            "n": None,
            "worth": None,
            "interval": intervals.of_rate(rows, amounts, span) if sure else None,
        }
        for name, (value, rows, amounts) in found.items()
        if value is not None
    }


def _kept(column: Any, slo: Slo) -> Any:
    """Which requests keep an SLO themselves: not one without the metric, but one that its check does not apply to."""
    if slo.subject in CHECKS:
        return (column.fillna(0) != 1).to_numpy(bool)
    values = column.to_numpy("float64", na_value=np.nan)
    inside = values < slo.limit if slo.below else values > slo.limit
    return inside | (values == slo.limit) if slo.inclusive else inside


def _latencies(ok: Any, sure: bool) -> dict[str, Any]:
    order, found = in_order(ok["sent_unix_ns"]), {}
    for name in LATENCIES:
        values = ok[name].to_numpy("float64")[order]
        if not (known := ~np.isnan(values)).all():
            values = values[known]
        if not len(values):
            continue
        described, independent = describe(values, (50.0, 95.0)), round(worth(values), 1) if sure else None
        for percent in (50, 95):
            found[f"{name}_p{percent}"] = {
                "value": described[f"p{percent}"],
                "n": len(values),
                "worth": independent,
                "interval": intervals.of_percentile(values, percent) if sure else None,
            }
    return found


def find_headline(summary: Summary, name: str) -> Mapping[str, Any]:
    """The figure that a run is told by in one line, with value and interval; {} without one.

    Of the steady phase; of a run without one, or of stages, of the whole; of a capacity search of the load that was
    found, since the other trials overload the server on purpose.
    """
    if search := summary.get("capacity"):
        trial = capacity.found_trial(search) or {}
        value = trial.get(name)
        return {} if value is None else {"value": value, "interval": (trial.get("intervals") or {}).get(name)}
    parts = summary["steady"]["figures"].get(name, {})
    found: Mapping[str, Any] = parts.get("whole" if summary.get("stages") else "steady") or parts.get("whole") or {}
    return found


def rows(summary: Summary) -> list[tuple[str, str, str, str, str, str]]:
    """What is shown of each figure: its name, value, interval, n, worth, and the value over the whole run."""
    found = []
    figures: Mapping[str, Mapping[str, Any]] = summary["steady"]["figures"]
    for name, parts in figures.items():
        first = parts.get("steady") or {"value": None, "n": 0, "worth": None, "interval": None}
        low, high = (first["interval"] or [None, None]) if first["value"] is not None else (None, None)
        between = f"{number(low)} to {number(high)}" if low is not None and high is not None else ABSENT
        if low is not None and high is None:
            between = f"{number(low)} or more"
        worth_n = ABSENT if first["worth"] is None else integer(round(first["worth"]))
        whole = number(parts["whole"]["value"]) if "whole" in parts else ABSENT
        n = ABSENT if first["n"] is None else integer(first["n"])
        found.append((_label(name), number(first["value"]), between, n, worth_n, whole))
    return found


def _label(name: str) -> str:
    if name in RATES:
        return RATES[name]
    metric, _, percentile = name.rpartition("_")
    return f"{LATENCIES[metric]} {percentile}, ms"


def section(summary: Summary) -> Section:
    """Its part of the report; empty where stages, depths or trials have figures of their own."""
    found = summary["steady"]
    if summary["stages"] or summary.get("depths") or "capacity" in summary or not found["figures"]:
        return Section("figures", "Figures")
    if found["from_unix_ns"] is None:
        lines: tuple[Line, ...] = (("No request was sent and ended while the load was steady: the whole run alone.",),)
    else:
        span_s = (found["to_unix_ns"] - found["from_unix_ns"]) / 1e9
        lines = (
            (
                f"Steady: {number(span_s)} s with the whole load, {many(found['requests'], 'request')} ok. Interval: "
                "where the figure may lie, at 95 %. Worth: how many independent requests the n are, since neighbours "
                f"share a queue. p95 is shown of {minimum_n(95)} requests or more, p99 of {minimum_n(99)}: as many as "
                "it needs where they are independent; where they are worth less, go by its interval.",
            ),
        )
    columns: tuple[Cell, ...] = ("", "steady", "95 % interval", "n", "worth", "whole run")
    return Section("figures", "Figures", lines, tables=(Table(columns, tuple(rows(summary))),))


def data(run: Run, summary: Summary) -> dict[str, Any]:
    """`steady`: see there."""
    return {"steady": steady(run, summary["overall"]["metrics"])}


PART = Part(section, data, terminal=only_tables(section))
