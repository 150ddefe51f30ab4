"""Every request as a point: when it was sent, how long it took, how it ended."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tokenswarm.reports.output import seconds
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.render.document import Line, Section, Table
from tokenswarm.reports.render.numbers import integer, number
from tokenswarm.reports.render.plots import GREY, Plot, figure, label
from tokenswarm.reports.rows import in_order
from tokenswarm.reports.slices import name_cells, slices

# Found by a search: any two are 20 ΔE apart or more, to protan, deutan and tritan eyes, too (a test reckons it).
COLOURS = {
    "ok": "#2ecafe",
    "http_error": "#d0620a",
    "refused": "#802448",
    "timeout": "#ecad0e",
    "truncated": "#dfb1c9",
    "protocol_error": "#4d4b9a",
    "server_error": "#b3002c",
    "cancelled": "#3a87a9",
    "dropped": "#97827f",
}
SYMBOLS = {
    "ok": "circle",
    "http_error": "x",
    "refused": "cross",
    "timeout": "square",
    "truncated": "diamond",
    "protocol_error": "star",
    "server_error": "triangle-down",
    "cancelled": "triangle-up-open",
    "dropped": "hexagon-open",
}
MOST, MOST_FAILED, SLOWEST = 3000, 20_000, 300


def plot(frame: Any, summary: Mapping[str, Any]) -> Plot | None:
    """None where nothing was sent. At most MOST of the ok ones, thinned evenly, with the slowest; all that failed."""
    first_ns = summary["window"]["first_sent_unix_ns"]
    if first_ns is None:
        return None
    known = frame["sent_unix_ns"].notna() & frame["e2e_ms"].notna()
    timed = frame.loc[known, ["sent_unix_ns", "e2e_ms", "outcome"]]
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
        shown = _shown(rows, MOST if outcome == "ok" else MOST_FAILED)
        rows, thinned = rows.take(shown), thinned or len(shown) < len(rows)
        marker = {
            "size": 6,
            "opacity": 0.7,
            "color": COLOURS.get(outcome, GREY),
            "symbol": SYMBOLS.get(outcome, "asterisk-open"),
        }
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
        note += f" Of many {integer(MOST)} are drawn, evenly picked, with the {SLOWEST} slowest; of the failed ones all"
        note += f" up to {integer(MOST_FAILED)}."
    if unsent:
        note += f" {integer(unsent)} requests that were never sent are not drawn."
    return Plot("requests", "requests", "Requests over time", note, (made,))


def _shown(rows: Any, most: int) -> Any:
    """Which of many are drawn, in the order of sending: evenly picked ones, and the slowest."""
    order, n = in_order(rows["sent_unix_ns"]), len(rows)
    if n <= most:
        return order
    drawn = np.zeros(n, dtype=bool)
    drawn[order[np.linspace(0, n - 1, most).round().astype(int)]] = True
    drawn[np.argpartition(rows["e2e_ms"].to_numpy("float64"), n - SLOWEST)[n - SLOWEST :]] = True
    return order[drawn[order]]


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
