"""TTFT, TPOT and E2E as cumulative distributions, a line for each endpoint and model."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tokenswarm.reports.render.plots import PALETTE, Plot, figure, label

SHOWN = (("ttft_ms", "TTFT, ms"), ("tpot_ms", "TPOT, ms per token"), ("e2e_ms", "E2E, ms"))
POINTS = 400


def build(frame: Any, summary: Mapping[str, Any]) -> Plot | None:
    """None where no request ended ok."""
    ok = frame[frame["outcome"] == "ok"]
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
    for number, ((endpoint, model), rows) in enumerate(_groups(ok)):
        values = rows[name].dropna().to_numpy(dtype="float64")
        if len(values):
            x, share = steps(values)
            made.add_scatter(
                x=x,
                y=share,
                mode="lines",
                line={"shape": "hv", "color": PALETTE[number % len(PALETTE)]},
                name=f"{label(f'{endpoint} {model}'.strip())} ({len(values)})",
                hovertemplate="%{y:.1f} % at or below %{x:,.4~g}",
            )
    return made


def steps(values: Any, most: int = POINTS) -> tuple[Any, Any]:
    """(values, % at or below each): the empirical distribution, thinned evenly by rank, both ends kept."""
    ordered = np.sort(values)
    n = len(ordered)
    ranks = np.unique(np.linspace(0, n - 1, min(n, most)).round().astype(int))
    x = np.concatenate(([ordered[0]], ordered[ranks]))
    return x.round(4), np.concatenate(([0.0], (ranks + 1) / n * 100)).round(4)
