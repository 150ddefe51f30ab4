"""The models in the server's memory over time, stacked."""

from collections.abc import Mapping
from typing import Any

from tokenswarm.reports.parts.server_memory import MB
from tokenswarm.reports.render.plots import PALETTE, Plot, figure, label


def build(_frame: Any, summary: Mapping[str, Any]) -> Plot | None:
    """None where nobody looked, or nothing changed: the table says it all then."""
    found = summary["memory"]
    if found is None or len(found["changes"]) < 2:
        return None
    first_ns = summary["window"]["first_sent_unix_ns"]
    zero_s = found["first_unix_s"] if first_ns is None else first_ns / 1e9
    x = [round(change["unix_s"] - zero_s, 3) for change in found["changes"]]
    x.append(round(found["last_unix_s"] - zero_s, 3))
    made = figure(
        height=300,
        xaxis={"title": {"text": "s since the first request was sent"}},
        yaxis={"title": {"text": "MB in memory"}, "rangemode": "tozero"},
        showlegend=True,
    )
    for at, model in enumerate(found["models"]):
        sizes = [change["size_bytes"].get(model["model"], 0) / MB for change in found["changes"]]
        colour = PALETTE[at % len(PALETTE)]
        made.add_scatter(
            x=x,
            y=[*sizes, sizes[-1]],
            name=label(model["model"]),
            stackgroup="memory",
            mode="lines",
            line={"shape": "hv", "width": 1, "color": colour},
            hovertemplate="%{y:,.0f} MB",
        )
    note = (
        "Each step is a look that differs from the one before. Where it is empty, nothing was loaded, or just loading."
    )
    return Plot("memory", "memory", "Models in memory over time", note, (made,))
