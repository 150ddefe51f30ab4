"""TTFT against the prompt's tokens: what a long prompt costs, and what a cached one does not."""

from typing import Any

import numpy as np

from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.render.numbers import integer
from tokenswarm.reports.render.plots import BLUE, GREY, ORANGE, Plot, figure

MOST, LEAST, CACHED = 2000, 20, 0.5
NEEDED = ["prompt_tokens", "cached_tokens", "ttft_ms"]
KINDS = (
    ("more than half of the prompt cached", ORANGE, "diamond-open"),
    ("less of it, or none", BLUE, "circle"),
    ("the server does not say", GREY, "circle-open"),
)


def plot(frame: Any, summary: Summary) -> Plot | None:
    """None of few requests, of prompts all alike, or of sessions, which have a figure of their own."""
    known = (frame["outcome"] == "ok") & frame["ttft_ms"].notna() & (frame["prompt_tokens"] > 0).fillna(False)
    ok = frame.loc[known, NEEDED]
    if summary["turns"] or len(ok) < LEAST or ok["prompt_tokens"].nunique() < 3:
        return None
    made = figure(
        height=360,
        xaxis={"title": {"text": "prompt tokens, cached ones included"}, "rangemode": "tozero"},
        yaxis={"title": {"text": "TTFT, ms"}, "rangemode": "tozero"},
        showlegend=True,
    )
    kinds = np.concatenate([_kinds(some) for some in ok.parts()])
    for kind, (name, colour, symbol) in enumerate(KINDS):
        at = np.flatnonzero(kinds == kind)
        if not (n := len(at)):
            continue
        shown = ok.take(at[np.linspace(0, n - 1, min(n, MOST)).round().astype(int)])
        made.add_scatter(
            x=shown["prompt_tokens"].to_numpy("float64"),
            y=shown["ttft_ms"].to_numpy("float64").round(2),
            mode="markers",
            marker={"size": 6, "opacity": 0.7, "color": colour, "symbol": symbol},
            name=f"{name} ({integer(n)})",
            hovertemplate="%{x:,d} tokens, %{y:,.1f} ms",
        )
    note = "Requests with outcome ok. The lowest points are prefill alone; what lies above them waited for a slot."
    if len(ok) > MOST:
        note += f" Of each kind {integer(MOST)} at most are drawn, evenly picked."
    return Plot("latencies", "prefill", "TTFT against the prompt's length", note, (made,))


def _kinds(rows: Any) -> Any:
    """Of each row its place in KINDS."""
    tokens, cached = (rows[name].to_numpy("float64", na_value=np.nan) for name in ("prompt_tokens", "cached_tokens"))
    return np.where(np.isnan(cached), np.int8(2), np.where(cached > CACHED * tokens, np.int8(0), np.int8(1)))


PART = Part(plot=plot)
