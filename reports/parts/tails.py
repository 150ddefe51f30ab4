"""The tails of TTFT, TPOT and E2E: how many requests take longer than so long, both axes logarithmic."""

from typing import Any

import numpy as np

from tokenswarm.reports.parts.latencies import SHOWN
from tokenswarm.reports.parts.part import Part, Summary
from tokenswarm.reports.render.plots import PALETTE, Plot, figure, label, log_ticks
from tokenswarm.reports.rows import known_values

POINTS, LEAST, RAREST_PERCENT = 300, 100, 0.1


def plot(frame: Any, summary: Summary) -> Plot | None:
    """None of fewer than LEAST requests that ended ok: they have no tail."""
    ok = frame.loc[frame["outcome"] == "ok", ["endpoint", "model", *(name for name, _ in SHOWN)]]
    groups = [(f"{endpoint} {model}".strip(), rows) for (endpoint, model), rows in ok.groupby(["endpoint", "model"])]
    each = (_one(groups, name, title) for name, title in SHOWN)
    made = tuple(one for one in each if one is not None)
    note = (
        "The share of requests (outcome ok) that took longer, down to one in a thousand: a straight fall is an even "
        "tail, a step is a time-out, a cold load, or a queue that some had to wait in. Its last points are a few "
        "requests each."
    )
    keys = tuple((PALETTE[at % len(PALETTE)], name) for at, (name, _) in enumerate(groups))
    return Plot("latencies", "tails", "Tails", note, made, keys) if made else None


def _took(rows: Any, name: str) -> Any:
    """How long they took, in order, those that took any time."""
    values = known_values(rows, name)
    values.sort()
    return values[np.searchsorted(values, 0, side="right") :]


def _one(groups: list[tuple[str, Any]], name: str, title: str) -> Any:
    samples = [(group, _took(rows, name)) for group, rows in groups]
    if all(len(values) < LEAST for _, values in samples):
        return None
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
    ends = [float(values[at]) for _, values in samples if len(values) for at in (0, -1)]
    made.update_xaxes(tickvals=log_ticks(ends) or None)
    for at, (group, values) in enumerate(samples):
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


def survival(ordered: Any) -> tuple[Any, Any]:
    """(values, % that are greater): thinned so that each part of a logarithmic axis has as many points."""
    n = len(ordered)
    if n < LEAST:
        return np.array([]), np.array([])
    least = max(1.0, n * RAREST_PERCENT / 100)
    left = np.unique(np.geomspace(least, n - 1, min(n, POINTS)).round().astype(int))[::-1]
    return ordered[n - 1 - left].round(4), (100 * left / n).round(4)


PART = Part(plot=plot)
