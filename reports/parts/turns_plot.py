"""TTFT against the length of the context, coloured by turn: what a conversation costs as it grows."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tokenswarm.reports.render.numbers import integer
from tokenswarm.reports.render.plots import BLUE, GREEN, GREY, ORANGE, Plot, figure

MOST = 3000
BINS, LEAST = 16, 5
SCALE = ((0.0, BLUE), (0.5, GREEN), (1.0, ORANGE))


def build(frame: Any, summary: Mapping[str, Any]) -> Plot | None:
    """None where no session has several turns. At most MOST points, thinned evenly by length."""
    ok = frame[(frame["outcome"] == "ok") & frame["ttft_ms"].notna() & frame["prompt_tokens"].notna()]
    if not summary["turns"] or not len(ok):
        return None
    ok = ok.sort_values("prompt_tokens")
    length = ok["prompt_tokens"].to_numpy(dtype="float64")
    ttft_ms = ok["ttft_ms"].to_numpy(dtype="float64")
    turn = ok["turn"].to_numpy(dtype="float64", na_value=1.0)
    made = figure(
        height=400,
        xaxis={"title": {"text": "context: prompt tokens, cached ones included"}, "rangemode": "tozero"},
        yaxis={"title": {"text": "TTFT, ms"}, "rangemode": "tozero"},
        showlegend=True,
    )
    shown = np.linspace(0, len(ok) - 1, min(len(ok), MOST)).round().astype(int)
    bar = {"title": {"text": "turn"}, "thickness": 12, "tickformat": "d", "outlinewidth": 0}
    made.add_scatter(
        x=length[shown],
        y=ttft_ms[shown].round(2),
        mode="markers",
        marker={"size": 6, "opacity": 0.75, "color": turn[shown], "colorscale": SCALE, "colorbar": bar},
        customdata=turn[shown],
        name=f"a request ({integer(len(ok))})",
        hovertemplate="turn %{customdata:d}: %{x:,d} tokens, %{y:,.1f} ms",
    )
    at, middle_ms = medians(length, ttft_ms)
    if len(at) > 1:
        made.add_scatter(x=at, y=middle_ms, mode="lines", line={"color": GREY, "width": 2}, name="median")
    note = (
        "A line that climbs is prefill: the server evaluates the whole history again with each turn. A flat one is a "
        "cache that keeps it. What lies far above the line is waiting for a slot."
    )
    if len(ok) > MOST:
        note += f" {integer(MOST)} points are drawn, evenly picked."
    return Plot("turns", "turns", "TTFT against context length", note, (made,))


def medians(x: Any, y: Any) -> tuple[Any, Any]:
    """(median x, median y) of equally filled bins of a sorted x, each with LEAST points at least."""
    count = max(1, min(BINS, len(x) // LEAST))
    bins = list(zip(np.array_split(x, count), np.array_split(y, count), strict=True))
    return np.array([np.median(at) for at, _ in bins]), np.array([np.median(values) for _, values in bins]).round(2)
