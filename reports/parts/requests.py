"""Every request as a point: when it was sent, how long it took, how it ended."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tokenswarm.reports.output import seconds
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.render.document import Line, Section, Table
from tokenswarm.reports.render.numbers import integer, number
from tokenswarm.reports.render.plots import GREEN, GREY, ORANGE, PURPLE, RED, SKY, Plot, figure, label
from tokenswarm.reports.slices import name_cells, slices

COLOURS = {
    "ok": GREEN,
    "http_error": RED,
    "refused": "#8c2d04",
    "timeout": ORANGE,
    "truncated": PURPLE,
    "protocol_error": "#b58900",
    "server_error": "#dc3264",
    "cancelled": SKY,
    "dropped": "#7f7f7f",
}
SYMBOLS = {"ok": "circle", "cancelled": "triangle-up-open"}
MOST = 3000


def plot(frame: Any, summary: Mapping[str, Any]) -> Plot | None:
    """None where nothing was sent. At most MOST points an outcome, thinned evenly."""
    first_ns = summary["window"]["first_sent_unix_ns"]
    if first_ns is None:
        return None
    known = frame["sent_unix_ns"].notna() & frame["e2e_ms"].notna()
    timed = frame.loc[known, ["sent_unix_ns", "e2e_ms", "outcome"]].sort_values("sent_unix_ns")
    made = figure(
        height=380,
        xaxis={
            "title": {"text": "sent, s since the first request"},
            "range": [0, 1.01 * summary["window"]["window_s"]],
        },
        yaxis={"title": {"text": "E2E, ms"}, "rangemode": "tozero"},
        showlegend=True,
    )
    thinned = False
    for outcome, total in summary["overall"]["requests"]["by_outcome"].items():
        rows = timed[timed["outcome"] == outcome]
        if not len(rows):
            continue
        if len(rows) > MOST:
            rows, thinned = rows.iloc[np.linspace(0, len(rows) - 1, MOST).round().astype(int)], True
        marker = {"size": 6, "opacity": 0.7, "color": COLOURS.get(outcome, GREY), "symbol": SYMBOLS.get(outcome, "x")}
        made.add_scatter(
            x=seconds(rows["sent_unix_ns"], first_ns).round(3),
            y=rows["e2e_ms"].to_numpy(dtype="float64").round(2),
            mode="markers",
            marker=marker,
            name=f"{label(outcome)} ({integer(total)})",
            hovertemplate="sent at %{x:.2f} s, %{y:,.1f} ms",
        )
    unsent = len(frame) - len(timed)
    note = (
        "Of a failed request the time until it failed. Bands and slopes show queues; a row of equal heights among the "
        "failed ones is a time-out. A cancelled one would have gone on, upwards."
    )
    if thinned:
        note += f" Of each outcome {integer(MOST)} at most are drawn, evenly picked."
    if unsent:
        note += f" {integer(unsent)} requests that were never sent are not drawn."
    return Plot("requests", "requests", "Requests over time", note, (made,))


def section(summary: Summary) -> Section:
    """Its part of the report."""
    outcomes = list(summary["overall"]["requests"]["by_outcome"])
    shown = outcomes if "ok" in outcomes else ["ok", *outcomes]
    rows = []
    for group in slices(summary):
        counts = group["requests"]["by_outcome"]
        rows.append(
            (*name_cells(group), integer(group["requests"]["total"]), *(integer(counts.get(name, 0)) for name in shown))
        )
    rate = summary["window"]["ok_requests_per_s"]
    lines: tuple[Line, ...] = ((f"{number(rate)} ok requests a second over the window.",),) if rate else ()
    table = Table(("endpoint", "model", "requests", *shown), tuple(rows), names=2)
    return Section("requests", "Requests by outcome", lines=lines, tables=(table,))


PART = Part(section, plot=plot)
