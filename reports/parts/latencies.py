"""TTFT, TPOT and E2E as cumulative distributions, a line for each endpoint and model."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tokenswarm.metrics.catalogue import METRICS
from tokenswarm.metrics.percentile import CONFIDENCE, minimum_n
from tokenswarm.reports.describe import BY_CHUNKS, are_lumps
from tokenswarm.reports.parts import censored
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.render.document import Cell, Code, Line, Section, Table
from tokenswarm.reports.render.numbers import ABSENT, BUFFERED, integer, number
from tokenswarm.reports.render.plots import PALETTE, Plot, figure, label
from tokenswarm.reports.rows import known_values
from tokenswarm.reports.slices import group_name, slices

SHOWN = (("ttft_ms", "TTFT, ms"), ("tpot_ms", "TPOT, ms per token"), ("e2e_ms", "E2E, ms"))
POINTS = 400
KINDS = {metric.name.removesuffix("_hist"): metric.kind for metric in METRICS}
# These say how well was measured, not how well was served: see the limits.
_QUALITY = frozenset(
    {
        "clock_step_ms",
        "clock_stamps",
        "buffered",
        "coalesced_chunks",
        "late_chunks",
        "reads",
        "late_reads",
        "read_lag_ms",
        "turnaround_ms",
    }
)
_LATENCY_COLUMNS = ("n", "mean", "p50", "p90", "p95", "p99")


def plot(frame: Any, summary: Mapping[str, Any]) -> Plot | None:
    """None where no request ended ok."""
    ok = frame.loc[frame["outcome"] == "ok", ["endpoint", "model", *(name for name, _ in SHOWN)]]
    made = tuple(_one(ok, name, title) for name, title in SHOWN if ok[name].notna().any())
    if not made:
        return None
    note = (
        "The share of requests (outcome ok) at or below a value: steep is steady, a long flat end is a tail. "
        "Failed requests are in none of these lines."
    )
    names = (f"{endpoint} {model}".strip() for (endpoint, model), _ in _groups(ok))
    keys = tuple((PALETTE[at % len(PALETTE)], name) for at, name in enumerate(names))
    return Plot("latencies", "distributions", "Distributions", note, made, keys)


def _groups(ok: Any) -> Any:
    return ok.groupby(["endpoint", "model"], sort=True)


def _one(ok: Any, name: str, title: str) -> Any:
    made = figure(
        height=320,
        xaxis={"title": {"text": title}, "rangemode": "tozero"},
        yaxis={"title": {"text": "% of requests"}, "range": [0, 102]},
        showlegend=False,
    )
    for at, ((endpoint, model), rows) in enumerate(_groups(ok)):
        values = known_values(rows, name)
        if len(values):
            x, share = steps(values)
            made.add_scatter(
                x=x,
                y=share,
                mode="lines",
                line={"shape": "hv", "color": PALETTE[at % len(PALETTE)]},
                name=f"{label(f'{endpoint} {model}'.strip())} ({len(values)})",
                hovertemplate="%{y:.1f} % at or below %{x:,.4~g}",
            )
    return made


def steps(values: Any, most: int = POINTS) -> tuple[Any, Any]:
    """(values, % at or below each): the empirical distribution, thinned evenly by rank, both ends kept.

    The values are in their order then.
    """
    values.sort()
    n = len(values)
    ranks = np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))
    x = np.concatenate(([values[0]], values[ranks]))
    return x.round(4), np.concatenate(([0.0], (ranks + 1) / n * 100)).round(4)


def section(summary: Summary) -> Section:
    """Its part of the report."""
    needed = ", ".join(f"p{p:g} {integer(minimum_n(p))}" for p in (90, 95, 99))
    requests = summary["overall"]["requests"]
    failed = requests["total"] - requests["by_outcome"].get("ok", 0)
    lines: list[Line] = [
        (
            f"Of requests with outcome ok; {integer(failed)} with others are in no latency here, and never count as 0. "
            f"Nearest rank; {ABSENT} where n does not support the percentile at confidence {CONFIDENCE} "
            f"(at least: {needed}, as many as it needs where they are independent; neighbours share a queue, "
            "so n may be worth far fewer: see the intervals). ITL is pooled over all gaps, exact to 1 %.",
        )
    ]
    tables = description_tables(summary, ("duration", "histogram"), _LATENCY_COLUMNS, "ms")
    if not tables:
        lines = [("No request ended ok, so there is no latency.",)]
    cut = tuple(filter(None, map(censored.table, slices(summary))))
    if cut:
        said = "The end of the run cut many, long ones more often: of these it is known how long they took at least. "
        lines.append((f"{said}With them the percentiles are those of the last tables.",))
    return Section("latencies", "Latencies", lines=tuple(lines), tables=(*tables, *cut))


def description_tables(
    summary: Summary, kinds: tuple[str, ...], columns: tuple[str, ...], first: str
) -> tuple[Table, ...]:
    """A table a slice: its metrics of those kinds, a row each."""
    tables = []
    for group in slices(summary):
        rows: tuple[tuple[Cell, ...], ...] = tuple(
            (Code(name), *(_format(column, found[column]) for column in columns))
            for name, found in group["metrics"].items()
            if KINDS[name] in kinds and name not in _QUALITY and found.get("total") != 0
        )
        if rows and "duration" in kinds and are_lumps(group["metrics"]):
            absent: tuple[Cell, ...] = (BUFFERED,) * len(columns)
            rows = (*((Code(name), *absent) for name in BY_CHUNKS), *rows)
        if rows:
            tables.append(Table((first, *columns), rows, caption=group_name(group)))
    return tuple(tables)


def _format(column: str, value: float | int | None) -> str:
    return integer(int(value)) if column in ("n", "total") and value is not None else number(value)


PART = Part(section, plot=plot)
