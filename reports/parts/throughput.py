"""Output tokens a second and requests in flight, over time."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tokenswarm.reports.output import MADE, amount_before, place_amounts, seconds
from tokenswarm.reports.parts.part import Part
from tokenswarm.reports.render.numbers import many, number
from tokenswarm.reports.render.plots import BLUE, FILL, GREEN, GREY, ORANGE, PALETTE, Plot, figure, label

BINS = 240
NEEDED = ["sent_unix_ns", "ended_unix_ns", *MADE, "ttft_ms", "vectors", "max_tokens", "model"]
_NICE_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1800.0, 3600.0)


def plot(frame: Any, summary: Mapping[str, Any]) -> Plot | None:
    """None where nothing was sent."""
    first_ns, window_s = summary["window"]["first_sent_unix_ns"], summary["window"]["window_s"]
    if first_ns is None:
        return None
    rows = frame.loc[frame["sent_unix_ns"].notna() & frame["ended_unix_ns"].notna(), NEEDED]
    amount, unit, what = "made_tokens", "output tokens/s", "tokens"
    if not rows["made_tokens"].notna().any() and rows["vectors"].notna().any():
        amount, unit, what = "vectors", "vectors/s", "vectors"
    edges, models = bins(window_s), _models(rows)
    widths = np.diff(edges)
    rate, in_flight, streaming, *shares = np.zeros((3 + len(models), len(widths)))
    streams = False
    for part in rows.parts():
        sent, ended = (seconds(part[name], first_ns) for name in NEEDED[:2])
        counts, waited_s = part[amount].to_numpy("float64", na_value=0.0), part["ttft_ms"].to_numpy("float64") / 1e3
        known, first_output = ~np.isnan(waited_s), sent + waited_s
        streams = streams or known.any()
        rate += np.diff(amount_before(edges, *place_amounts(part, counts, first_ns))) / widths
        in_flight += np.diff(amount_before(edges, sent, ended, ended - sent)) / widths
        streamed = (first_output[known], ended[known], (ended - first_output)[known])
        streaming += np.diff(amount_before(edges, *streamed)) / widths
        for share, (model, _) in zip(shares, models, strict=True):
            mine = (part["model"] == model).to_numpy()
            share += np.diff(amount_before(edges, *place_amounts(part[mine], counts[mine], first_ns))) / widths
    made = figure(
        height=380,
        xaxis={"title": {"text": "s since the first request was sent"}, "range": [0, 1.01 * window_s]},
        yaxis={"title": {"text": unit}, "rangemode": "tozero"},
        yaxis2={
            "title": {"text": "requests"},
            "overlaying": "y",
            "side": "right",
            "range": [0, round(1.15 * float(in_flight.max(initial=0.0)), 3) or 1],
            "tickmode": "auto",  # else plotly 7 puts ticks where the other axis has them
            "showgrid": False,
        },
    )
    line = {"color": BLUE, "width": 1.5}
    made.add_scatter(x=edges, y=steps(rate), name=unit, fill="tozeroy", line=line, fillcolor=FILL)
    for share, (model, colour) in zip(shares, models, strict=True):
        made.add_scatter(x=edges, y=steps(share), name=label(f"{unit} of {model}"), line={"color": colour, "width": 1})
    made.add_scatter(x=edges, y=steps(in_flight), name="requests in flight", yaxis="y2", line={"color": ORANGE})
    if streams:
        line = {"color": GREEN, "dash": "dot"}
        made.add_scatter(x=edges, y=steps(streaming), name="of these, streaming", yaxis="y2", line=line)
    made.update_traces(mode="lines", line_shape="hv")
    changes = [change for change in summary["circumstances"]["attendance"] if 0 <= change["since_s"] <= window_s]
    for change in changes:
        mark = f"worker {change['worker']} {change['what']}"
        made.add_vline(x=change["since_s"], line={"color": GREY, "dash": "dash"}, annotation_text=mark)
    note = (
        f"Means over {number(float(widths[0]))} s. The {what} of a request lie between its first output and its end "
        "(where it was not streamed, or came in lumps: over the time it was decoded in, else from sent on), evenly but "
        "where its pace changed."
    )
    if streams:
        note += " In flight but not streaming is waiting for the first output."
    if changes:
        note += " Dashed: a worker joined the run or was lost."
    tokens = summary["overall"]["tokens"]
    if n := tokens["requests_estimated"]:
        note += f" Those of {many(n, 'request')} without a count, as those cut at the end, are estimated by the chunks."
    if n := tokens["requests_without_count"] - tokens["requests_estimated"]:
        note += f" Without a count, and without chunks to estimate it by: no tokens of {many(n, 'request')}."
    return Plot("throughput", "throughput", "Throughput over time", note, (made,))


def _models(rows: Any) -> list[tuple[str, str]]:
    """Where several models were asked, each with a colour of its own."""
    models = sorted(set(rows.loc[rows["max_tokens"].notna() | rows["vectors"].notna(), "model"].unique()) - {""})
    spare = [colour for colour in PALETTE if colour not in (BLUE, ORANGE, GREEN)]
    return [(model, spare[at % len(spare)]) for at, model in enumerate(models)] if len(models) > 1 else []


def bins(window_s: float, most: int = BINS) -> Any:
    """Edges of time bins in s, of a round width, the last one cut at the end of the window."""
    width_s = next((nice for nice in _NICE_S if window_s / nice <= most), window_s / most)
    inner = np.arange(0.0, window_s, width_s)
    if len(inner) > 1 and window_s - inner[-1] < width_s / 2:
        inner = inner[:-1]  # a sliver of a bin would jump
    return np.append(inner, window_s)


def steps(values: Any) -> Any:
    """One value a bin as one an edge: the last one holds until the last edge."""
    return np.append(values, values[-1]).round(3) + 0.0  # no -0


PART = Part(plot=plot)
