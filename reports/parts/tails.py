"""The tails of TTFT, TPOT and E2E: how many requests take longer than so long, both axes logarithmic."""

from typing import Any

import numpy as np

from tokenswarm.reports.parts.latencies import SHOWN
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.render.plots import PALETTE, Plot, figure, label, log_ticks

POINTS, LEAST, RAREST_PERCENT = 300, 100, 0.1


def plot(frame: Any, summary: Summary) -> Plot | None:
    """None of fewer than LEAST requests that ended ok: they have no tail."""
    ok = frame.loc[frame["outcome"] == "ok", ["endpoint", "model", *(name for name, _ in SHOWN)]]
    groups = [(f"{endpoint} {model}".strip(), rows) for (endpoint, model), rows in ok.groupby(["endpoint", "model"])]
    made = tuple(
        _one(groups, name, title) for name, title in SHOWN if any(_long(rows[name]) >= LEAST for _, rows in groups)
    )
    note = (
        "The share of requests (outcome ok) that took longer, down to one in a thousand: a straight fall is an even "
        "tail, a step is a time-out, a cold load, or a queue that some had to wait in. Its last points are a few "
        "requests each."
    )
    keys = tuple((PALETTE[at % len(PALETTE)], name) for at, (name, _) in enumerate(groups))
    return Plot("latencies", "tails", "Tails", note, made, keys) if made else None


def _ends(column: Any) -> list[float]:
    known = column[column > 0]
    return [float(known.min()), float(known.max())] if len(known) else []


def _long(column: Any) -> int:
    return int((column > 0).sum())


def _one(groups: list[tuple[str, Any]], name: str, title: str) -> Any:
    made = figure(
        height=320,
        xaxis={"title": {"text": title}, "type": "log"},
        yaxis={
            "title": {"text": "% of requests that took longer"},
            "type": "log",
            "range": [np.log10(RAREST_PERCENT), 2],
            "tickvals": [100, 50, 10, 5, 1, 0.5, 0.1],
        },
        showlegend=False,
    )
    made.update_xaxes(tickvals=log_ticks([v for _, rows in groups for v in _ends(rows[name])]) or None)
    for at, (group, rows) in enumerate(groups):
        values = rows[name].to_numpy("float64")
        values = values[values > 0]
        x, longer = survival(values)
        made.add_scatter(
            x=x,
            y=longer,
            mode="lines",
            line={"shape": "hv", "color": PALETTE[at % len(PALETTE)]},
            name=f"{label(group)} ({len(values)})",
            hovertemplate="%{y:.2~f} % took longer than %{x:,.4~g}",
        )
    return made


def survival(values: Any) -> tuple[Any, Any]:
    """(values, % that are greater): thinned so that each part of a logarithmic axis has as many points."""
    ordered, n = np.sort(values), len(values)
    if n < LEAST:
        return np.array([]), np.array([])
    least = max(1.0, n * RAREST_PERCENT / 100)
    left = np.unique(np.geomspace(least, n - 1, min(n, POINTS)).round().astype(int))[::-1]
    return ordered[n - 1 - left].round(4), (100 * left / n).round(4)


PART = Part(plot=plot)
