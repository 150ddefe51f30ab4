"""load_ms of cold and warm requests as cumulative distributions."""

from collections.abc import Mapping
from typing import Any

from reports.figures.distributions import steps
from reports.figures.style import PALETTE, Plot, figure, label

DASH = {"cold": "solid", "warm": "dot"}


def build(frame: Any, summary: Mapping[str, Any]) -> Plot | None:
    """None where no request was cold."""
    if summary["loading"] is None:
        return None
    ok = frame[(frame["outcome"] == "ok") & frame["load_state"].notna() & (frame["load_ms"] > 0)]
    made = figure(
        height=320,
        xaxis={"title": {"text": "load_ms"}, "type": "log"},
        yaxis={"title": {"text": "% of requests"}, "range": [0, 102]},
        showlegend=True,
    )
    models = sorted(ok["model"].unique())
    for (model, state), rows in ok.groupby(["model", "load_state"], sort=True):
        x, share = steps(rows["load_ms"].to_numpy(dtype="float64"))
        colour = PALETTE[models.index(model) % len(PALETTE)]
        made.add_scatter(
            x=x,
            y=share,
            mode="lines",
            line={"shape": "hv", "color": colour, "dash": DASH[state]},
            name=f"{label(model)} {state} ({len(rows)})",
            hovertemplate="%{y:.1f} % at or below %{x:,.4~g} ms",
        )
    if not models:
        return None
    note = "Solid: cold, dotted: warm. Between the two there is nothing but the wait for other loads and other models."
    return Plot("loading", "loading", "How long requests waited for their model", note, (made,))
