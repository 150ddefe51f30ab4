"""The server's own side: what it said of its queue, its cache, its GPUs during the load, under the token curve."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from tokenswarm.metrics.server_metrics import BY_NAME, POWER
from tokenswarm.reports.load import Run
from tokenswarm.reports.output import MADE, amount_before, place_amounts
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.parts.throughput import bins, steps
from tokenswarm.reports.readings import Readings, Track, joules
from tokenswarm.reports.render.document import Code, Section, Table
from tokenswarm.reports.render.numbers import integer, many, number
from tokenswarm.reports.render.plots import BLUE, FILL, PALETTE, Plot, figure, label

POINTS = 240  # drawn of a series, at most
PANEL_PX, GAP = 150, 0.03
# The panels under the token curve: axis title, what each value is divided by, the series in it.
PANELS: tuple[tuple[str, float, tuple[str, ...]], ...] = (
    ("requests", 1, ("running", "waiting")),
    ("KV cache, %", 1, ("kv_cache_percent",)),
    ("GPU, %", 1, ("gpu_percent",)),
    ("memory, GB", 1e9, ("gpu_memory_bytes", "host_memory_bytes")),
    ("power, W", 1, ("gpu_w", "cpu_w")),
)
OURS = {"prompt_tokens": "prompt_tokens", "output_tokens": "output_tokens"}  # counters, and our columns of the same


def server(run: Run) -> dict[str, Any] | None:
    """`sources` (looks, unanswered, took_ms p50); `series` over time (gauges: mean and max in the window, `points` of s
    since the first request and value); `counters` (what they grew by from the first look to the last, and our own sum
    of the same over all requests with a count). None where nobody looked."""
    seen = run.readings
    if not seen.sources:
        return None
    return {
        "sources": [
            {"source": one.source, "looks": one.looks, "unanswered": one.unanswered, "took_ms": one.took_ms}
            for one in seen.sources
        ],
        "series": [found for track in _over_time(seen) if (found := _series(track, run))],
        "counters": [
            {
                "name": track.series,
                "source": track.source,
                "grown": round(float(track.values[-1]), 3),
                "ours": int(run.frame[OURS[track.series]].sum()) if track.series in OURS else None,
            }
            for track in seen.tracks
            if BY_NAME[track.series].combine == "counter" and track.series not in POWER
        ],
    }


def _over_time(seen: Readings) -> Iterator[Track]:
    """Gauges as they are; counters of energy as the power between two looks."""
    for track in seen.tracks:
        if BY_NAME[track.series].combine != "counter":
            yield track
        elif track.series in POWER and len(track.unix_s) > 1:
            power_w = np.diff(joules(track)) / np.maximum(np.diff(track.unix_s), 1e-3)
            yield Track(track.source, track.series.replace("_j", "_w"), track.unix_s[1:], power_w)


def _series(track: Track, run: Run) -> dict[str, Any] | None:
    if not run.span:
        return None
    since_s, until_s = (moment / 1e9 for moment in run.span)
    inside = (track.unix_s >= since_s) & (track.unix_s <= until_s)
    if not inside.any():
        return None
    values, x = track.values[inside], track.unix_s[inside] - since_s
    every = -(-len(x) // POINTS)
    ends = np.arange(0, len(x), every)
    drawn = np.add.reduceat(values, ends) / np.diff(np.append(ends, len(x)))
    return {
        "name": track.series,
        "source": track.source,
        "mean": round(float(values.mean()), 6),
        "max": round(float(values.max()), 6),
        "points": [[round(float(at), 3), round(float(value), 6)] for at, value in zip(x[ends], drawn, strict=True)],
    }


def label_of(name: str) -> str:
    """What a series is called."""
    return "CPU and DRAM power" if name == "cpu_w" else BY_NAME[name].label


def section(summary: Summary) -> Section:
    """The section of the report; empty where nobody looked."""
    found = summary.get("server")
    if not found:
        return Section("server", "The server's own side")
    lines = [(_looked(one),) for one in found["sources"]]
    rows = [
        (label_of(one["name"]), Code(one["source"]), _shown(one["name"], one["mean"]), _shown(one["name"], one["max"]))
        for one in found["series"]
    ]
    tables = [Table(("in the run's window", "said by", "mean", "max"), tuple(rows), names=2)] if rows else []
    counted = [
        (label_of(one["name"]), Code(one["source"]), integer(round(one["grown"])), integer(one["ours"]))
        for one in found["counters"]
    ]
    if counted:
        head = ("counted from before the load to its end", "said by", "by the server", "by our requests")
        tables.append(Table(head, tuple(counted), names=2))
    return Section("server", "The server's own side", lines=tuple(lines), tables=tuple(tables))


def _looked(one: Mapping[str, Any]) -> str:
    said = f"{many(one['looks'], 'look')} at {one['source']}"
    if one["took_ms"] is not None:
        said += f", p50 {number(one['took_ms'])} ms"
    return said + (f"; {integer(one['unanswered'])} had no answer." if one["unanswered"] else ".")


def _shown(name: str, value: float) -> str:
    unit = {"cpu_w": "W"}.get(name) or BY_NAME[name].unit
    return f"{number(value / 1e9)} GB" if unit == "bytes" else f"{number(value)} {unit}".removesuffix(" requests")


def plot(frame: Any, summary: Mapping[str, Any]) -> Plot | None:
    """The token curve, and a panel below it for each kind of series that there is."""
    found = summary.get("server")
    panels = [
        (title, unit, [one for one in found["series"] if one["name"] in names] if found else [])
        for title, unit, names in PANELS
    ]
    panels = [panel for panel in panels if panel[2]]
    if not panels:
        return None
    window_s = summary["window"]["window_s"]
    height = 1 / (len(panels) + 1)
    made = figure(height=PANEL_PX * (len(panels) + 1) + 60, showlegend=True)
    made.update_layout(xaxis={"title": {"text": "s since the first request was sent"}, "range": [0, 1.01 * window_s]})
    edges, rate = _tokens(frame, summary)
    line = {"color": BLUE, "width": 1.5, "shape": "hv"}
    made.add_scatter(
        x=edges, y=rate, name="output tokens/s", mode="lines", fill="tozeroy", line=line, fillcolor=FILL, yaxis="y"
    )
    made.update_layout(yaxis=_axis("output tokens/s", 0, height))
    colours = 0
    for at, (title, unit, series) in enumerate(panels, start=1):
        made.update_layout({f"yaxis{at + 1}": _axis(title, at, height)})
        for one in series:
            colours += 1
            several = len({other["source"] for other in series}) > 1
            name = label(label_of(one["name"]) + (f", {one['source']}" if several else ""))
            x, y = zip(*one["points"], strict=True)
            made.add_scatter(
                x=list(x),
                y=[value / unit for value in y],
                name=name,
                mode="lines+markers" if len(x) == 1 else "lines",
                line={"color": PALETTE[colours % len(PALETTE)], "width": 1.5},
                yaxis=f"y{at + 1}",
            )
    made.update_layout(xaxis_anchor=f"y{len(panels) + 1}")
    note = "What the server and its machine said, look by look, at the same time as the output tokens above."
    return Plot("server", "server", "The server's own side over time", note, (made,))


def _axis(title: str, at: int, height: float) -> dict[str, Any]:
    """The panel that is so far from the top."""
    top = 1 - at * height
    domain = [max(0.0, top - height + GAP), top]
    return {"title": {"text": title}, "rangemode": "tozero", "domain": domain, "anchor": "x"}


def _tokens(frame: Any, summary: Mapping[str, Any]) -> tuple[Any, Any]:
    first_ns = summary["window"]["first_sent_unix_ns"]
    edges = bins(summary["window"]["window_s"])
    rows = frame.loc[frame["made_from_ns"].notna(), MADE]
    counts = np.nan_to_num(rows["made_tokens"].to_numpy("float64", na_value=0.0))
    return edges, steps(np.diff(amount_before(edges, *place_amounts(rows, counts, first_ns))) / np.diff(edges))


def data(run: Run, _summary: Summary) -> dict[str, Any]:
    """`server`, where anybody looked at it."""
    found = server(run)
    return {"server": found} if found else {}


PART = Part(section, data, plot)
